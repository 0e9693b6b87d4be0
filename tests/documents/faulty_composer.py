"""A composer with faults on documents, chosen by its environment; it composes pictures correctly."""

from __future__ import annotations

import ctypes
import os
import time

from api_gateway.children.compose_main import ComposeHandler
from service_kit.child_main import run
from service_kit.frames import Header

FAULT = "FAULTY_COMPOSER"


class FaultyComposer(ComposeHandler):
    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        if header["kind"] != "picture":
            if os.environ[FAULT] == "crashes":
                ctypes.string_at(0)
            time.sleep(3600)
        return super().answer(header, payload)


if __name__ == "__main__":
    run(lambda config, _: FaultyComposer(config))
