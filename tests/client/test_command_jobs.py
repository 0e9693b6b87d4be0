"""`ocr read --job`, `ocr jobs`, `ocr fetch`, `ocr cancel`."""

from __future__ import annotations

import shutil

import pytest

from scripts.services import ROOT
from tests.client.served import Ocr, json_lines, labels
from tests.faults import engines

pytestmark = pytest.mark.slow

RECEIPTS = ROOT / "docs" / "receipts.pdf"


def test_files_are_handed_in_listed_and_fetched(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 2)
    shutil.copy(RECEIPTS, ocr.folder / "in")
    done = ocr.run("read", "in", "--job", "--pages", "1")
    assert done.returncode == 0, done.stderr
    ids = {file: job for job, file in (line.split("  ") for line in done.stdout.decode().splitlines())}
    assert {*ids} == {"in/000.png", "in/001.png", "in/receipts.pdf"}
    assert b"3 handed in" in done.stderr
    again = ocr.run("read", "in", "--job", "--pages", "1", "--json")
    assert {line["file"]: line["job"] for line in json_lines(again.stdout)} == ids, "the same jobs"
    fetched = ocr.run("fetch", "--wait", "--delete")
    assert fetched.returncode == 0, fetched.stderr
    assert (ocr.folder / "in" / "receipts.pdf.txt").read_text().startswith("Young Market")
    assert len([name for name in ocr.files("in") if name.endswith(".txt")]) == 3
    listed = ocr.run("jobs").stdout.decode()
    assert not [job for job in ids.values() if job in listed], "they are removed from the server"


def test_a_job_with_failed_pages_gives_the_others_and_says_so(ocr: Ocr) -> None:
    done = ocr.run("read", RECEIPTS, "--job", "--format", "json", "--output", "out")
    job = done.stdout.split()[0].decode()
    fetched = ocr.run("fetch", job, "--wait", "--format", "text")
    assert fetched.returncode == 1
    assert fetched.stdout.startswith(b"Young Market")
    assert b"page 4" in fetched.stderr
    assert ocr.run("fetch", job, "--json").returncode == 1
    listed = ocr.run("jobs")
    assert listed.returncode == 0
    assert job.encode() in listed.stdout
    assert b"4 of 4, 1 failed" in listed.stdout


def test_a_result_that_cannot_be_written_is_said(ocr: Ocr) -> None:
    (ocr.folder / "state").write_text("not a folder, so that the ids are only printed")
    labels(ocr.folder / "in", 1)
    job = ocr.run("read", "in", "--job").stdout.split()[0].decode()
    (ocr.folder / "out").write_text("not a folder")
    done = ocr.run("fetch", job, "--wait", "--output", "out")
    assert done.returncode == 5
    assert b"cannot be written" in done.stderr


def test_a_job_can_be_cancelled(ocr: Ocr) -> None:
    (ocr.folder / "slow.png").write_bytes(engines.slow(20))
    job = ocr.run("read", "slow.png", "--job").stdout.split()[0].decode()
    left = ocr.run("fetch", job)
    assert left.returncode == 1
    assert b"1 have not ended" in left.stderr or b"not ended" in left.stderr
    assert ocr.run("cancel", job).returncode == 0
    assert ocr.run("fetch", job).returncode == 1
