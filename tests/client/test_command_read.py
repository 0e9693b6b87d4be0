"""`ocr read`: what is read, where the output goes, and what is said about it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import orjson
import pytest

from scripts.services import ROOT, Service
from tests.client import served
from tests.client.served import Ocr, json_lines, labels
from tests.faults import engines
from tests.pictures import render

pytestmark = pytest.mark.slow

RECEIPT, RECEIPTS = ROOT / "docs" / "receipt.png", ROOT / "docs" / "receipts.pdf"


def test_the_text_of_one_file_goes_to_standard_output(ocr: Ocr) -> None:
    done = ocr.run("read", RECEIPT)
    assert done.returncode == 0
    assert done.stdout.startswith(b"Young Market\nDate 2025-08-08\n")
    assert not done.stderr
    assert not ocr.files()


def test_standard_input_is_a_file_too(ocr: Ocr) -> None:
    done = ocr.run("read", "-", "--format", "json", stdin=RECEIPT.read_bytes())
    assert done.returncode == 0
    assert orjson.loads(done.stdout)["pages"][0]["words"][0]["text"] == "Young"


@pytest.mark.parametrize(
    ("form", "suffix", "beginning"),
    [
        ("text", ".txt", b"Young Market"),
        ("json", ".json", b"{"),
        ("hocr", ".hocr", b"<?xml"),
        ("alto", ".alto.xml", b"<?xml"),
        ("tsv", ".tsv", b"level\t"),
        ("ndjson", ".ndjson", b'{"page":1'),
        ("pdf", ".ocr.pdf", b"%PDF"),
    ],
)
def test_each_format_has_its_suffix(ocr: Ocr, form: str, suffix: str, beginning: bytes) -> None:
    shutil.copy(RECEIPT, ocr.folder / "a.png")
    done = ocr.run("read", "a.png", "--format", form, "--output", ".")
    assert done.returncode == 0, done.stderr
    assert ocr.files() == {"a.png", f"a.png{suffix}"}
    assert (ocr.folder / f"a.png{suffix}").read_bytes().startswith(beginning)


def test_names_that_differ_in_their_ending_have_outputs_of_their_own(ocr: Ocr) -> None:
    """Those of a folder, and of folders below it, in the same places below another one."""
    first, second = labels(ocr.folder / "in", 2)
    (ocr.folder / "in" / "deep").mkdir()
    first.rename(ocr.folder / "in" / "a.png")
    second.rename(ocr.folder / "in" / "a.PNM")
    shutil.copy(RECEIPT, ocr.folder / "in" / "deep" / "a.png")
    (ocr.folder / "in" / "notes.txt").write_text("not a picture")
    (ocr.folder / "in" / ".hidden.png").write_bytes(b"")
    done = ocr.run("read", "in", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert ocr.files("out") == {"out/a.png.txt", "out/a.PNM.txt", "out/deep/a.png.txt"}
    assert b"3 read, 3 pages" in done.stderr
    texts = [(ocr.folder / "out" / name).read_text() for name in ("a.png.txt", "a.PNM.txt")]
    assert [text.split() for text in texts] == [render.label(seed).text.split() for seed in (1, 2)]


def test_two_folders_with_the_same_names_do_not_write_to_the_same_output(ocr: Ocr) -> None:
    labels(ocr.folder / "one", 1)
    labels(ocr.folder / "two", 1)
    assert ocr.run("read", "one/000.png", "two", "one", "--output", "out").returncode == 0
    assert ocr.files("out") == {"out/one/000.png.txt", "out/two/000.png.txt"}


def test_a_pattern_that_the_shell_left_is_expanded(ocr: Ocr) -> None:
    labels(ocr.folder / "in" / "deep", 2)
    assert ocr.run("read", "in/**/*.png").returncode == 0
    assert ocr.files() == {f"in/deep/00{n}.png{end}" for n in (0, 1) for end in ("", ".txt")}


def test_searchable_pdfs_beside_their_originals_are_not_read_the_next_time(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 1)
    for _ in range(2):
        assert ocr.run("read", "in", "--format", "pdf").returncode == 0
    assert ocr.files() == {"in/000.png", "in/000.png.ocr.pdf"}


def test_json_lines_say_what_became_of_each_file(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 1)
    (ocr.folder / "in" / "broken.png").write_bytes(b"not a picture")
    shutil.copy(RECEIPTS, ocr.folder / "in")
    done = ocr.run("read", "in", "--json", "--quiet", "--format", "json")
    assert done.returncode == 1
    lines = {line["file"]: line for line in json_lines(done.stdout)}
    good, broken, partial = (lines[f"in/{name}"] for name in ("000.png", "broken.png", "receipts.pdf"))
    assert (good["status"], good["output"], good["pages"]) == ("ok", "in/000.png.json", 1)
    assert (broken["status"], broken["output"], broken["code"]) == ("failed", None, "not_an_image")
    assert (partial["status"], partial["pages"]) == ("partial", 4)
    assert partial["failed_pages"] == [{"page": 4, "code": "too_many_pixels"}]
    assert len(orjson.loads((ocr.folder / partial["output"]).read_bytes())["pages"]) == 4


def test_the_summary_names_the_failed_files_and_pages_and_says_what_to_do(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 2)
    (ocr.folder / "in" / "broken.png").write_bytes(b"not a picture")
    shutil.copy(RECEIPTS, ocr.folder / "in")
    done = ocr.run("read", "in")
    assert done.returncode == 1
    said = done.stderr.decode()
    assert "3 read, 5 pages" in said
    assert "1 failed; 1 with failed pages" in said
    assert "in/broken.png: Unknown file format." in said
    assert "in/receipts.pdf: page 4" in said
    assert "Convert it to PDF or PNG." in said
    assert (ocr.folder / "in" / "receipts.pdf.txt").read_text().count("Market") >= 3, "the other pages"


def test_a_file_that_kills_the_engine_fails_alone(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 4)
    (ocr.folder / "in" / "bad.png").write_bytes(engines.picture(engines.Fault.SEGFAULT))
    done = ocr.run("read", "in", "--json")
    assert done.returncode == 1
    assert sorted(line["status"] for line in json_lines(done.stdout)) == ["failed", "ok", "ok", "ok", "ok"]
    assert b"worker_crashed" in done.stderr


def test_names_may_have_any_bytes(ocr: Ocr) -> None:
    names = [
        b"two words.png",
        "Gr\u00fc\u00dfe.png".encode(),
        b"new\nline.png",
        b"\xff\xfe.png",
        b"-dash.png",
        b"[x]*?.png",
    ]
    folder = os.fsencode(ocr.folder / "in")
    source = labels(ocr.folder, 1)[0].read_bytes()
    os.mkdir(folder)  # noqa: PTH102 - bytes
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(source)
    done = ocr.run("read", "in", "--json", "--output", "out")
    assert done.returncode == 0, done.stderr
    made = {os.fsencode(path.name) for path in (ocr.folder / "out").iterdir()}
    assert made == {*(name + b".txt" for name in names), b".ocr-done.jsonl"}
    assert len(done.stdout.splitlines()) == len(names), "a newline in a name does not break a line"
    again = ocr.run("read", "in", "--json", "--output", "out", "--resume")
    assert [line.count(b'"skipped"') for line in again.stdout.splitlines()] == [1] * len(names)


def test_odd_names_are_escaped_on_the_terminal(ocr: Ocr) -> None:
    with open(os.fsencode(ocr.folder) + b"/a\n\x1b[31m\xff.png", "wb") as file:  # noqa: PTH123
        file.write(b"not a picture")
    done = ocr.run("read", ".")
    assert rb"a\n\x1b[31m\xff.png: Unknown file format." in done.stderr


def test_options_reach_the_server(ocr: Ocr) -> None:
    done = ocr.run("read", RECEIPTS, "--pages", "2,1", "--languages", "eng", "--engine", "tesseract", "--psm", "6")
    assert done.stdout.startswith(b"Young Market\nMembers' news of August\n")
    assert ocr.run("read", RECEIPT, "--engine", "neural").returncode == 1, "this server has none"


def test_progress_on_a_terminal_shows_counts_and_speed(ocr: Ocr) -> None:
    labels(ocr.folder / "in", 30)
    screen = served_on_terminal(ocr, "read", "in")
    assert "30 read, 30 pages" in screen
    assert "pages/s" in screen
    assert "/30" in screen


def served_on_terminal(ocr: Ocr, *arguments: str) -> str:
    """What appears on a terminal of its own."""
    mine, theirs = os.openpty()
    process = ocr.start(*arguments, stdout=theirs, stderr=theirs, env={"TERM": "xterm-256color"})
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(mine, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(mine)
    assert process.wait(20) == 0
    return shown.decode()


def test_configuration_comes_from_options_then_environment_then_the_file(ocr: Ocr, server: Service) -> None:
    config = ocr.folder / "config" / "ocr" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'url = "{server.url}"\nformat = "tsv"\n')
    no_url = {"OCR_URL": ""}
    assert ocr.run("read", RECEIPT, env=no_url).stdout.startswith(b"level\t")
    assert ocr.run("read", RECEIPT, env={**no_url, "OCR_FORMAT": "hocr"}).stdout.startswith(b"<?xml")
    more = {**no_url, "OCR_FORMAT": "hocr"}
    assert ocr.run("read", RECEIPT, "--format", "text", env=more).stdout.startswith(b"Young")
    config.write_text('colour = "red"\n')
    done = ocr.run("read", RECEIPT)
    assert done.returncode == 2
    assert b"no such setting: colour" in done.stderr


def test_an_api_key_comes_from_the_environment(engine: Service, tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("wb") as log,
        served.gateway(engine, log, {"API_KEYS": "a-key-of-our-own"}) as locked,
    ):
        ocr = Ocr(tmp_path, locked.url)
        done = ocr.run("read", RECEIPT, RECEIPTS)
        assert done.returncode == 4
        assert b"Set OCR_KEY" in done.stderr
        assert ocr.run("read", RECEIPT, env={"OCR_KEY": "a-key-of-our-own"}).returncode == 0


def test_languages_lists_those_of_the_server(ocr: Ocr) -> None:
    done = ocr.run("languages")
    assert b"eng  tesseract\n" in done.stdout
