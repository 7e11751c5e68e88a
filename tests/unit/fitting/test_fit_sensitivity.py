"""What a fit says under every objective."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_runs import CHINCHILLA, chinchilla_runs, fitted

from scaling_core.fitting import OBJECTIVES, Constraint, Selection
from scaling_core.fitting.outcome import outcome, parameter_columns
from scaling_core.fitting.sensitivity import sensitivity
from scaling_core.laws import Parameter, get_law
from scaling_core.laws.power import PowerLaw
from scaling_core.runs import Upload, load

LAW = get_law("chinchilla")


def test_the_objective_decides_a_third_of_the_plan(reference: Path) -> None:
    points = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    said = sensitivity(LAW, points, Selection(drop_highest_loss=5)).set_index(["objective", "delta"])
    ratio = said["tokens_per_param"]
    assert ratio["mse-log"].item() == pytest.approx(14.3, abs=0.05)
    assert ratio["huber-log", 1e-3] == pytest.approx(17.92, abs=0.01)
    assert ratio["huber-log", 1e-4] == pytest.approx(18.34, abs=0.01)
    assert said.loc["mse-log", ["E", "alpha", "beta"]].to_numpy()[0] == pytest.approx(
        [1.8646, 0.3603, 0.4059], abs=1e-4
    )
    # least absolute deviation on ln L: what the published refit (arXiv 2404.10102) lies next to
    published = said.loc["mae-log", ["A", "B", "alpha", "beta", "E"]].to_numpy()[0]
    assert published == pytest.approx([482.00, 2085.39, 0.34781, 0.36585, 1.81686], rel=1e-5)


def test_every_objective_is_there_and_agrees_with_its_own_fit() -> None:
    runs = chinchilla_runs(0.01)
    said = sensitivity(LAW, runs, deltas=(1e-3,))
    assert said["objective"].tolist() == list(OBJECTIVES)
    for _, row in said[said["objective"].isin(["mse-log", "mse", "huber"])].iterrows():
        alone = fitted(runs, objective=row["objective"])
        assert row[list(LAW.parameter_names)].to_numpy(dtype=float) == pytest.approx(alone.theta, rel=1e-4)
        assert np.isnan(row["delta"]) == (alone.delta is None)


def test_without_noise_every_objective_says_the_same() -> None:
    said = sensitivity(LAW, chinchilla_runs())
    assert len(said) == 10
    assert said[list(LAW.parameter_names)].to_numpy() == pytest.approx(np.tile(CHINCHILLA, (10, 1)), rel=1e-4)


def test_what_is_fixed_stays_fixed() -> None:
    said = sensitivity(LAW, chinchilla_runs(0.01), constraints=(Constraint("alpha", 0.3, 0.3),), deltas=(1e-3,))
    assert said["alpha"].to_numpy() == pytest.approx(np.full(6, 0.3))
    assert said["beta"].nunique() == 6


def test_a_parameter_called_like_another_column_keeps_apart() -> None:
    class Odd(PowerLaw):
        def __init__(self) -> None:
            super().__init__("tokens", offset=False)
            self.parameters = (Parameter("k", "k", "", ""), Parameter("loss", "l", "", ""))

        def predict(self, theta: np.ndarray, x: dict[str, np.ndarray]) -> np.ndarray:
            return theta[..., :1] * x["tokens"] ** -theta[..., 1:]

    law, rows = Odd(), chinchilla_runs().frame
    assert parameter_columns(law) == ("k (parameter)", "loss (parameter)")
    said = outcome(law, np.array([[2.0, 0.0]]), rows, 1e21)
    assert said["loss (parameter)"].item() == 0.0
    assert said["loss"].item() == 2.0
