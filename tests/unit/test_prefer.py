"""The header Prefer (RFC 7240): lists, parameters, quoted strings, case."""

from __future__ import annotations

import pytest

from api_gateway.jobs.prefer import prefers_async


@pytest.mark.parametrize(
    "values",
    [
        ["respond-async"],
        ["Respond-ASYNC"],
        ["respond-async; wait=10"],
        ["respond-async;wait"],
        ["wait=100, respond-async"],
        ["  ,, respond-async ,"],
        ["return=minimal", "respond-async"],
        ['a="b, c", respond-async'],
        ['a="b\\"", respond-async'],
        ['respond-async=""'],
    ],
)
def test_it_is_preferred(values: list[str]) -> None:
    assert prefers_async(values)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["respond-asynchronously"],
        ["not-respond-async"],
        ["respond", "async"],
        ['a="respond-async"'],
        ['a="x, respond-async, y"'],
        ["a; respond-async"],
        ['"respond-async'],
        ["handling=lenient;x=respond-async"],
    ],
)
def test_it_is_not_preferred(values: list[str]) -> None:
    assert not prefers_async(values)


def test_a_long_header_takes_no_time() -> None:
    assert not prefers_async(['"' * 60_000, ",;=" * 20_000, '\\"' * 30_000])
