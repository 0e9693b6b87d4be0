"""The settings of jobs and webhooks; `api_gateway/settings.py` adds them to the gateway's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from api_gateway.jobs.job import Quotas
from api_gateway.jobs.webhooks.addresses import Allowed
from api_gateway.jobs.webhooks.signing import secret_faults
from service_kit.settings import HTTP_URL, MIB, ServiceSettings

_DATABASE_URL = re.compile(r"postgres(ql)?://[^\s]+")


class JobSettings(ServiceSettings):
    """Jobs exist if `jobs_dir` or `jobs_database_url` is set."""

    jobs_dir: Path | None = None
    """Folder for jobs, their files and their pages, in a SQLite database; on a local disk, for one gateway. Empty,
    without `JOBS_DATABASE_URL`: there are no jobs."""

    jobs_database_url: SecretStr | None = None
    """PostgreSQL database for jobs that several gateways share: `postgresql://USER:PASSWORD@HOST:PORT/NAME`."""

    jobs_role: Literal["all", "gateway", "worker"] = "all"
    """`gateway`: takes jobs and reads none. `worker`: reads jobs, and serves only health and metrics."""

    jobs_at_once: int = Field(default=4, ge=1, le=64)
    """Maximum jobs that this process reads at once; each document is opened by a process of its own."""

    jobs_lease_seconds: float = Field(default=30, ge=1, le=600)
    """A job whose worker died goes to another worker after this time."""

    jobs_ttl_seconds: float = Field(default=86400, ge=1)
    """How long a job, its file and its pages are kept after its end, if the client asks for no other time."""

    jobs_max_ttl_seconds: float = Field(default=604800, ge=1)
    """Longest time that a client may ask for (`ttl`)."""

    jobs_max_queued: int = Field(default=10_000, ge=1)
    """Maximum queued jobs per API key; over it: 429."""

    jobs_max_running: int = Field(default=64, ge=1)
    """Maximum running jobs per API key; further jobs stay queued."""

    jobs_max_key_mib: float = Field(default=4096, gt=0)
    """Maximum stored files and pages per API key; over it: 429."""

    jobs_max_mib: float = Field(default=8192, gt=0)
    """Maximum stored files and pages of all; over it: 503."""

    jobs_pages_a_minute: int = Field(default=0, ge=0)
    """Maximum pages of jobs that are read per API key and minute; further pages wait. 0: no limit."""

    jobs_max_listeners: int = Field(default=256, ge=1)
    """Maximum clients that wait for events of jobs at once; further clients get 429."""

    jobs_max_files: int = Field(default=100, ge=1, le=1000)
    """Maximum files in one request for jobs."""

    public_url: str = Field(default="", pattern=rf"^$|{HTTP_URL}")
    """The gateway's address for its clients, for links in webhooks and in answers of contracts; empty: those in
    webhooks are paths, the others are as the request's Host says."""

    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Secrets that sign webhooks (`whsec_` and base64 of 24 to 64 bytes), separated by commas; each signs, so that
    a secret can be changed. `NAME:whsec_…` is for the jobs of the API key of that name, which no other secret then
    signs. None: no webhooks."""

    webhook_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts (`hooks.example.com`, `*.example.com`) and networks (`10.0.0.0/8`) to which webhooks may go although
    their addresses are private or their URL begins with http, separated by commas."""

    webhook_timeout_seconds: float = Field(default=15, gt=0, le=60)
    """Maximum time for one attempt to deliver a webhook."""

    jobs_url_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts and networks, as in `WEBHOOK_ALLOW`, from which documents may be fetched (`input_url`) and to which
    results may be put (`result_url`); none: neither."""

    @field_validator("webhook_secrets", "webhook_allow", "jobs_url_allow", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(filter(None, (part.strip() for part in value.split(","))))
        return value

    def job_faults(self) -> Iterator[str]:
        """What is wrong with the settings of jobs."""
        if self.jobs_dir and self.jobs_database_url:
            yield "JOBS_DIR and JOBS_DATABASE_URL are two stores: set one of them"
        if self.jobs_role != "all" and not self.has_jobs:
            yield f"JOBS_ROLE={self.jobs_role} needs JOBS_DATABASE_URL"
        if self.jobs_role != "all" and self.jobs_dir:
            yield f"JOBS_ROLE={self.jobs_role} needs JOBS_DATABASE_URL: JOBS_DIR is for one process"
        if self.jobs_database_url and not _DATABASE_URL.fullmatch(self.jobs_database_url.get_secret_value()):
            yield "JOBS_DATABASE_URL must begin with postgresql://"
        if self.jobs_ttl_seconds > self.jobs_max_ttl_seconds:
            yield "JOBS_TTL_SECONDS must not be above JOBS_MAX_TTL_SECONDS"
        if self.jobs_max_key_mib > self.jobs_max_mib:
            yield "JOBS_MAX_KEY_MIB must not be above JOBS_MAX_MIB"
        yield from (f"WEBHOOK_ALLOW: {fault}" for fault in Allowed.faults(self.webhook_allow))
        yield from (f"JOBS_URL_ALLOW: {fault}" for fault in Allowed.faults(self.jobs_url_allow))
        yield from (f"WEBHOOK_SECRETS: {fault}" for fault in secret_faults(self.webhook_secrets))

    @property
    def has_jobs(self) -> bool:
        return bool(self.jobs_dir or self.jobs_database_url)

    @property
    def quotas(self) -> Quotas:
        return Quotas(
            queued=self.jobs_max_queued,
            running=self.jobs_max_running,
            tenant_bytes=int(self.jobs_max_key_mib * MIB),
            pages_a_minute=self.jobs_pages_a_minute,
            store_bytes=int(self.jobs_max_mib * MIB),
        )
