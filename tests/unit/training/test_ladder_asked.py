"""Ladders from lists of runs and from the command line, and the speed of a machine as it is kept."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from scaling_core.cli import main
from scaling_core.cli.train_watch import Bar
from scaling_core.errors import UserError
from scaling_core.training.from_runs import ladder_from_runs, nearest_size
from scaling_core.training.ladder import plan_ladder
from scaling_core.training.ladder_file import read_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models.base import DataShape
from scaling_core.training.rungs import Facts
from scaling_core.training.speed import SUPPOSED, Speed, Timed, speed_of
from scaling_core.training.timing import _path, speed_here

FACTS = Facts(DataShape("text", 256, 256, (128,)), 11_000_000, 65_536)
BASE = LadderSpec("next", ("16/2",), (1e6,))


def test_runs_asked_for_by_n_and_d_are_met_by_the_nearest_sizes() -> None:
    wanted = pd.DataFrame({"params": [1.1e4, 2.1e5, 2.1e5], "tokens": [1e6, 5e5, 4e6]})
    planned = plan_ladder(ladder_from_runs(wanted, BASE, FACTS), SUPPOSED, 2, FACTS)
    dots = planned.dots
    assert len(dots) == 3
    assert dots["params"].to_numpy() == pytest.approx(wanted["params"].to_numpy(), rel=0.2)
    assert dots["tokens"].to_numpy() == pytest.approx(wanted["tokens"].to_numpy(), rel=0.01)
    assert nearest_size(212_992, BASE, FACTS.shape) == "64/4"
    for missing in (wanted.drop(columns="tokens"), wanted.iloc[:0]):
        with pytest.raises(UserError):
            ladder_from_runs(missing, BASE, FACTS)
    with pytest.raises(UserError, match="7e\\+10"):
        nearest_size(7e10, BASE, FACTS.shape)


def test_a_list_pairs_its_sizes_and_budgets() -> None:
    with pytest.raises(UserError, match="a budget for each size"):
        LadderSpec("x", ("16/2", "16/2"), (1e6,), design="list")
    assert [len(b) for b in LadderSpec("x", ("16/2", "16/2"), (1e6, 2e6), design="list").cells.values()] == [2]


def test_until_it_is_measured_a_speed_says_so(tmp_path: Path) -> None:
    assert speed_here(tmp_path, 2) == SUPPOSED
    assert "has not been measured" in SUPPOSED.note
    measured = speed_of([Timed(1e6, 3e-5)], 1.0, "timed")
    _path(tmp_path, 2, "auto").write_text(measured.to_json())
    assert speed_here(tmp_path, 2) == measured
    assert speed_here(tmp_path, 4) == SUPPOSED
    assert not measured.was_disturbed
    held_up = replace(measured, core_share=0.3)
    assert Speed.from_json(held_up.to_json()).was_disturbed
    _path(tmp_path, 2, "auto").write_text("{")
    assert speed_here(tmp_path, 2) == SUPPOSED


def test_a_dry_run_prints_the_plan_and_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path))
    file = tmp_path / "L.toml"
    arguments = ["train", "--preset", "2min", "--no-measure", "--slots", "2", "--dry-run"]
    assert main([*arguments, "--write", str(file)]) == 0
    said = capsys.readouterr().out
    assert "12 runs, 4 shared trunks (saves 32% of the tokens)" in said
    assert "has not been measured" in said
    assert main(["train", str(file), "--no-measure", "--slots", "2", "--dry-run", "--json"]) == 0
    meta = json.loads(capsys.readouterr().out)
    assert len(meta["dots"]) == 12
    assert read_ladder(file).name == "2min"
    assert not (tmp_path / "jobs.sqlite").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "A ladder is needed"),
        (["nowhere.toml"], "No such file"),
        (["--from-csv", "nowhere.csv"], "cannot be read"),
        (["--time", "1s", "--no-measure"], "cost more than that"),
    ],
)
def test_what_cannot_be_trained_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path))
    assert main(["train", *arguments, "--dry-run", "--slots", "1"]) == 2
    assert said in capsys.readouterr().err


def test_a_bar_is_drawn_on_terminals_alone() -> None:
    plain = io.StringIO()
    Bar(plain).draw(0.5, 60.0, ["a"])
    assert plain.getvalue() == ""
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    bar = Bar(terminal)
    bar.draw(0.5, 90.0, ["a", "b", "c", "d"])
    assert terminal.getvalue().endswith("[############............]  50%, 1.5 minutes left  a, b, c and 1 more")
    bar.line("done")
    assert terminal.getvalue().endswith("\rdone\n")
    assert "\x1b" not in terminal.getvalue()
