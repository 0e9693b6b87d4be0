"""The files of a form, one after the other; only one of them is in memory or on disk at a time."""

from __future__ import annotations

import contextlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from api_gateway.errors import BadMultipart
from api_gateway.uploads.incoming import IncomingFile
from api_gateway.uploads.multipart import Form, password_of
from api_gateway.uploads.spool import RequestFolder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from starlette.requests import Request

    from api_gateway.uploads.bodies import BodyOf
    from api_gateway.uploads.receive import UploadLimits
    from service_kit.budget import Budget


class IncomingFiles:
    """Iterate, and close the iterator; a file ends when the next one is asked for."""

    def __init__(
        self,
        request: Request,
        limits: UploadLimits,
        most_files: int,
        parent: Path,
        disk: Budget,
        body: BodyOf | None = None,
    ) -> None:
        """`parent` is where the folders of files are made; `body` makes the parser, without it that of a form.

        Raises:
            UnsupportedMediaType, BadMultipart.
        """
        self._request = request
        self._limits = limits
        self._most_files = most_files
        self._parent = parent
        self._disk = disk
        self._parts: deque[memoryview | None] = deque()  # None: a file begins
        self._begun = 0
        made = body or partial(Form, request.headers.get("content-type"))
        self._form = made(self._parts.append, self._begin)
        self.is_complete = False  # the file that was given last is the last one
        self.password: str | None = None  # known when the form is complete

    async def __aiter__(self) -> AsyncGenerator[IncomingFile, None]:
        """Each file, complete.

        Raises:
            BadMultipart, NoFile, what `IncomingFile` raises, and what reading the body raises.
        """
        file: IncomingFile | None = None
        with contextlib.ExitStack() as held:
            async for piece in self._request.stream():
                self._form.feed(piece)
                while self._parts:
                    part = self._parts.popleft()
                    if part is not None:
                        assert file is not None  # noqa: S101 - narrows the type
                        file.add(part)
                        continue
                    if file is not None:
                        await file.finish()
                        yield file
                    held.close()
                    file = held.enter_context(
                        IncomingFile(self._limits, RequestFolder(self._parent), self._disk.take(0))
                    )
                if file is not None:
                    await file.settle()
            self.password = password_of(self._form.end())
            assert file is not None  # noqa: S101 - the form has one
            await file.finish()
            self.is_complete = True
            yield file

    def _begin(self) -> None:
        self._begun += 1
        if self._begun > self._most_files:
            raise BadMultipart(f"The form takes at most {self._most_files} files.")
        self._parts.append(None)
