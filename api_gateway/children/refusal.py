"""The error that the splitter's child reports, in a form that is cheap to import and to send."""

from __future__ import annotations


class Refused(Exception):
    """`code` is that of a class in `api_gateway.errors`; the text is for the client."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text)
        self.code = code
