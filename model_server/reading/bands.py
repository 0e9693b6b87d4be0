"""Pictures with a longer side than Tesseract reads, such as long screenshots: read in bands that overlap.

Two neighbouring bands meet at a cut in the middle of what they share, between two lines if there is such a place.
Each gives the words on its side of the cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from model_server.reading.engines import Engine
from model_server.reading.image import PageImage, picture
from service_kit.page import Parameters, Word

LONGEST_SIDE = 32767  # pixels; Tesseract's coordinates have 16 bits
_BAND = 30_000
_SHARED = 2048  # pixels that two bands share: higher than a line of text
_SAME = 0.5  # the part of the smaller box that two boxes of one word share


def read(engine: Engine, image: PageImage, parameters: Parameters) -> list[Word]:
    """The words of an image of any size, in the order of the bands."""
    if max(image.width, image.height) <= LONGEST_SIDE:
        return engine.read(image, parameters)
    along = 1 if image.height > image.width else 0  # the axis that is cut, as an index of `bbox`
    length = (image.width, image.height)[along]
    words: list[Word] = []
    previous_end = 0
    for start, end in _places(length):
        band = [shifted(word, start, along) for word in engine.read(crop(image, start, end, along), parameters)]
        words = _joined(words, band, (start, previous_end), along) if previous_end else band
        previous_end = end
    return renumbered(words)


def _places(length: int) -> list[tuple[int, int]]:
    """Start and end of each band; all are about equally long."""
    count = -(-(length - _SHARED) // (_BAND - _SHARED))
    step = -(-(length - _SHARED) // count)
    return [(start, min(length, start + step + _SHARED)) for start in range(0, length - _SHARED, step)]


def crop(image: PageImage, start: int, end: int, along: int) -> PageImage:
    band = picture(image).crop((0, start, image.width, end) if along else (start, 0, end, image.height))
    return PageImage(band.tobytes(), band.width, band.height, image.dpi)


def shifted(word: Word, by: int, along: int) -> Word:
    x0, y0, x1, y1 = word["bbox"]
    return {**word, "bbox": (x0, y0 + by, x1, y1 + by) if along else (x0 + by, y0, x1 + by, y1)}


def _joined(first: list[Word], second: list[Word], shared: tuple[int, int], along: int) -> list[Word]:
    """The words before the cut, with those on it, and the words behind it; blocks of `second` get new numbers."""
    cut = _cut([*first, *second], shared, along)
    kept = [word for word in first if word["bbox"][along] < cut]
    on_cut = [word for word in kept if word["bbox"][along + 2] > cut]
    rest = (word for word in second if word["bbox"][along + 2] > cut)
    return kept + behind(kept, (word for word in rest if not any(_is_same(word, other) for other in on_cut)))


def behind(first: Sequence[Word], second: Iterable[Word]) -> list[Word]:
    """The words of `second`, with block numbers that go on behind those of `first`."""
    blocks = max((word["block"] for word in first), default=0)
    return [{**word, "block": word["block"] + blocks} for word in second]


def _cut(words: Sequence[Word], shared: tuple[int, int], along: int) -> int:
    """The middle of the widest part of the shared pixels that no word covers; their middle if there is none."""
    middle = sum(shared) // 2
    boxes = sorted(
        (word["bbox"][along], word["bbox"][along + 2])
        for word in words
        if word["bbox"][along + 2] > shared[0] and word["bbox"][along] < shared[1]
    )
    quarter = (shared[1] - shared[0]) // 4
    covered = [(shared[0], shared[0] + quarter), *boxes, (shared[1] - quarter, shared[1])]  # no cut near the ends
    reach = []
    furthest = 0
    for start, end in sorted(covered):
        furthest = max(furthest, end)
        reach.append((start, furthest))
    gaps = [(start - end, (start + end) // 2) for (_, end), (start, _) in pairwise(reach) if start > end]
    return max(gaps)[1] if gaps else middle


def _is_same(one: Word, other: Word) -> bool:
    """Whether two boxes are of the same word."""
    a, b = one["bbox"], other["bbox"]
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height > _SAME * smaller


def renumbered(words: Sequence[Word]) -> list[Word]:
    """Blocks, paragraphs and lines are counted from 1 without gaps."""
    numbered: list[Word] = []
    block = paragraph = line = 0
    before: tuple[int, int, int] | None = None
    for word in words:
        place = word["block"], word["paragraph"], word["line"]
        if before is None or place[0] != before[0]:
            block, paragraph, line = block + 1, 1, 1
        elif place[1] != before[1]:
            paragraph, line = paragraph + 1, 1
        elif place[2] != before[2]:
            line += 1
        before = place
        numbered.append({**word, "block": block, "paragraph": paragraph, "line": line})
    return numbered
