"""All rows at toy size, and what the command says to bad input."""

from __future__ import annotations

import csv
import sys

import cv2
import pytest

from offline.experiments import __main__ as command
from offline.experiments import training
from offline.experiments.registry import ROWS

pytestmark = pytest.mark.slow


def run(monkeypatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
    return command.main()


def entries(path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_row_runs_and_nothing_is_computed_twice(tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, "all", "--out", tmp_path, "--smoke", "--seeds", 1) == 0
    for name in ROWS:
        assert list((tmp_path / name).glob("*.md")), name
        for table in (tmp_path / name).glob("*.csv"):
            assert entries(table), table
    for figure in tmp_path.rglob("*.png"):
        assert cv2.imread(str(figure)) is not None
    of_self = entries(tmp_path / "self" / "self.csv")
    assert {(row["person"], row["fit"]) for row in of_self} == {
        (person, fit) for person in ("painted7", "painted11") for fit in ("true parameters", "batch fit")
    }
    assert all(0 < float(row["APD low"]) <= float(row["APD"]) <= float(row["APD high"]) < 60 for row in of_self)
    for row in entries(tmp_path / "cycle" / "cycle.csv"):
        assert float(row["APD after the cycle"]) > float(row["APD without it"]) and row["note"]
    compared = entries(tmp_path / "conditioning" / "conditioning.csv")
    assert {row["variant"] for row in compared} == {"as shipped", "without gaze", "without teeth"}
    assert {row["verdict"] for row in compared} <= {"", "one seed", "not significant", "no such frames"}
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    before = (tmp_path / "mouth" / "mouth.csv").read_text()
    monkeypatch.setattr(training, "learn", lambda *_, **__: pytest.fail("is trained again"))
    assert run(monkeypatch, "mouth", "--out", tmp_path, "--smoke", "--seeds", 1) == 0
    assert (tmp_path / "mouth" / "mouth.csv").read_text() == before
    assert written == {path: path.stat().st_mtime_ns for path in written}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("self", "--people", "painted:x"), "names no painted person: give painted:SEED"),
        (("self", "--people", "nowhere"), "There is no dataset nowhere"),
        (("cycle", "--people", "painted:7"), "needs two people"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, said):
    assert run(monkeypatch, *arguments, "--out", tmp_path, "--smoke") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in error


@pytest.mark.parametrize("arguments", [("self",), ("self", "--smoke", "--serve"), ("self", "--smoke", "--seeds", 0)])
def test_options_that_do_not_go_together(tmp_path, monkeypatch, arguments):
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, *arguments, "--out", tmp_path)


def test_landmarks_need_a_network_that_paints_the_whole_image(tmp_path, monkeypatch, capsys):
    people = ("--people", "painted:7", "--people", "painted:11", "--painted-frames", 12, "--size", 64)
    assert run(monkeypatch, "landmarks", *people, "--out", tmp_path, "--profile", "compact") == 1
    assert "give --profile paper or small" in capsys.readouterr().err
