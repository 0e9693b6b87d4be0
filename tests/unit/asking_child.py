"""A child that asks its parent before it answers: `python -m tests.unit.asking_child`."""

from __future__ import annotations

from service_kit.child_main import Parent, run
from service_kit.frames import Header


class Asking:
    def __init__(self, _config: Header, parent: Parent) -> None:
        self._parent = parent
        self.ready: Header = {}

    def answer(self, header: Header, payload: bytes) -> tuple[Header, bytes]:
        """Ask all `questions` with the payload. Answer with the replies to those of `wait`: by default, to all."""
        numbers = [self._parent.ask({"what": what}, payload) for what in header["questions"]]
        wait = header.get("wait", range(len(numbers)))
        return {"replies": self._parent.replies(numbers[at] for at in wait)}, b""


if __name__ == "__main__":
    run(Asking)
