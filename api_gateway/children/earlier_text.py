"""Removes the invisible text of an earlier OCR from a page, so that each word is found once.

Such text has text rendering mode 3, or mode 7, which only clips: in the page's content or in a form that the page
draws. Everything else stays byte for byte. Text stays too if visible content depends on it: if a visible text
continues where it ends, or if it clips what is drawn after it. A page whose content can't be parsed, or is
larger than `_MOST_BYTES` when unpacked, stays as it is.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

from pikepdf import Array, Dictionary, Name, Page, Stream, Token, TokenFilter, TokenType

if TYPE_CHECKING:
    from pikepdf import Object, Pdf

_INVISIBLE, _CLIP = 3, 7
_MOST_BYTES = 8 << 20  # of a page's content and its forms
_MOST_PACKED = 64 << 10  # of a stream with filters other than Flate, which can't be unpacked step by step
_MOST_FORMS = 1000  # of a document
_DEPTH = 5  # of nested forms
_SETS_MODE = re.compile(rb"\b[37](\.0*)?\s+Tr\b")
_DRAWS = re.compile(rb"/([^\s/\[\]<>(){}%]+)\s*Do\b")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_SHOWS = frozenset({b"Tj", b"TJ", b"'", b'"'})
_STARTS_LINE = frozenset({b"Td", b"TD", b"Tm", b"T*", b"BT", b"'", b'"'})
_PAINTS = frozenset({b"f", b"F", b"f*", b"S", b"s", b"B", b"B*", b"b", b"b*", b"sh", b"Do", b"EI"})
_BLANK = (TokenType.space, TokenType.comment)


class EarlierText:
    """The earlier text of one document; a form that several pages draw is looked at once."""

    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self._forms: dict[tuple[tuple[int, int], int], Stream | None] = {}
        self._left = 0

    def remove(self, page: Page) -> None:
        """Change the page's content if it has such text; shared content and resources are copied first."""
        self._left = _MOST_BYTES
        try:
            content = b"\n".join(self._unpacked(part) for part in _parts(page))
            resources = page.obj.get(Name.Resources) or page.resources
            cut, forms = self._without(content, resources, mode=0, depth=0)
        except Exception:  # noqa: BLE001 - libraries raise undocumented exceptions on damaged files
            return
        if cut is not None:
            page.obj.Contents = self._stream(cut)
        if forms:
            page.obj.Resources = _with_forms(resources, forms)

    def _without(
        self, content: bytes, resources: Object, mode: int, depth: int
    ) -> tuple[bytes | None, dict[str, Stream]]:
        """The content without such text, and the changed forms that it draws; None if it has none itself."""
        cut = None
        if mode in (_INVISIBLE, _CLIP) or _SETS_MODE.search(content):
            cutter = _Cutter(mode)
            Page(Dictionary(Type=Name.Page, Contents=Stream(self._pdf, content))).get_filtered_contents(cutter)
            cut = cutter.finish()
            drawn = cutter.drawn
        else:
            drawn = {match[1]: mode for match in _DRAWS.finditer(content)}
        forms = {}
        known = resources.get(Name.XObject, Dictionary()) if depth < _DEPTH else Dictionary()
        for raw, at in drawn.items():
            name = "/" + _ESCAPED.sub(lambda code: bytes([int(code[1], 16)]), raw).decode(
                "utf-8", "surrogateescape"
            )
            found = known.get(name)
            if isinstance(found, Stream) and found.get(Name.Subtype) == Name.Form:
                changed = self._form(found, resources, at, depth)
                if changed is not None:
                    forms[name] = changed
        return cut, forms

    def _form(self, form: Stream, outer: Object, mode: int, depth: int) -> Stream | None:
        key = form.objgen, mode
        if key in self._forms:
            return self._forms[key]
        if len(self._forms) >= _MOST_FORMS:
            raise _NotParsed
        self._forms[key] = None  # a form that draws itself
        own = form.get(Name.Resources)
        resources = outer if own is None else own
        try:
            cut, forms = self._without(content := self._unpacked(form), resources, mode, depth + 1)
        except Exception:
            del self._forms[key]
            raise
        if cut is None and not forms:
            return None
        changed = self._stream(content if cut is None else cut)
        for entry, value in form.items():
            if entry not in ("/Length", "/Filter", "/DecodeParms"):
                changed[entry] = value
        if forms:
            changed[Name.Resources] = _with_forms(resources, forms)
        self._forms[key] = changed
        return changed

    def _unpacked(self, stream: Object) -> bytes:
        """The content of a stream.

        Raises:
            _NotParsed: it is too large.
        """
        packed = stream.read_raw_bytes()
        self._spend(len(packed))
        filters = _listed(stream.get(Name.Filter))
        if not filters:
            return packed
        if set(filters) <= {Name.FlateDecode, Name("/Fl")} and Name.DecodeParms not in stream:
            for _ in filters:
                packed = zlib.decompressobj().decompress(packed, self._left + 1)
                self._spend(len(packed))
            return packed
        if len(packed) > _MOST_PACKED or len(filters) > 2:
            raise _NotParsed
        unpacked = stream.read_bytes()
        self._spend(len(unpacked))
        return unpacked

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _NotParsed

    def _stream(self, content: bytes) -> Stream:
        return Stream(self._pdf, zlib.compress(content), Filter=Name.FlateDecode)


class _NotParsed(Exception):
    """The content is too large, or nested too deeply."""


class _Cutter(TokenFilter):
    """Reads content token by token and decides which text to remove; `drawn`: names of XObjects, with the mode."""

    def __init__(self, mode: int) -> None:
        super().__init__()
        self.drawn: dict[bytes, int] = {}
        self._mode = mode
        self._outer: list[tuple[int, list[int]]] = []
        self._out = bytearray()
        self._operands: list[tuple[bytes, int]] = []  # and where each begins
        self._depth = 0
        self._cuts: dict[int, tuple[int, bytes]] = {}  # start: end, replacement
        self._line: list[int] = []  # cuts since the text position was last set
        self._clips: list[int] = []  # cuts that would clip what follows

    def handle_token(self, token: Token) -> None:
        kind, raw = token.type_, token.raw_value
        start = len(self._out)
        self._out += raw
        if kind == TokenType.word:
            self._operator(raw, start)
            self._operands.clear()
        elif kind == TokenType.inline_image:
            self._painted()
        elif kind in (TokenType.array_open, TokenType.dict_open):
            if not self._depth:
                self._operands.append((raw, start))
            self._depth += 1
        elif kind in (TokenType.array_close, TokenType.dict_close):
            self._depth = max(0, self._depth - 1)
        elif kind not in _BLANK and not self._depth:
            self._operands.append((raw, start))

    def finish(self) -> bytes | None:
        """The content that is left; None if nothing is removed."""
        if not self._cuts:
            return None
        parts: list[bytes] = []
        at = 0
        for start in sorted(self._cuts):
            end, instead = self._cuts[start]
            parts += [bytes(self._out[at:start]), instead]
            at = end
        return b"".join([*parts, bytes(self._out[at:])])

    def _operator(self, name: bytes, start: int) -> None:
        if name in _STARTS_LINE:
            self._line.clear()
        if name == b"q":
            self._outer.append((self._mode, self._clips))
            self._clips = []
        elif name == b"Q" and self._outer:
            self._mode, self._clips = self._outer.pop()
        elif name == b"Tr" and self._operands:
            self._mode = int(float(self._operands[-1][0]))
        elif name in _SHOWS:
            self._shown(name, start)
        elif name in _PAINTS:
            self._painted()
        if name == b"Do" and self._operands:
            drawn = self._operands[-1][0][1:]
            same = self.drawn.setdefault(drawn, self._mode) == self._mode
            self.drawn[drawn] = self._mode if same else 0

    def _shown(self, name: bytes, operator: int) -> None:
        needed = 3 if name == b'"' else 1
        if self._mode not in (_INVISIBLE, _CLIP) or len(self._operands) < needed:
            self._keep(self._line)
            self._painted()
            return
        operands = self._operands[-needed:]
        instead = b" "
        if name == b"'":
            instead = b" T* "
        elif name == b'"':
            instead = b" %b Tw %b Tc T* " % (operands[0][0], operands[1][0])
        start = operands[0][1]
        self._cuts[start] = operator + len(name), instead
        self._line.append(start)
        if self._mode == _CLIP:
            self._clips.append(start)

    def _painted(self) -> None:
        """Something visible is drawn: keep all text that clips it."""
        self._keep(self._clips)
        for _, clips in self._outer:
            self._keep(clips)

    def _keep(self, cuts: list[int]) -> None:
        for start in cuts:
            self._cuts.pop(start, None)
        cuts.clear()


def _parts(page: Page) -> list[Any]:
    contents = page.obj.get(Name.Contents)
    parts = [*contents] if isinstance(contents, Array) else [contents]
    return [part for part in parts if isinstance(part, Stream)]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [*value] if isinstance(value, Array) else [value]


def _with_forms(resources: Object, forms: dict[str, Stream]) -> Dictionary:
    """A copy of the resources with these forms in it."""
    known = Dictionary(dict(resources.get(Name.XObject, Dictionary()).items()))
    for name, form in forms.items():
        known[name] = form
    copied = Dictionary(dict(resources.items()))
    copied[Name.XObject] = known
    return copied
