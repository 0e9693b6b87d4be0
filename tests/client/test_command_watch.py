"""`ocr watch`: files are read when they are completely written."""

from __future__ import annotations

import time

import pytest

from scripts.services import ROOT, Service
from tests.client.served import Ocr, interrupted, json_lines, labels, pages_read, until_outputs
from tests.faults.pair import until

pytestmark = pytest.mark.slow

RECEIPT = (ROOT / "docs" / "receipt.png").read_bytes()
WATCH = ("watch", "in", "--output", "out", "--interval", "0.05", "--settle", "0.4", "--json")


def test_a_file_is_read_when_it_is_complete(ocr: Ocr, engine: Service) -> None:
    labels(ocr.folder / "in", 1)
    process = ocr.start(*WATCH)
    until_outputs(ocr.folder / "out", 1)
    before = pages_read(engine)
    with (ocr.folder / "in" / "slow.png").open("wb") as file:
        for at in range(4):
            file.write(RECEIPT[at * len(RECEIPT) // 4 : (at + 1) * len(RECEIPT) // 4])
            file.flush()
            time.sleep(0.2)  # as a scanner writes; shorter than --settle
    until_outputs(ocr.folder / "out", 2)
    code, out, err = interrupted(process)
    assert code == 130
    assert [line["status"] for line in json_lines(out)] == ["ok", "ok"], err
    assert (ocr.folder / "out" / "slow.png.txt").read_text().startswith("Young Market")
    assert pages_read(engine) - before == 1, "it was not read before it was whole"


def test_what_was_read_is_not_read_again_by_the_next_watch_but_what_changes_is(ocr: Ocr) -> None:
    first, _ = labels(ocr.folder / "in", 2)
    process = ocr.start(*WATCH)
    until_outputs(ocr.folder / "out", 2)
    interrupted(process)
    process = ocr.start(*WATCH)
    first.write_bytes(RECEIPT)
    output = ocr.folder / "out" / "000.png.txt"
    until(lambda: output.read_text().startswith("Young Market"), "the changed file is read", 10)
    _, out, _ = interrupted(process)
    states = [(line["file"], line["status"]) for line in json_lines(out)]
    assert ("in/001.png", "skipped") in states
    assert ("in/000.png", "ok") in states


def test_a_file_that_cannot_be_read_is_reported_once(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 1)
    (ocr.folder / "in" / "bad.png").write_bytes(b"not a picture")
    process = ocr.start(*WATCH)
    until_outputs(ocr.folder / "out", 1)
    assert process.stdout is not None
    lines = process.stdout.readline() + process.stdout.readline()
    time.sleep(0.5)  # several looks
    _, out, _ = interrupted(process)
    assert sorted(line["status"] for line in json_lines(lines + out)) == ["failed", "ok"]


def test_a_folder_that_is_not_there_is_said(ocr: Ocr) -> None:
    done = ocr.run("watch", "absent")
    assert done.returncode == 2
    assert b"There is no folder absent" in done.stderr
