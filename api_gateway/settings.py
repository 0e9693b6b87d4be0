"""The gateway's settings: each limit with its unit, its default and the reason for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from service_kit.settings import MIB, ServiceSettings

_SHORTEST_KEY = 16


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="API_GATEWAY_")

    port: int = Field(default=8001, ge=1, le=65535)
    """Port to listen on."""

    model_server_url: HttpUrl = HttpUrl("http://127.0.0.1:8080")
    """Where the model server is."""

    model_name: str = Field(default="ocr-model", pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """The model's name there."""

    connect_timeout_seconds: float = Field(default=2, gt=0)
    """Time to reach the model server; it is near, or it is down."""

    max_upload_mib: float = Field(default=20, gt=0)
    """Largest picture; not above what the model server takes."""

    max_in_flight: int = Field(default=128, ge=1)
    """Most uploads at once; the next one gets 429 before its body is read."""

    max_held_mib: int = Field(default=256, ge=1)
    """Most memory for uploads at once, each held with its base64; over it: 429."""

    max_document_mib: float = Field(default=100, gt=0)
    """Largest document (PDF, TIFF of several pages); above 1 MiB it waits on disk."""

    max_documents: int = Field(default=4, ge=1)
    """Most documents at once; the next one gets 429. Each has a process of its own that takes it apart."""

    max_pages: int = Field(default=500, ge=1)
    """Most pages of a document that are read in one request."""

    max_page_points: float = Field(default=5000, gt=0)
    """Longest side of a PDF page, in points (1/72 inch); 5000 lets A0 in."""

    max_page_megapixels: float = Field(default=40, gt=0)
    """Largest page of a PDF as it is drawn; not above what the model server takes. A3 at 400 dpi has 31."""

    max_pages_held_mib: int = Field(default=128, ge=16)
    """Most memory for pages that are drawn and not yet read, of all documents together; the others wait."""

    document_timeout_seconds: float = Field(default=3600, gt=0, le=86400)
    """Longest time budget of a document; `REQUEST_TIMEOUT_SECONDS` is that of a picture, and of each page."""

    splitter_timeout_seconds: float = Field(default=20, gt=0)
    """Time for opening a document, and for taking out each page; then the page is given up."""

    splitter_kill_mib: int = Field(default=700, ge=100)
    """Resident memory above which a process that takes a document apart is killed, and its page given up."""

    spool_dir: Path | None = None
    """Folder where documents wait; empty: the system's own for temporary files."""

    environment: Literal["production", "test"] = "production"
    """`test` lets `TEST_SPLITTER` in."""

    test_splitter: str | None = None
    """Module of a splitter that misbehaves on purpose; refused in production."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys that clients must show (`Authorization: Bearer KEY`), separated by commas; none: open to all."""

    api_keys_file: Path | None = None
    """File of more keys, one a line; read at start."""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.api_keys_file and not self.api_keys_file.is_file():
            raise ValueError("API_KEYS_FILE is not a file that can be read")
        if (self.api_keys or self.api_keys_file) and not self.keys:
            raise ValueError("API_KEYS_FILE holds no key: that would open the gateway to all")
        if any(len(key) < _SHORTEST_KEY for key in self.keys):
            raise ValueError(f"an API key has fewer than {_SHORTEST_KEY} characters: too easy to guess")
        if self.shutdown_grace_seconds < self.request_timeout_seconds:
            raise ValueError("SHUTDOWN_GRACE_SECONDS must not be below REQUEST_TIMEOUT_SECONDS")
        if self.test_splitter and self.environment != "test":
            raise ValueError("TEST_SPLITTER is for ENVIRONMENT=test only")
        if self.spool_dir and not self.spool_dir.is_dir():
            raise ValueError("SPOOL_DIR is not a folder")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        listed = self.api_keys_file.read_text().splitlines() if self.api_keys_file else []
        return (*(key.get_secret_value() for key in self.api_keys), *filter(None, map(str.strip, listed)))

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mib * MIB)

    @property
    def spool(self) -> Path:
        """As the standard library finds it, but without trying whether anything can be written there."""
        return self.spool_dir or Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - a folder of our own in it

    @property
    def max_document_bytes(self) -> int:
        return int(self.max_document_mib * MIB)

    @property
    def max_body_bytes(self) -> int:
        """The picture or the document, and the multipart around it."""
        return max(self.max_upload_bytes, self.max_document_bytes) + 64 * 1024
