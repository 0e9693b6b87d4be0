"""Selection of pages of a document: `1-3,7`."""

from __future__ import annotations

import re

from api_gateway.errors import NoSuchPage, TooManyPages

PATTERN = r"^[0-9]{1,6}(-([0-9]{1,6})?)?(,[0-9]{1,6}(-([0-9]{1,6})?)?){0,99}$"
_RANGE = re.compile(r"(\d+)(-?)(\d*)")


def parse(text: str) -> list[tuple[int, int | None]]:
    """First and last page of each range; None: to the end. `text` matches PATTERN.

    Raises:
        ValueError: a range that ends before it begins, or the page 0.
    """
    found = []
    for part in text.split(","):
        first, dash, last = _RANGE.fullmatch(part).groups()  # type: ignore[union-attr]
        pair = int(first), int(last) if last else None if dash else int(first)
        if pair[0] < 1 or (pair[1] is not None and pair[1] < pair[0]):
            raise ValueError(part)
        found.append(pair)
    return found


def choose(text: str | None, page_count: int, most: int) -> list[int]:
    """The pages to read, each once, in the requested order; all pages without a `text`.

    Raises:
        NoSuchPage, TooManyPages.
    """
    chosen: dict[int, None] = {}
    for first, last in parse(text) if text else [(1, None)]:
        end = page_count if last is None else last
        if max(first, end) > page_count:
            raise NoSuchPage(f"The file has {page_count} pages; there is no page {max(first, end)}.")
        if end - first >= most:
            raise _too_many(page_count, most)
        chosen.update(dict.fromkeys(range(first, end + 1)))
    if len(chosen) > most:
        raise _too_many(page_count, most)
    return [*chosen]


def _too_many(page_count: int, most: int) -> TooManyPages:
    return TooManyPages(
        f"The file has {page_count} pages; at most {most} are read in one request. "
        f"Ask for some of them: pages=1-{most}."
    )
