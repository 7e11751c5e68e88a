"""What the samples that were trained here must show; each file is what the trainer wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from scaling_core.fitting import FitResult, Selection, fit, get_objective
from scaling_core.laws import get_law
from scaling_core.runs import load, sample

MADE_HERE = ("ladder_10min", "ladder_entropy", "ladder_images", "ladder_classify")


def fitted(name: str, selection: Selection | None = None) -> FitResult:
    runs = load(sample(name).uploads())
    return fit(get_law("chinchilla"), runs, get_objective("huber-log"), selection or Selection())


def provenance(root: Path, name: str) -> dict:
    return tomllib.loads((root / "sample_runs" / "provenance" / f"{name}.toml").read_text())


def test_the_first_sample_has_a_law_with_a_good_certificate_and_small_residuals() -> None:
    found = fitted("ladder_10min", Selection(box=Selection.parse_box("tokens:1e6:1e9")))
    assert found.certificate.grade == "good"
    frame = found.points[found.points["tokens"] >= 1e6]
    said = found.law.predict(found.theta, {c: frame[c].to_numpy() for c in found.law.predictors})
    assert len(frame) == found.n_points
    assert np.sqrt(np.mean(np.log(frame["loss"] / said) ** 2)) < 0.01


@pytest.mark.parametrize("name", MADE_HERE)
def test_the_largest_run_was_foretold_before_its_end_was_trained(root: Path, name: str) -> None:
    said = provenance(root, name)["forecast"]
    assert said["before_the_run_ended"]
    assert said["low"] <= said["came"] <= said["high"]
    assert abs(said["came"] / said["predicted"] - 1) < 0.02
    frame = load(sample(name).uploads()).frame
    largest = frame.loc[frame["flops"].idxmax()]
    assert largest["run"] == said["run"]
    assert largest["loss"] == pytest.approx(said["came"], rel=1e-12)


def test_the_law_of_a_source_of_known_entropy_has_the_truth_in_its_interval() -> None:
    found = fitted("ladder_entropy")
    truth = load(sample("ladder_entropy").uploads()).frame["source_entropy"].iloc[0]
    low, high = found.intervals()["E"]
    assert low < truth < high
    assert abs(found.parameters["E"] / truth - 1) < 0.005


@pytest.mark.parametrize("name", MADE_HERE)
def test_where_a_sample_came_from_is_said(root: Path, name: str) -> None:
    made = provenance(root, name)
    assert {"command", "commit", "processor", "cores", "torch", "wall_s"} <= made["made"].keys()
    assert made["corpus"].get("sha256") or "seed" in made["corpus"]
