"""What must hold at the end of a run. Each check yields the violations of one promise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from api_gateway.jobs.sql.schema import hooks, inputs, jobs, pages, stored
from scripts.chaos.killer import Disturbance
from scripts.chaos.plan import Handed
from tests.faults import rows
from tests.faults.fleet import Fleet
from tests.faults.numbered import said
from tests.faults.receiver import Receiver

_STORED_SECONDS = 2.0  # from the end of a page's reading until its row is on disk, on a busy machine
_OF_JOBS = (jobs, pages, inputs, hooks)


def webhooks(handed: Sequence[Handed], receiver: Receiver) -> Iterator[str]:
    for one in handed:
        deliveries = receiver.of(one.job)
        if not receiver.arrived(one.job):
            yield f"a webhook arrives at least once: {one.job} has {len(deliveries)} attempts without success"
        if len({delivery.id for delivery in deliveries}) > 1:
            yield f"one webhook-id per job: {one.job} has {sorted({delivery.id for delivery in deliveries})}"
        for delivery in deliveries:
            if not delivery.sound:
                yield f"webhooks are signed: {one.job}, {delivery.id}"
            if delivery.body["data"]["status"] != one.status:
                yield f"a webhook says the final state: {one.job} is {one.status}, not {delivery.body}"


def read_again(
    handed: Sequence[Handed], begun: Sequence[tuple[str, float]], disturbances: Sequence[Disturbance]
) -> tuple[int, list[str]]:
    """The number of readings beyond one per page, and those that no disturbance explains."""
    times: dict[str, list[float]] = defaultdict(list)
    for text, when in begun:
        times[text].append(when)
    again, broken = 0, []
    for one in handed:
        for page in range(1, one.pages + 1):
            found = times[said(one.number, page)]
            again += max(0, len(found) - 1)
            for when in found[:-1]:
                kept = when + one.seconds + _STORED_SECONDS
                if not any(each.began <= kept and when <= each.ended + _STORED_SECONDS for each in disturbances):
                    broken.append(
                        f"only pages in flight at a kill are read again: {one.job} page {page}, begun at {found}"
                    )
                    break
    return again, broken


def left_over(fleet: Fleet) -> list[str]:
    """Rows and files that no job owns any more."""
    found = [f"nothing is left after expiry: {what}" for what in rows.read(fleet, _counted)]
    for member in (*fleet.gateways, *fleet.workers):
        files = [path for path in member.temporary.rglob("*") if path.is_file()]
        if files:
            found.append(f"nothing is left after expiry: {len(files)} files of {member.name}, as {files[0]}")
    return list(dict.fromkeys(found))


def _counted(connection: Connection) -> list[str]:
    counts = {table.name: connection.scalar(select(func.count()).select_from(table)) for table in _OF_JOBS}
    found = [f"{count} rows in {name}" for name, count in counts.items() if count]
    if size := connection.scalar(select(func.coalesce(func.sum(stored.c.bytes), 0))):
        found.append(f"{size} bytes counted")
    return found


def logs(fleet: Fleet) -> Iterator[str]:
    """Tracebacks, and processes that ended by themselves."""
    for member in fleet.members:
        for line in member.lines():
            if "exception" in line:
                last = str(line["exception"]).strip().rpartition("\n")[2]
                yield f"no error is unforeseen: {member.name}: {line['event']}: {last}"
