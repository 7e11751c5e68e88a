"""``compare`` and ``isoflop``: what they print for people and for programs, and how they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from iso_runs import A_TRUE, B_TRUE, isoflop_runs
from made_runs import chinchilla_runs

from scaling_core.cli import main
from scaling_core.cli.output import columns
from scaling_core.fitting import get_objective
from scaling_core.fitting.compare import compare
from scaling_core.laws import get_law
from scaling_core.runs import RunTable, Upload, load

Capture = pytest.CaptureFixture[str]
LAWS = ("chinchilla", "power-n", "power-c-offset", "data-constrained")
FEW = [argument for law in LAWS for argument in ("--law", law)]


def written(folder: Path, runs: RunTable) -> str:
    path = folder / "runs.csv"
    runs.frame[["run", "params", "tokens", "flops", "loss"]].to_csv(path, index=False)
    return str(path)


@pytest.fixture
def grid_csv(tmp_path: Path) -> str:
    return written(tmp_path, chinchilla_runs(0.01))


@pytest.fixture
def isoflop_csv(tmp_path: Path) -> str:
    return written(tmp_path, isoflop_runs(0.001, off=np.array([0, 0, 0, 2.5, 0, 0, 0])))


def said(capsys: Capture, *arguments: str) -> str:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def answered(capsys: Capture, *arguments: str) -> Any:
    """Run with --json and read strictly: NaN and Infinity are no JSON."""

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} in JSON")

    return json.loads(said(capsys, *arguments, "--json"), parse_constant=refuse)


def test_compare_as_json(capsys: Capture, grid_csv: str) -> None:
    found = answered(capsys, "compare", grid_csv, *FEW, "--objective", "mse-log", "--holdout-above", "1e21",
                     "--target-flops", "5.76e23")  # fmt: skip
    expected = compare(load([Upload.from_path(grid_csv)]), get_objective("mse-log"), laws=map(get_law, LAWS),
                       above=1e21, target_flops=5.76e23)  # fmt: skip
    assert [c["law"] for c in found] == [c.law.name for c in expected]
    assert [c["law"] for c in found][0::3] == ["chinchilla", "data-constrained"]
    best, *_, unfitted = found
    assert best["held_out_error"] == expected[0].held_out_error < 0.02  # a fraction
    assert best["parameters"] == expected[0].parameters
    assert best["tokens_per_param"] == pytest.approx(best["tokens"] / best["params"])
    assert best["certificate"]["grade"] == "good"
    assert (best["n_train"], best["n_test"]) == (30, 6)  # of 36, those from 1e21 on
    assert {"held_out_bias", "in_sample_error", "aicc", "bic", "loss"} <= set(best)
    assert "unique_tokens" in unfitted["error"]


def test_compare_for_people(capsys: Capture, grid_csv: str) -> None:
    text = said(capsys, "compare", grid_csv, *FEW, "--holdout-above", "1e21").splitlines()
    assert text[0].startswith("Fitted to 30 runs below 1e21 FLOPs and judged by the other 6,")
    titles, first = text[2], text[3]
    assert first.startswith("chinchilla ")
    assert first.endswith("good")
    place = titles.index("held out") + len("held out")
    assert float(first[:place].split()[1]) < 2  # in percent, under its title
    assert any(line.startswith("  - data-constrained: ") for line in text)


def test_compare_takes_every_law_and_the_points(capsys: Capture, grid_csv: str) -> None:
    found = answered(capsys, "compare", grid_csv, "--law", "power-c", "--drop-highest-loss", "3")
    assert [c["n"] for c in found] == [33]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--law", "chinchila"), "no law called"),
        (("--objective", "median"), "no objective called"),
        (("--box", "flops:1e30:1e31"), "compute"),
    ],
)
def test_compare_refuses_in_words(capsys: Capture, grid_csv: str, arguments: tuple[str, ...], says: str) -> None:
    assert main(("compare", grid_csv, *arguments)) == 2
    assert says in capsys.readouterr().err


def test_isoflop_as_json(capsys: Capture, isoflop_csv: str) -> None:
    found = answered(capsys, "isoflop", isoflop_csv, "--bootstrap", "200")
    assert found["exponent_params"] == pytest.approx(A_TRUE, abs=0.01)
    assert found["exponent_tokens"] == pytest.approx(B_TRUE, abs=0.01)
    low, high = found["exponent_params_interval"]
    assert low < found["exponent_params"] < high
    assert (len(found["budgets"]), found["budgets_used"]) == (7, 6)
    assert {"flops", "params", "tokens", "loss", "flags"} <= set(found["budgets"][0])
    outside = found["budgets"][3]
    assert "not bracketed" in outside["flags"]
    assert outside["used"] is False
    assert [f["name"] for f in found["findings"]] == ["not bracketed"]


def test_isoflop_by_another_curve_and_tolerance(capsys: Capture, isoflop_csv: str) -> None:
    found = answered(capsys, "isoflop", isoflop_csv, "--method", "akima", "--tolerance", "0.01", "--bootstrap", "0")
    assert found["method"] == "akima"
    assert found["exponent_params_interval"] == [None, None]
    assert found["budgets"][3]["params"] is None  # lowest at an end


def test_isoflop_for_people(capsys: Capture, isoflop_csv: str) -> None:
    text = said(capsys, "isoflop", isoflop_csv, "--bootstrap", "50").splitlines()
    assert text[0].split() == ["C", "runs", "sizes", "N*", "between", "D*", "D*/N*", "loss", "flags"]
    assert text[1].split()[:3] == ["1e18", "9", "9"]
    assert text[4].endswith("(not used)")
    assert text[8].startswith("N* grows as C^0.51")
    assert "over 6 budgets" in text[8]
    assert any(line.startswith("  ! At 1 of 7 budgets") for line in text)


def test_isoflop_refuses_in_words(capsys: Capture, root: Path) -> None:
    assert main(("isoflop", str(root / "sample_runs" / "cerebras_gpt.csv"))) == 2
    assert "no isoFLOP profile" in capsys.readouterr().err


def test_columns_stand_under_each_other() -> None:
    rows = [("name", "size", "never"), ("a", "1", ""), ("bcd", "12345", "")]
    assert columns(rows, left=(0,)) == ["name   size", "a         1", "bcd   12345"]
