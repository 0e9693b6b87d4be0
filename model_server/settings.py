"""The model server's settings: each limit with its unit, its default and the reason for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from service_kit.settings import MIB, ServiceSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="MODEL_SERVER_")

    port: int = Field(default=8080, ge=1, le=65535)
    """Port to listen on."""

    model_name: str = Field(default="ocr-model", pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """Name in the URLs of the KServe protocols."""

    engine: Literal["tesserocr", "pytesseract"] = "tesserocr"
    """`tesserocr`: Tesseract as a library, kept warm. `pytesseract`: the machine's own `tesseract` program."""

    languages: Annotated[tuple[str, ...], NoDecode] = ()
    """Languages that may be asked for, separated by commas; empty: all that are installed."""

    tessdata_dir: Path | None = None
    """Folder of `*.traineddata`; empty: the one installed with the Python packages, or the program's own."""

    workers: int = Field(default=0, ge=0, le=256)
    """Worker processes, one page each at a time; 0: as many as CPUs allowed to this process."""

    max_megapixels: float = Field(default=50, gt=0)
    """Largest image, by its header, before any decoding. 50 lets a 48-megapixel phone photograph in."""

    max_image_mib: float = Field(default=20, gt=0)
    """Largest encoded image."""

    max_instances: int = Field(default=8, ge=1)
    """Most images in one call."""

    max_queue: int = Field(default=64, ge=1)
    """Most pages that wait for a worker; the next one gets 429."""

    worker_max_pages: int = Field(default=2000, ge=1)
    """Pages after which a worker is replaced by a fresh one: what leaks, leaks little."""

    worker_recycle_mib: int = Field(default=600, ge=64)
    """Resident memory above which a worker is replaced after its page."""

    worker_kill_mib: int = Field(default=1500, ge=64)
    """Resident memory above which a worker is killed in mid-page, before the kernel kills its neighbours."""

    environment: Literal["production", "test"] = "production"
    """`test` lets `TEST_ENGINE` in."""

    test_engine: str | None = None
    """`module:Class` of an engine that misbehaves on purpose; refused in production."""

    @field_validator("languages", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.test_engine and self.environment != "test":
            raise ValueError("TEST_ENGINE is for ENVIRONMENT=test only")
        if self.worker_kill_mib < self.worker_recycle_mib:
            raise ValueError("WORKER_KILL_MIB must not be below WORKER_RECYCLE_MIB")
        if self.shutdown_grace_seconds < self.request_timeout_seconds:
            raise ValueError("SHUTDOWN_GRACE_SECONDS must not be below REQUEST_TIMEOUT_SECONDS")
        return self

    @property
    def max_pixels(self) -> int:
        return int(self.max_megapixels * 1_000_000)

    @property
    def max_image_bytes(self) -> int:
        return int(self.max_image_mib * MIB)

    @property
    def max_body_bytes(self) -> int:
        """One image of the largest size in base64, and a little JSON around it."""
        return self.max_image_bytes * 4 // 3 + 64 * 1024

    @property
    def tessdata(self) -> Path | None:
        """The folder to read language data from; None: the program's own."""
        if self.tessdata_dir or self.engine == "pytesseract":
            return self.tessdata_dir
        return Path(sys.prefix) / "share" / "tessdata"
