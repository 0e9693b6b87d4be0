"""How an attempt to read a job ends before its last page is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_gateway.errors import REFUSALS, NoSpace, StoreUnavailable
from service_kit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from api_gateway.jobs.counting import Attempt

NOT_OF_THE_PAGE = REFUSALS | {StoreUnavailable.code, NoSpace.code}
"""Codes of a page that another attempt may read: they are not stored."""

NOT_OF_THE_DOCUMENT = NOT_OF_THE_PAGE | {DeadlineExceeded.code}
"""Codes that end an attempt, not the job."""


class AttemptEnded(Exception):
    """`code` and `detail` of the error, if any; of the document itself if `outcome` is "failed"."""

    def __init__(self, outcome: Attempt, code: str | None = None, detail: str = "") -> None:
        super().__init__(outcome, code)
        self.outcome = outcome
        self.code = code
        self.detail = detail
