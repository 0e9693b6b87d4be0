"""How `ocr` ends: exit codes, full disks, closed pipes, Ctrl-C, and a server that goes and comes back."""

from __future__ import annotations

import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from scripts.services import ROOT, Service
from tests.client import served
from tests.client.served import Ocr, interrupted, json_lines, labels, pages_read, until_outputs
from tests.faults import engines
from tests.faults.pair import metrics, until
from tests.pictures import render

pytestmark = pytest.mark.slow

RECEIPT = ROOT / "docs" / "receipt.png"
AT_ONCE = 8


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("read", "absent.png"), 2),
        (("read", "absent*.png"), 2),
        (("read",), 2),
        (("read", "--format", "docx", RECEIPT), 2),
        (("read", "--url", "ftp://example.com", RECEIPT), 2),
        (("read", "-", "--json"), 2),
        (("read", "--patience", "0", "--url", "http://127.0.0.1:1", RECEIPT), 3),
        (("jobs", "--patience", "0", "--url", "http://127.0.0.1:1"), 3),
        (("read", "--engine", "neural", RECEIPT), 1),
        (("read", "-"), 1),
        (("fetch", "0" * 32), 1),
    ],
)
def test_exit_codes(ocr: Ocr, arguments: tuple[str, ...], code: int) -> None:
    done = ocr.run(*arguments)
    assert done.returncode == code, done.stderr
    assert not done.stdout
    assert done.stderr


def test_an_address_that_is_not_that_of_the_service_is_said(ocr: Ocr, engine: Service) -> None:
    done = ocr.run("read", RECEIPT, "--url", engine.url + "/nowhere")
    assert done.returncode in (1, 3)
    assert done.stderr


def test_200_files_are_read_once_each_while_the_server_restarts(engine: Service, tmp_path: Path) -> None:
    """Once in order, as in an update; once killed, with requests in flight."""
    labels(tmp_path / "in", 200)
    ocr = Ocr(tmp_path, "")
    before = pages_read(engine)
    with (tmp_path / "log").open("wb") as log, served.gateway(engine, log) as gateway:
        ocr.env["OCR_URL"] = gateway.url
        process = ocr.start("read", "in", "--output", "out", "--json", "--at-once", str(AT_ONCE))
        out: list[bytes] = []
        reader = threading.Thread(target=lambda: out.append(process.stdout.read()))  # type: ignore[union-attr]
        reader.start()
        until_outputs(tmp_path / "out", 40)
        gateway.stop()
        gateway.start().wait_ready()
        until_outputs(tmp_path / "out", 110)
        gateway.process.kill()
        gateway.process.wait()
        assert process.poll() is None, "it is not done before the server went"
        gateway.start().wait_ready()
        err = process.stderr.read() if process.stderr else b""
        reader.join()
        assert process.wait(30) == 0, err.decode()
    lines = json_lines(out[0])
    assert sorted(line["file"] for line in lines) == [f"in/{number:03}.png" for number in range(200)]
    assert {line["status"] for line in lines} == {"ok"}
    assert ocr.files("out") == {f"out/{number:03}.png.txt" for number in range(200)}, "and no part is left"
    for number in range(200):
        text = (tmp_path / "out" / f"{number:03}.png.txt").read_text()
        assert text.split() == render.label(number % 8 + 1).text.split()
    assert 200 <= pages_read(engine) - before <= 200 + AT_ONCE, "only those in flight when it was killed"
    assert b"waiting up to 120 s" in err


def test_after_ctrl_c_resume_reads_only_the_rest(ocr: Ocr, engine: Service) -> None:
    labels(ocr.folder / "in", 60)
    command = ("read", "in", "--output", "out", "--json", "--at-once", str(AT_ONCE))
    process = ocr.start(*command)
    until_outputs(ocr.folder / "out", 15)
    code, out, err = interrupted(process)
    assert code == 130
    assert b"Interrupted. The same command with --resume reads the rest." in err
    made = ocr.files("out")
    assert 15 <= len(made) < 60
    assert {line["output"] for line in json_lines(out)} == made, "each was reported"
    assert not [name for name in made if not name.endswith(".txt")], "no half file is left"
    until(lambda: metrics(engine)["ocr_in_flight"] == 0, "requests in flight have ended", 10)
    before = pages_read(engine)
    done = ocr.run(*command, "--resume")
    assert done.returncode == 0, done.stderr
    states = [line["status"] for line in json_lines(done.stdout)]
    assert states.count("skipped") == len(made)
    assert states.count("ok") == 60 - len(made)
    assert pages_read(engine) - before == 60 - len(made)
    before = pages_read(engine)
    assert ocr.run(*command, "--resume").returncode == 0
    assert pages_read(engine) == before


def test_resume_reads_what_has_changed(ocr: Ocr) -> None:
    """Another file, other options, an output that is shorter than it was, and a document with failed pages."""
    first, second, third, _ = labels(ocr.folder / "in", 4)
    (ocr.folder / "in" / "receipts.pdf").write_bytes((ROOT / "docs" / "receipts.pdf").read_bytes())
    command = ("read", "in", "--json", "--resume", "--quiet")
    ocr.run(*command)
    first.write_bytes(second.read_bytes() + b" ")
    second.with_name("001.png.txt").write_text("h")
    third.with_name("002.png.txt").unlink()
    states = {line["file"]: line["status"] for line in json_lines(ocr.run(*command).stdout)}
    assert states == {
        **dict.fromkeys(("in/000.png", "in/001.png", "in/002.png"), "ok"),
        "in/003.png": "skipped",
        "in/receipts.pdf": "partial",
    }
    others = json_lines(ocr.run(*command, "--psm", "6").stdout)
    assert not [line for line in others if line["status"] == "skipped"]


def test_a_busy_server_is_not_an_error(engine: Service, tmp_path: Path) -> None:
    """It takes two uploads at once; further ones get 429."""
    labels(tmp_path / "in", 12)
    with (tmp_path / "log").open("wb") as log, served.gateway(engine, log, {"MAX_IN_FLIGHT": "2"}) as gateway:
        done = Ocr(tmp_path, gateway.url).run("read", "in")
    assert done.returncode == 0, done.stderr
    assert b"12 read" in done.stderr
    assert b"overloaded" in (tmp_path / "log").read_bytes(), "it did refuse"


def test_patience_ends(engine: Service, tmp_path: Path) -> None:
    labels(tmp_path / "in", 30)
    with (tmp_path / "log").open("wb") as log, served.gateway(engine, log) as gateway:
        ocr = Ocr(tmp_path, gateway.url)
        process = ocr.start("read", "in", "--patience", "1", "--at-once", "2")
        until_outputs(tmp_path / "in", 5)
        gateway.process.kill()
        gateway.process.wait()
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert time.monotonic() - began < 10
    assert b"The server cannot be reached." in err
    assert b"not read" in err
    assert not [name for name in ocr.files("in") if name.endswith(".part")]


def test_a_full_disk_ends_it_without_a_half_file(ocr: Ocr) -> None:
    """The limit on the size of files stands for a full disk: writing fails in the same way."""
    labels(ocr.folder / "in", 10)
    done = ocr.run(
        "read", "in", "--output", "out", "--format", "json",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)),
    )  # fmt: skip
    assert done.returncode == 5
    assert b"cannot be written: File too large" in done.stderr
    assert b"--resume" in done.stderr
    assert not ocr.files("out")


@pytest.mark.parametrize(
    "arguments", [("read", RECEIPT), ("read", "in", "--json", "--quiet"), ("languages",), ("jobs",)]
)
def test_a_full_standard_output_is_said(ocr: Ocr, arguments: tuple[str, ...]) -> None:
    labels(ocr.folder / "in", 1)
    with Path("/dev/full").open("wb") as full:
        done = ocr.run(*arguments, stdout=full)
    assert done.returncode == 5
    assert b"No space left on device" in done.stderr


def test_an_output_that_cannot_be_written_fails_alone(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 2)
    (ocr.folder / "in" / "001.png.txt").mkdir()
    long = ocr.folder / "in" / ("x" * 250 + ".png")
    long.write_bytes(RECEIPT.read_bytes())
    done = ocr.run("read", "in", "--json")
    assert done.returncode == 1
    states = {line["file"][-7:]: line.get("code", "ok") for line in json_lines(done.stdout)}
    assert states == {"000.png": "ok", "001.png": "unwritable_output", "xxx.png": "unwritable_output"}


@pytest.mark.parametrize("arguments", [("read", RECEIPT, "-f", "json"), ("read", "in", "--json")])
def test_a_pipe_that_is_closed_early_ends_it_quietly(ocr: Ocr, arguments: tuple[str, ...]) -> None:
    labels(ocr.folder / "in", 6)
    process = ocr.start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(20) == 141


def test_ctrl_c_during_a_slow_page_ends_at_once(ocr: Ocr) -> None:
    (ocr.folder / "slow.png").write_bytes(engines.slow(20))
    process = ocr.start("read", "slow.png", "slow.png", "--output", "out")
    until((ocr.folder / "out").exists, "it has begun", 10)
    began = time.monotonic()
    code, _, _ = interrupted(process)
    assert code == 130
    assert time.monotonic() - began < 5
    assert not ocr.files("out")


def test_sigterm_is_like_ctrl_c(ocr: Ocr) -> None:
    (ocr.folder / "slow.png").write_bytes(engines.slow(20))
    process = ocr.start("read", "slow.png", "--output", "out")
    until(lambda: ocr.files("out"), "it has begun", 10)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert not ocr.files("out")


def test_ctrl_c_while_standard_input_is_open_ends_it(ocr: Ocr) -> None:
    process = ocr.start("read", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"x" * 300_000)  # more than the pipe holds: it returns when the command reads
    process.stdin.flush()
    assert interrupted(process)[0] == 130
