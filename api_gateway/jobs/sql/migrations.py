"""Versions of the schema. A released migration never changes; a new one is added to the end of the list.

Two versions of the program use one database while a deployment is updated, so a migration only adds: tables,
indexes, columns with a default or without NOT NULL. One that an earlier program cannot live with sets `least`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, inspect, select

from api_gateway.jobs.sql.accounts import upsert
from api_gateway.jobs.sql.clock import MIGRATION, lock
from api_gateway.jobs.sql.schema import meta
from service_kit.server import StartFailed

_TYPES = {
    "sqlite": {"BYTES": "BLOB", "DOUBLE": "DOUBLE"},
    "postgresql": {"BYTES": "BYTEA", "DOUBLE": "DOUBLE PRECISION"},
}


@dataclass(frozen=True, slots=True)
class Migration:
    """Statements with {BYTES} and {DOUBLE} for the types that differ; `postgresql` are for that database alone."""

    statements: tuple[str, ...]
    postgresql: tuple[str, ...] = ()
    least: int = 1  # the least schema version that a program must know to use the database from here on


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        (
            """CREATE TABLE jobs (
                id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, batch TEXT, idempotency_key TEXT,
                fingerprint TEXT NOT NULL, state TEXT NOT NULL, turn BIGINT NOT NULL, options TEXT NOT NULL,
                kind TEXT NOT NULL, size BIGINT NOT NULL, password TEXT, dpi {DOUBLE}, bytes BIGINT NOT NULL,
                page_count INTEGER, pages_total INTEGER, pages_done INTEGER NOT NULL,
                pages_failed INTEGER NOT NULL, not_before {DOUBLE} NOT NULL, claim_number INTEGER NOT NULL,
                owner TEXT, lease_until {DOUBLE}, progress BOOLEAN NOT NULL, begun INTEGER,
                suspects TEXT NOT NULL, careful BOOLEAN NOT NULL, attempts INTEGER NOT NULL,
                blanks INTEGER NOT NULL, code TEXT, detail TEXT, webhook_url TEXT, webhook_state TEXT,
                result_url TEXT, result_state TEXT, ttl_seconds {DOUBLE} NOT NULL, created {DOUBLE} NOT NULL,
                started {DOUBLE}, finished {DOUBLE}, expires {DOUBLE},
                CONSTRAINT jobs_idempotency UNIQUE (tenant, idempotency_key)
            )""",
            "CREATE INDEX jobs_turn ON jobs (turn, created, id, tenant, not_before) WHERE state = 'queued'",
            "CREATE INDEX jobs_own_turn ON jobs (tenant, turn) WHERE state = 'queued'",
            "CREATE INDEX jobs_running ON jobs (tenant, lease_until) WHERE state = 'running'",
            "CREATE INDEX jobs_newest ON jobs (tenant, created, id)",
            "CREATE INDEX jobs_expiry ON jobs (expires) WHERE expires IS NOT NULL",
            """CREATE TABLE pages (
                job TEXT NOT NULL, number INTEGER NOT NULL, failed BOOLEAN NOT NULL, line {BYTES} NOT NULL,
                CONSTRAINT pages_pkey PRIMARY KEY (job, number)
            )""",
            """CREATE TABLE inputs (
                job TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, created {DOUBLE} NOT NULL,
                piece {BYTES} NOT NULL, CONSTRAINT inputs_pkey PRIMARY KEY (job, number)
            )""",
            """CREATE TABLE hooks (
                id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, job TEXT NOT NULL, tenant TEXT NOT NULL,
                url TEXT NOT NULL,
                host TEXT NOT NULL, body {BYTES} NOT NULL, attempt INTEGER NOT NULL, due {DOUBLE} NOT NULL,
                owner TEXT, created {DOUBLE} NOT NULL
            )""",
            "CREATE INDEX hooks_job ON hooks (job)",
            "CREATE INDEX hooks_due ON hooks (due)",
            """CREATE TABLE usage (
                tenant TEXT NOT NULL, minute BIGINT NOT NULL, shard INTEGER NOT NULL, pages INTEGER NOT NULL,
                CONSTRAINT usage_pkey PRIMARY KEY (tenant, minute, shard)
            )""",
            """CREATE TABLE stored (
                tenant TEXT NOT NULL, shard INTEGER NOT NULL, bytes BIGINT NOT NULL,
                CONSTRAINT stored_pkey PRIMARY KEY (tenant, shard)
            )""",
        ),
        postgresql=(
            # Files and pages are compressed already.
            "ALTER TABLE inputs ALTER COLUMN piece SET STORAGE EXTERNAL",
            "ALTER TABLE pages ALTER COLUMN line SET STORAGE EXTERNAL",
            # Rows of these are updated all the time.
            "ALTER TABLE jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)",
            "ALTER TABLE stored SET (fillfactor = 20)",
            "ALTER TABLE usage SET (fillfactor = 20)",
        ),
    ),
    Migration(("ALTER TABLE jobs ADD COLUMN trace TEXT",)),
)


def migrate(connection: Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    """Bring the schema to this program's version, and give the version that the database has then.

    A newer schema stays as it is.

    Raises:
        StartFailed: the schema is newer, and this program cannot use it.
    """
    lock(connection, MIGRATION)
    found, least = _version(connection)
    if least > len(migrations):
        raise StartFailed(
            f"the database of jobs has schema {found}, which needs a newer version of this program "
            f"(it knows schema {len(migrations)})"
        )
    for migration in migrations[found:]:
        types = _TYPES[connection.dialect.name]
        own = migration.postgresql if connection.dialect.name == "postgresql" else ()
        for statement in (*migration.statements, *own):
            connection.exec_driver_sql(statement.format(**types))
    if found < len(migrations):
        least = max(migration.least for migration in migrations)
        for name, value in (("schema", len(migrations)), ("least", least)):
            upsert(connection, meta, {"name": name}, {"value": value}, add=False)
    return max(found, len(migrations))


def _version(connection: Connection) -> tuple[int, int]:
    """The version of the schema, 0 in an empty database, and the least version that a program must know."""
    if not inspect(connection).has_table(meta.name):
        connection.exec_driver_sql("CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL)")
    found = {row.name: row.value for row in connection.execute(select(meta))}
    return found.get("schema", 0), found.get("least", 0)
