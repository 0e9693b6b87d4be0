"""Webhooks that wait for their delivery. A claimed one is due again when its claim ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, delete, select, update

from api_gateway.jobs.job import Hook
from api_gateway.jobs.sql.clock import now
from api_gateway.jobs.sql.schema import hooks, jobs


def claim_hooks(
    connection: Connection, owner: str, lease_seconds: float, most: int, busy_hosts: Sequence[str]
) -> list[Hook]:
    at = now(connection)
    query = (
        select(hooks)
        .where(hooks.c.due <= at, hooks.c.host.not_in(busy_hosts))
        .order_by(hooks.c.due, hooks.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    taken = {"owner": owner, "due": at + lease_seconds}
    connection.execute(update(hooks).where(hooks.c.id.in_([row.id for row in rows])).values(**taken))
    expiries = select(jobs.c.id, jobs.c.expires).where(jobs.c.id.in_([row.job for row in rows]))
    expires = {row.id: row.expires for row in connection.execute(expiries)}
    return [
        Hook(
            id=row.id,
            kind=row.kind,
            tenant=row.tenant,
            job=row.job,
            url=row.url,
            body=row.body,
            attempt=row.attempt,
            created=row.created,
            claimed=at,
            expires=expires[row.job],
            owner=owner,
        )
        for row in rows
        if row.job in expires  # it may have been removed since
    ]


def hook_done(connection: Connection, hook: Hook, outcome: Literal["delivered", "failed"]) -> None:
    """A delivery counts whoever made it; a failure counts only if nobody has claimed the hook since."""
    gone = delete(hooks).where(hooks.c.id == hook.id)
    if outcome == "failed":
        gone = gone.where(hooks.c.owner == hook.owner, hooks.c.attempt == hook.attempt)
    if connection.execute(gone).rowcount:
        ended = {f"{hook.kind}_state": outcome}
        connection.execute(update(jobs).where(jobs.c.id == hook.job).values(**ended))


def hook_later(connection: Connection, hook: Hook, seconds: float) -> None:
    mine = hooks.c.id == hook.id, hooks.c.owner == hook.owner, hooks.c.attempt == hook.attempt
    again = {"attempt": hook.attempt + 1, "due": now(connection) + seconds, "owner": None}
    connection.execute(update(hooks).where(*mine).values(**again))
