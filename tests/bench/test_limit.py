"""The limit: every picture of the list is read once, whoever reads it, and with the text that was drawn."""

from __future__ import annotations

from bench import limit
from bench.workloads import workload


def test_every_number_is_read_once() -> None:
    work = workload("label")
    picks = work.picks(11)
    result = limit.run([image.grey for image in work.images], picks, 2)
    assert [reading.number for reading in result.readings] == list(range(11))
    for reading in result.readings:
        assert reading.text.split() == work.images[picks[reading.number]].text.split()
    assert result.wall_seconds > 0
    assert result.cpu_seconds > 0
