"""The gateway's settings: each limit with its unit, its default and the reason for it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from api_gateway.contracts.table import CONTRACTS
from api_gateway.contracts.table import Name as ContractName
from api_gateway.jobs.settings import JobSettings
from api_gateway.keys import ApiKey, read_keys, stripped
from service_kit.followed import Unusable, fault_of
from service_kit.settings import HTTP_URL, MIB
from service_kit.tls import PemFile, TlsFiles, calling_context
from service_kit.tracing import wanted

UPLOAD_COPIES = 2.5  # the picture, its base64, and the part of it that is being sent
_FORM_BYTES = 64 * 1024  # the multipart around a file
_PROGRAM_MIB = 48  # what the idle gateway uses
_JOBS_MIB = 32  # what the store of jobs adds to it
_TRACES_MIB = 12  # what traces add: the SDK, and a queue full of spans
_PROGRAM_EIGHTHS = 1
_CHILDREN_EIGHTHS = 4
_EIGHTHS = {"max_held_mib": 2, "max_pages_held_mib": 1, "splitter_kill_mib": 3}


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise Unusable(f"PROXIES: {text} is not a network") from None


def memory_shares(memory_mib: int) -> dict[str, int]:
    """Each setting's share of the container's memory, in MiB."""
    return {name: memory_mib * eighths // 8 for name, eighths in _EIGHTHS.items()}


class GatewaySettings(JobSettings):
    """A memory setting that is not given is its share of `memory_mib`.

    If that is not given either, it is its share of the memory that is found, and at most its default.
    """

    model_config = SettingsConfigDict(env_prefix="API_GATEWAY_")

    port: int = Field(default=8001, ge=1, le=65535)
    """Port to listen on."""

    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port for `/metrics` alone, which then is not on `PORT`; 0: `/metrics` is on `PORT`."""

    model_server_url: str = Field(default="http://127.0.0.1:8080", pattern=HTTP_URL)
    """Where the model server is."""

    model_server_ca_file: Path | None = None
    """PEM file of the authorities that may issue the model server's certificate, with an https URL; empty: the
    system's."""

    model_server_cert_file: Path | None = None
    """PEM file with the gateway's certificate, if the model server asks for one. All three files are read again
    within seconds when they change."""

    model_server_key_file: Path | None = None
    """PEM file with the key of that certificate."""

    model_name: str = Field(default="ocr-model", pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    """The model's name there."""

    connect_timeout_seconds: float = Field(default=2, gt=0)
    """Time to reach the model server; it is near, or it is down."""

    wait_for_model_seconds: float = Field(default=0, ge=0)
    """Longest time that a picture waits if no model server can be reached, because it is scaled from zero; then it
    gets 503. 0: it gets 503 at once. Pages of documents wait at least two minutes."""

    tmp_mib: int = Field(default=0, ge=0)
    """Size of a memory-backed /tmp in MiB, which counts towards the program's part of `MEMORY_MIB`."""

    max_upload_mib: float = Field(default=20, gt=0)
    """Largest picture; not above what the model server takes."""

    max_in_flight: int = Field(default=128, ge=1)
    """Maximum concurrent uploads. Further uploads get 429 before their body is read."""

    max_held_mib: int = Field(default=256, ge=1)
    """Memory for concurrent uploads, 2.5 times the size of each; over it: 429."""

    max_document_mib: float = Field(default=100, gt=0)
    """Largest document (PDF, TIFF of several pages); above 1 MiB it is kept on disk."""

    max_documents: int = Field(default=4, ge=1)
    """Maximum concurrent documents; further documents get 429. Each is opened by a process of its own."""

    max_pages: int = Field(default=500, ge=1)
    """Maximum pages of a document that are read in one request."""

    max_page_points: float = Field(default=5000, gt=0)
    """Longest side of a PDF page, in points (1/72 inch); 5000 is enough for A0."""

    max_page_megapixels: float = Field(default=40, gt=0)
    """Largest page image of a PDF; not above what the model server takes. A3 at 400 dpi has 31. A larger page is
    drawn with fewer dpi, at least 100, if the client asked for none."""

    max_pages_held_mib: int = Field(default=128, ge=16)
    """Memory for pages that are taken out and not yet read, of all documents together; further pages wait."""

    max_disk_mib: int = Field(default=960, ge=1)
    """Disk space for documents, their pages and composed PDFs, all together, in `SPOOL_DIR`; over it: 503."""

    document_timeout_seconds: float = Field(default=3600, gt=0, le=86400)
    """Longest time budget of a document; `REQUEST_TIMEOUT_SECONDS` is that of a picture, and of each page."""

    document_grace_seconds: float = Field(default=120, ge=0, le=86400)
    """Time for documents in flight to finish after the listener is closed; `SHUTDOWN_GRACE_SECONDS` is that of
    pictures."""

    splitter_timeout_seconds: float = Field(default=20, gt=0)
    """Time for opening a document, and for taking out each page; a page that takes longer is skipped."""

    splitter_kill_mib: int = Field(default=700, ge=100)
    """Resident memory above which a process that opens or composes a document is killed."""

    spool_dir: Path | None = None
    """Folder where documents are kept; empty: the system's folder for temporary files."""

    contracts: Annotated[tuple[ContractName, ...], NoDecode] = tuple(CONTRACTS)
    """Interfaces of other services that are offered (docs/applications.md), separated by commas; empty: none."""

    page: bool = True
    """Whether `/` is a page for people (docs/page.md); `false`: it is 404."""

    proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Networks of reverse proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` count, separated by commas, for
    absolute links if `PUBLIC_URL` is empty."""

    environment: Literal["production", "test"] = "production"
    """`test` allows `TEST_SPLITTER`."""

    test_splitter: str | None = None
    """Module of a splitter that misbehaves on purpose; refused in production."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys that clients must send (`Authorization: Bearer KEY`), separated by commas; none: no key is needed. In
    `NAME:KEY` the key has a name, to which its jobs belong, so that they outlast a change of the key."""

    api_keys_file: Path | None = None
    """File with further keys, also as `NAME:KEY`, one per line; read at start, and again within seconds when it
    changes. If the new file is not valid, the keys before it stay."""

    @field_validator("api_keys", "contracts", "proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(stripped(value.split(",")))
        return value

    @model_validator(mode="after")
    def _derive(self) -> Self:
        for name, share in memory_shares(self.container_mib).items():
            if name not in self.model_fields_set:
                object.__setattr__(self, name, share if self.memory_mib else min(getattr(self, name), share))
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        """What is wrong; the chart says the same, in the same words, of values from which such settings follow."""
        yield from fault_of(lambda: self.keys)
        yield from self._tls_faults()
        yield from self.common_faults()
        yield from self.job_faults()
        if self.wait_for_model_seconds >= self.request_timeout_seconds:
            yield "WAIT_FOR_MODEL_SECONDS must be below REQUEST_TIMEOUT_SECONDS"
        if self.metrics_port == self.port:
            yield "METRICS_PORT must not be PORT"
        if self.test_splitter and self.environment != "test":
            yield "TEST_SPLITTER is for ENVIRONMENT=test only"
        if self.spool_dir and not self.spool_dir.is_dir():
            yield "SPOOL_DIR is not a folder"
        if self.max_disk_mib < self.max_document_mib:
            yield f"MAX_DISK_MIB={self.max_disk_mib} is less than MAX_DOCUMENT_MIB={self.max_document_mib:g}"
        yield from fault_of(lambda: self.proxy_networks)
        yield from self._memory_faults()

    def _memory_faults(self) -> Iterator[str]:
        rows = self.memory_rows()
        parts = {"jobs": _JOBS_MIB if self.has_jobs else 0, "traces": _TRACES_MIB if wanted(os.environ) else 0}
        needed = _PROGRAM_MIB + self.tmp_mib + sum(parts.values())
        more = "".join(f" and {name}" for name, mib in parts.items() if mib)
        if rows["program"] < needed:
            yield (
                f"MEMORY_MIB={self.container_mib} is too little: an eighth of it is for the program, which needs "
                f"{needed} MiB with TMP_MIB={self.tmp_mib}{more}"
            )
        if sum(rows.values()) > self.container_mib:
            yield (
                f"MEMORY_MIB={self.container_mib} is less than the sum of {rows['program']} MiB for the program, "
                f"MAX_HELD_MIB={rows['uploads']}, MAX_PAGES_HELD_MIB={rows['pages']} and {rows['children']} MiB "
                "for child processes"
            )
        if self.splitter_kill_mib > self.children_mib:
            yield (
                f"SPLITTER_KILL_MIB={self.splitter_kill_mib} is more than all child processes together may have, "
                f"{self.children_mib} MiB or half of MEMORY_MIB"
            )
        picture = math.ceil((self.max_upload_bytes + _FORM_BYTES) * UPLOAD_COPIES / MIB)
        if self.max_held_mib < picture:
            yield (
                f"MAX_HELD_MIB={self.max_held_mib} is less than the largest picture needs, {picture} MiB or "
                f"{UPLOAD_COPIES} times MAX_UPLOAD_MIB and its form"
            )

    def _tls_faults(self) -> Iterator[str]:
        files = self.model_server_files
        if any(files.paths):
            yield from fault_of(lambda: calling_context(files))
            if not self.model_server_url.startswith("https:"):
                names = ", ".join(file.setting for file in files if file.path)
                yield f"MODEL_SERVER_URL must begin with https:// for {names}"

    def memory_rows(self) -> dict[str, int]:
        """The table of the container's memory, in MiB: each part and the limit that is enforced on it."""
        return {
            "program": self.container_mib * _PROGRAM_EIGHTHS // 8,
            "uploads": self.max_held_mib,
            "pages": self.max_pages_held_mib,
            "children": self.children_mib,
        }

    @property
    def children_mib(self) -> int:
        """Maximum resident memory of all child processes together; above it the largest one is killed."""
        return self.container_mib * _CHILDREN_EIGHTHS // 8

    @property
    def grace_seconds(self) -> float:
        """Time from closing the listener until the remaining requests are ended."""
        return max(self.shutdown_grace_seconds, self.document_grace_seconds)

    @property
    def keys(self) -> tuple[ApiKey, ...]:
        """The keys of both settings; reads the file.

        Raises:
            Unusable.
        """
        return read_keys((key.get_secret_value() for key in self.api_keys), self.api_keys_file)

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Those of `proxies`.

        Raises:
            Unusable.
        """
        return tuple(map(_network, self.proxies))

    @property
    def model_server_files(self) -> TlsFiles:
        return TlsFiles(
            PemFile("MODEL_SERVER_CERT_FILE", self.model_server_cert_file),
            PemFile("MODEL_SERVER_KEY_FILE", self.model_server_key_file),
            PemFile("MODEL_SERVER_CA_FILE", self.model_server_ca_file),
        )

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mib * MIB)

    @property
    def spool(self) -> Path:
        """The standard library's choice, but without a trial write."""
        return self.spool_dir or Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - a folder of our own in it

    @property
    def max_document_bytes(self) -> int:
        return int(self.max_document_mib * MIB)

    @property
    def max_jobs_bytes(self) -> int:
        """The body of a request for jobs: the most files, as far as one API key may store them."""
        files = min(self.jobs_max_files * self.max_body_bytes, self.quotas.tenant_bytes)
        return max(self.max_body_bytes, files + self.jobs_max_files * _FORM_BYTES)

    @property
    def max_body_bytes(self) -> int:
        """The largest picture or document, and the multipart around it."""
        return max(self.max_upload_bytes, self.max_document_bytes) + _FORM_BYTES

    @property
    def max_base64_bytes(self) -> int:
        """The body of a contract's request, in which the file may be base64; the file has the same limits."""
        return self.max_body_bytes * 4 // 3 + _FORM_BYTES
