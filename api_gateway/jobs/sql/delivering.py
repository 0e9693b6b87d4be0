"""Webhooks that wait for their delivery. A claimed one is due again when its claim ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, delete, select, update

from api_gateway.jobs.job import Hook, HookKind
from api_gateway.jobs.sql.clock import Now
from api_gateway.jobs.sql.schema import hooks, jobs

_HOOK = (
    "id", "kind", "tenant", "job", "url", "body", "attempt", "created", "claimed", "expires", "owner", "trace",
)  # fmt: skip


def claim_hooks(
    connection: Connection,
    owner: str,
    lease_seconds: float,
    most: int,
    busy_hosts: Sequence[str],
    kind: HookKind,
) -> list[Hook]:
    query = (
        select(hooks.c.id)
        .where(hooks.c.kind == kind, hooks.c.due <= Now(), hooks.c.host.not_in(busy_hosts))
        .order_by(hooks.c.due, hooks.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = connection.scalars(query).all()
    if not ids:
        return []
    taken = {"owner": owner, "due": Now() + lease_seconds}
    connection.execute(update(hooks).where(hooks.c.id.in_(ids)).values(**taken))
    with_jobs = select(hooks, jobs.c.expires, jobs.c.trace, Now().label("claimed")).join(
        jobs, jobs.c.id == hooks.c.job
    )
    rows = connection.execute(with_jobs.where(hooks.c.id.in_(ids)).order_by(hooks.c.created, hooks.c.id))
    return [Hook(**{name: getattr(row, name) for name in _HOOK}) for row in rows]


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
    again = {"attempt": hook.attempt + 1, "due": Now() + seconds, "owner": None}
    connection.execute(update(hooks).where(*mine).values(**again))
