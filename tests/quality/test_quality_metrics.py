"""Metrics, figures of sets and goals, by examples computed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quality import goals, metrics, report
from quality.abilities import abilities
from quality.score import Score, figures

RESULTS = Path("quality/results.json")


def score(of: str, number: int, subject: str, **other: Any) -> Score:
    usual = {"group": "", "f1": 0.9, "cer": 0.1, "cpu_seconds": 2.0, "turned_wrongly": False, "read_again": None}
    return Score(of=of, number=number, subject=subject, **{**usual, **other})


def results(scores: list[Score], *own: str) -> dict[str, Any]:
    return {
        "machine": {"cpu": "Some CPU", "cores": 2, "memory_gib": 8.0, "system": "Linux 6", "python": "3.11.7"},
        "abilities": list(own),
        "date": "2026-01-02 03:04 UTC",
        "commit": "0123456789ab",
        "settings": {"lanes": 2},
        "seconds": 120.0,
        "figures": figures(scores),
    }


@pytest.mark.parametrize(
    ("expected", "actual", "f1"),
    [
        ("one two three four", "one two three four", 1.0),
        ("one two three four", "four two (one), three.", 1.0),
        ("one two three", "one two", 0.8),  # 2 * 2 / (3 + 2)
        ("the the cat", "the cat cat", 2 / 3),  # 2 * 2 / (3 + 3)
        ("Total $12.50", "total 12.50", 0.5),
        ("one", "", 0.0),
        ("", "", 1.0),
        ("--- one", "one ...", 1.0),
    ],
)
def test_f1_of_bags_of_words(expected: str, actual: str, f1: float) -> None:
    assert metrics.bag_of_words_f1(expected, actual) == pytest.approx(f1)


def test_a_set_has_the_means_of_its_pages_and_each_group_its_own() -> None:
    found = figures(
        [
            score("skew", 0, "auto", group="1°", f1=1.0, cer=0.0, cpu_seconds=1.0, read_again=0.5),
            score("skew", 1, "auto", group="3°", f1=0.5, cer=0.2, cpu_seconds=3.0, turned_wrongly=True),
        ]
    )
    assert found["sets"]["skew"]["auto"] == {
        "pages": 2,
        "f1": 0.75,
        "cer": pytest.approx(0.1),
        "cpu_seconds": 2.0,
        "turned_wrongly": 1,
        "read_again": 0.5,
    }
    assert found["groups"]["skew"]["3°"]["auto"]["f1"] == 0.5


def test_a_pool_is_there_only_with_all_its_sets() -> None:
    found = figures([score("receipts", 0, "auto", f1=0.5), score("photographs", 1, "auto", f1=1.0)])
    assert found["pools"]["photographed"]["auto"]["f1"] == 0.75
    assert "varied" not in found["pools"]


def test_goals_are_met_or_not_or_not_measured() -> None:
    scores = [
        score("receipts", 0, "bare-tesseract", f1=0.8),
        score("photographs", 1, "bare-tesseract", f1=0.8),
        score("receipts", 0, "auto", f1=0.95),
        score("photographs", 1, "auto", f1=0.91),
        score("clean", 2, "bare-tesseract", cer=0.01),
        score("clean", 2, "auto", cer=0.02, cpu_seconds=2.5),
    ]
    said = {one.goal.title: (one.measured, one.outcome) for one in goals.verdicts(results(scores))}
    assert said["receipts and photographs, `auto`: error (1 - F1) / bare Tesseract's"] == ("0.350", "met")
    assert said["clean pages, `auto`: CER above bare Tesseract's"] == ("0.0100", "**not met**")
    assert said["clean pages, `auto`: CPU / bare Tesseract's"] == ("1.25", "met")
    assert said["varied pages, `auto`: F1"] == ("not measured", "")


def test_the_goal_for_the_worst_turn_compares_with_the_pages_upright() -> None:
    scores = [
        score("turned", at, "auto", group=f"{90 * at}°", f1=f1) for at, f1 in enumerate((0.95, 0.94, 0.93, 0.96))
    ]
    said = {one.goal.title: one.measured for one in goals.verdicts(results(scores))}
    assert said["pages turned by 90, 180, 270, `auto`: largest difference of F1"] == "0.020"


def test_the_goals_of_cpu_time_depend_on_amx() -> None:
    with_amx = {one.goal.title for one in goals.verdicts(results([], "AMX"))}
    without = {one.goal.title for one in goals.verdicts(results([]))}
    assert any("with AMX" in title for title in with_amx - without)
    assert any("without AMX" in title for title in without - with_amx)


def test_a_short_run_fails_for_a_wrong_turn_and_for_a_bad_text() -> None:
    scores = [
        score("clean", 0, "bare-tesseract", f1=1.0),
        score("clean", 0, "auto", f1=0.9),
        score("upright", 1, "auto", turned_wrongly=True),
        score("tables", 2, "bare-tesseract", cer=0.02),
        score("tables", 2, "neural", cer=0.2),
    ]
    assert goals.alarms(figures(scores)) == [
        "clean, auto: F1 is 0.900, the least is 0.95",
        "clean, auto: F1 is 0.900, bare Tesseract's 1.000",
        "auto turned 1 of 1 upright pages",
        "tables, neural: CER is 0.200, bare Tesseract's 0.020",
    ]
    assert not goals.alarms(figures(scores[:1]))


def test_the_document_holds_the_figures_and_keeps_the_rest(tmp_path: Path) -> None:
    document = tmp_path / "quality.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    scores = [score("tables", 0, "bare-tesseract"), score("tables", 0, "tesseract", cpu_seconds=3.0)]
    report.write(results(scores, "AVX2"), document)
    text = document.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text
    assert "Some CPU (AVX2), 2 cores" in text
    assert "| tables: tables of 5 to 8 columns | 1 | 2.00 (1.00) | 3.00 (1.50) |" in text


def test_the_document_at_hand_is_what_the_results_at_hand_give(tmp_path: Path) -> None:
    document = tmp_path / "quality.md"
    document.write_text(report.DOCUMENT.read_text())
    report.write(json.loads(RESULTS.read_text()), document)
    assert document.read_text() == report.DOCUMENT.read_text()


def test_the_abilities_are_those_of_the_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags : fpu avx2 avx512f amx_tile\n")
    assert abilities(cpuinfo) == ["AMX", "AVX-512", "AVX2"]
    assert abilities(tmp_path / "missing") == []
