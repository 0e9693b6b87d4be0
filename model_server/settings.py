"""The model server's settings: each limit with its unit, its default and its reason."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from model_server.cpus import allowed_cpus
from service_kit.followed import fault_of
from service_kit.page import EngineName
from service_kit.settings import MIB, ServiceSettings
from service_kit.tls import PemFile, TlsFiles, listening_context

BODY_FACTOR = 2.5  # memory per byte of body: the body, and the pictures decoded from its base64
MESSAGE_FACTOR = 3  # memory per byte of a message while gRPC receives it: its pieces, and two copies of them all
_PROGRAM_MIB = 200  # the parent process without bodies, and with the parts of a page that it passes on
_NEURAL_MIB = 384  # the neural engine in a worker, when it has read pages and lines of all sizes
_LEAST_PAGES_MIB = 256  # the rest of a worker: enough for a page of some megapixels
_LEAST_KILL_MIB = 128  # a worker without the neural engine uses 60 before its first page
_LARGEST_KILL_MIB = 1500
_LARGEST_RECYCLE_MIB = 600

Language = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?$")]


class ModelServerSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="MODEL_SERVER_")

    port: int = Field(default=8080, ge=1, le=65535)
    """Port to listen on."""

    grpc_port: int = Field(default=8081, ge=0, le=65535)
    """Port for docling's gRPC, on `HOST` and with `PORT`'s TLS; it serves ModelInfer, ModelReady, ServerReady and
    ServerLive. 0: none."""

    request_timeout_seconds: float = Field(default=60, gt=0, le=3600)
    """Maximum time for a request; a client may set a shorter time with `X-Request-Timeout` or gRPC's deadline. 60
    is docling's own: it waits until then, and never tries again."""

    shutdown_grace_seconds: float = Field(default=65, gt=0)
    """Time for requests in flight to finish after new connections are refused; at least
    `REQUEST_TIMEOUT_SECONDS`."""

    probe_port: int = Field(default=0, ge=0, le=65535)
    """Second port, always plain HTTP, with `/v1/models/{name}`, `/v2/health/live`, `/v2/health/ready` and
    `/metrics` alone, for probes and Prometheus when `PORT` asks for client certificates; 0: none."""

    tls_cert_file: Path | None = None
    """PEM file with the server's certificate, which makes `PORT` speak TLS; empty: plain HTTP. All three files are
    read again within seconds when they change."""

    tls_key_file: Path | None = None
    """PEM file with the key of that certificate."""

    tls_client_ca_file: Path | None = None
    """PEM file of the authorities that may issue clients' certificates; `PORT` then refuses callers without one.
    Empty: no certificate is asked for."""

    model_name: str = Field(default="ocr-model", pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """Name in the URLs of the KServe protocols."""

    engine: EngineName = "auto"
    """Engine for requests that name none: `auto`, `tesseract` or `neural`."""

    tesseract: Literal["tesserocr", "pytesseract"] = "tesserocr"
    """`tesserocr`: Tesseract as a library, initialised once. `pytesseract`: the installed `tesseract` program."""

    neural: bool = True
    """Load the neural engine, which takes 384 MiB of memory in each worker. Without it, `auto` is Tesseract, and
    no page is turned."""

    languages: Annotated[tuple[Language, ...], NoDecode] = ()
    """Languages that clients may request, separated by commas; empty: all installed languages."""

    tessdata_dir: Path | None = None
    """Folder with `*.traineddata`; empty: the data of the Python packages, or of the `tesseract` program."""

    workers: int = Field(default=0, ge=0, le=256)
    """Worker processes, each reads one page at a time; 0: one per CPU, as far as each gets 640 MiB of memory, 256
    without the neural engine."""

    max_megapixels: float = Field(default=50, gt=0)
    """Maximum image size, checked in its header before decoding. 50 allows 48-megapixel phone photographs."""

    max_image_mib: float = Field(default=20, gt=0)
    """Maximum size of an image file."""

    max_instances: int = Field(default=8, ge=1)
    """Maximum images per call."""

    max_queue: int = Field(default=1024, ge=1)
    """Maximum pages that wait for a worker. Calls that would miss their deadline get 429 before that."""

    max_bodies_mib: int = Field(default=120, ge=1)
    """Memory for request bodies in flight, 2.5 times the size of each, of docling's tensors their size; further
    calls wait, with their body unread. A call of tensors may have half of it, 60 MiB are 20 megapixels, and a
    quarter over gRPC, which copies."""

    tmp_mib: int = Field(default=0, ge=0)
    """Size of a memory-backed /tmp in MiB, which counts towards `MEMORY_MIB`."""

    worker_max_pages: int = Field(default=2000, ge=1)
    """Pages after which a worker is replaced, which limits memory leaks."""

    worker_recycle_mib: int = Field(default=0, ge=0)
    """Resident memory above which a worker is replaced after its page; 0: half of what `WORKER_KILL_MIB` leaves
    beside the neural engine, and the neural engine; at most 600 of it unless `MEMORY_MIB` is given."""

    worker_kill_mib: int = Field(default=0, ge=0)
    """Resident memory above which a worker is killed immediately, before the kernel kills the whole container;
    0: its share of the memory; at most 1500 unless `MEMORY_MIB` is given."""

    environment: Literal["production", "test"] = "production"
    """`test` allows `TEST_ENGINE` and `TEST_NEURAL`."""

    test_engine: str | None = None
    """`module:Class` of an engine that fails on purpose, for tests; refused in production."""

    test_neural: str | None = None
    """The same in the place of the neural engine."""

    @field_validator("languages", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        """What is wrong; the chart says the same, in the same words, of values from which such settings follow."""
        if (self.test_engine or self.test_neural) and self.environment != "test":
            yield "TEST_ENGINE and TEST_NEURAL are for ENVIRONMENT=test only"
        yield from self.common_faults()
        yield from self._port_faults()
        if self.engine == "neural" and not self.neural:
            yield "ENGINE=neural needs NEURAL=true"
        if self.max_bodies_mib * MIB < BODY_FACTOR * self.max_body_bytes:
            least = math.ceil(BODY_FACTOR * self.max_body_bytes / MIB)
            yield (
                f"MAX_BODIES_MIB={self.max_bodies_mib} is less than {least}, "
                f"{BODY_FACTOR} times a call with one picture of MAX_IMAGE_MIB"
            )
        yield from self._memory_faults()

    def _memory_faults(self) -> Iterator[str]:
        parent = (
            f"{_PROGRAM_MIB} MiB for the program, MAX_BODIES_MIB={self.max_bodies_mib}, TMP_MIB={self.tmp_mib}"
        )
        if not self.worker_kill_mib and self.kill_mib < self._least_worker_mib:
            saving = f", of which NEURAL=false saves {self._neural_mib}" if self.neural else ""
            yield (
                f"MEMORY_MIB={self.container_mib} leaves {self.kill_mib} MiB to each of {self.worker_count} "
                f"WORKERS after {parent}, and each needs {self._least_worker_mib}{saving}"
            )
            return
        if sum(self.memory_rows().values()) > self.container_mib:
            yield (
                f"MEMORY_MIB={self.container_mib} is less than the sum of {parent} "
                f"and {self.worker_count} WORKERS of WORKER_KILL_MIB={self.kill_mib}"
            )
        if self.kill_mib < (least := self._neural_mib + _LEAST_KILL_MIB):
            yield f"WORKER_KILL_MIB={self.kill_mib} is less than {least}, which a worker needs"
        elif self.kill_mib < self.recycle_mib:
            yield f"WORKER_KILL_MIB={self.kill_mib} must not be below WORKER_RECYCLE_MIB={self.recycle_mib}"

    def _port_faults(self) -> Iterator[str]:
        if self.probe_port == self.port:
            yield "PROBE_PORT must not be PORT"
        if self.grpc_port and self.grpc_port in (self.port, self.probe_port):
            yield "GRPC_PORT must be neither PORT nor PROBE_PORT"
        if self.tls_client_ca_file and not (self.tls_cert_file or self.tls_key_file):
            yield "TLS_CLIENT_CA_FILE needs TLS_CERT_FILE and TLS_KEY_FILE"
        yield from fault_of(lambda: listening_context(self.tls_files))

    @property
    def tls_files(self) -> TlsFiles:
        return TlsFiles(
            PemFile("TLS_CERT_FILE", self.tls_cert_file),
            PemFile("TLS_KEY_FILE", self.tls_key_file),
            PemFile("TLS_CLIENT_CA_FILE", self.tls_client_ca_file),
        )

    @cached_property
    def worker_count(self) -> int:
        if self.workers:
            return self.workers
        return max(1, min(allowed_cpus(), self._workers_mib // (self.worker_kill_mib or self._least_worker_mib)))

    @property
    def kill_mib(self) -> int:
        """`worker_kill_mib`, or a default derived from the memory."""
        share = self._workers_mib // self.worker_count
        return self.worker_kill_mib or (share if self.memory_mib else min(_LARGEST_KILL_MIB, share))

    @property
    def recycle_mib(self) -> int:
        """`worker_recycle_mib`, or a default derived from `kill_mib`."""
        own = self._neural_mib
        half = (self.kill_mib - own) // 2
        return self.worker_recycle_mib or own + (half if self.memory_mib else min(_LARGEST_RECYCLE_MIB, half))

    def memory_rows(self) -> dict[str, int]:
        """MiB of each part of the container's memory."""
        return {**self._parent_rows(), "WORKERS x WORKER_KILL_MIB": self.worker_count * self.kill_mib}

    def _parent_rows(self) -> dict[str, int]:
        return {"program": _PROGRAM_MIB, "MAX_BODIES_MIB": self.max_bodies_mib, "TMP_MIB": self.tmp_mib}

    @property
    def _neural_mib(self) -> int:
        return _NEURAL_MIB if self.neural else 0

    @property
    def _least_worker_mib(self) -> int:
        return self._neural_mib + _LEAST_PAGES_MIB

    @property
    def _workers_mib(self) -> int:
        return max(0, self.container_mib - sum(self._parent_rows().values()))

    @property
    def max_pixels(self) -> int:
        return int(self.max_megapixels * 1_000_000)

    @property
    def max_image_bytes(self) -> int:
        return int(self.max_image_mib * MIB)

    @property
    def max_body_bytes(self) -> int:
        """One image of maximum size in base64, and 64 KiB of JSON."""
        return self.max_image_bytes * 4 // 3 + 64 * 1024

    @property
    def max_tensor_bytes(self) -> int:
        """A call with the pixels of the largest image; at most half of the memory for bodies, so that two fit."""
        return min(3 * self.max_pixels + 64 * 1024, self.max_bodies_mib * MIB // 2)

    @property
    def max_message_bytes(self) -> int:
        """The same in one message of gRPC, which takes `MESSAGE_FACTOR` times its size while it arrives."""
        return min(self.max_tensor_bytes, self.max_bodies_mib * MIB // (MESSAGE_FACTOR + 1))

    @property
    def tessdata(self) -> Path | None:
        """The folder with language data; None: the program's own."""
        if self.tessdata_dir or self.tesseract == "pytesseract":
            return self.tessdata_dir
        return Path(sys.prefix) / "share" / "tessdata"
