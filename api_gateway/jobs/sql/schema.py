"""The tables as this version of the program uses them. `migrations.py` creates them, with their indexes.

Times are seconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

tables = MetaData()

jobs = Table(
    "jobs",
    tables,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("batch", Text),
    Column("idempotency_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("options", Text, nullable=False),  # JSON of the order
    Column("kind", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("password", Text),
    Column("dpi", Double),
    Column("bytes", BigInteger, nullable=False),  # of its pieces and pages as they are stored
    Column("page_count", Integer),
    Column("pages_total", Integer),
    Column("pages_done", Integer, nullable=False),
    Column("pages_failed", Integer, nullable=False),
    Column("not_before", Double, nullable=False),  # a queued job that was let go waits until then
    Column("claim_number", Integer, nullable=False),
    Column("owner", Text),
    Column("lease_until", Double),
    Column("progress", Boolean, nullable=False),  # the present claim has stored a page
    Column("begun", Integer),  # the page that a careful worker is reading
    Column("suspects", Text, nullable=False),  # JSON: how many lost claims had begun a page, by its number
    Column("careful", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("blanks", Integer, nullable=False),  # lost claims since the last page, with no page noted or stored
    Column("code", Text),
    Column("detail", Text),
    Column("webhook_url", Text),
    Column("webhook_state", Text),
    Column("result_url", Text),
    Column("result_state", Text),
    Column("ttl_seconds", Double, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    Column("expires", Double),
    Column("trace", Text),  # W3C traceparent of the request that handed it in
    UniqueConstraint("tenant", "idempotency_key", name="jobs_idempotency"),
)

pages = Table(
    "pages",
    tables,
    Column("job", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("line", LargeBinary, nullable=False),  # NDJSON, compressed by zlib
    PrimaryKeyConstraint("job", "number", name="pages_pkey"),
)

inputs = Table(
    "inputs",
    tables,
    Column("job", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Column("piece", LargeBinary, nullable=False),
    PrimaryKeyConstraint("job", "number", name="inputs_pkey"),
)

hooks = Table(
    "hooks",
    tables,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("job", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("due", Double, nullable=False),  # while it is claimed: when the claim ends
    Column("owner", Text),
    Column("created", Double, nullable=False),
)

usage = Table(
    "usage",
    tables,
    Column("tenant", Text, nullable=False),
    Column("minute", BigInteger, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "minute", "shard", name="usage_pkey"),
)

stored = Table(
    "stored",
    tables,
    Column("tenant", Text, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant", "shard", name="stored_pkey"),
)
"""Bytes of pieces and pages. Those of a job are in the shard of its id, so that pages of different jobs seldom
wait for each other; pieces whose job is not submitted yet belong to the tenant `accounts.NOBODY`."""

meta = Table("meta", tables, Column("name", Text, primary_key=True), Column("value", Integer, nullable=False))
