"""Draws and correlations for a corner chart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.fitting import Constraint, FitResult
from scaling_core.fitting.corner import centred_draws, corner, correlation_matrix

NAMES = ["E", "A", "B", "alpha", "beta"]


@pytest.fixture(scope="module")
def fit() -> FitResult:
    return fitted(chinchilla_runs(0.01), objective="mse-log", resamples=700)


def test_correlations_are_those_of_the_draws(fit: FitResult) -> None:
    natural = correlation_matrix(fit, centred=False)
    assert list(natural.index) == list(natural.columns) == NAMES
    a, b = fit.draws[:, 1], fit.draws[:, 3]
    by_hand = np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std())
    assert natural.loc["A", "alpha"] == pytest.approx(by_hand)
    assert np.diag(natural) == pytest.approx(np.ones(5))


def test_centred_a_coefficient_is_its_term_at_the_centre(fit: FitResult) -> None:
    """A·exp(−alpha·mean ln N) over the typical loss, and the same of B and D; E over the typical loss."""
    runs = fit.points
    scale = np.exp(np.log(runs["loss"]).mean())
    E, A, B, alpha, beta = fit.draws.T
    N, D = (np.log(runs[c]).mean() for c in ("params", "tokens"))
    expected = np.stack([E / scale, A * np.exp(-alpha * N) / scale, B * np.exp(-beta * D) / scale, alpha, beta], axis=1)
    assert centred_draws(fit) == pytest.approx(expected)


def test_a_corner_holds_at_most_so_many_draws_evenly_and_all_in_its_correlations(fit: FitResult) -> None:
    cloud = corner(fit)
    drawn = cloud.draws.pivot(index="draw", columns="parameter", values="value")[NAMES]
    assert 500 < len(drawn) <= 600
    assert np.diff(drawn.index).max() <= 2
    assert drawn.to_numpy() == pytest.approx(fit.draws[drawn.index])
    centred = cloud.draws.pivot(index="draw", columns="parameter", values="centred")[NAMES]
    assert centred.to_numpy() == pytest.approx(centred_draws(fit)[drawn.index])
    assert len(cloud.pairs) == 10
    row = cloud.pairs.set_index(["first", "second"]).loc["B", "beta"]
    assert row["r"] == pytest.approx(correlation_matrix(fit, centred=False).loc["B", "beta"])
    assert row["r_centred"] == pytest.approx(correlation_matrix(fit).loc["B", "beta"])


def test_few_draws_are_all_shown_and_none_give_empty_frames(fit: FitResult) -> None:
    few = corner(replace(fit, draws=fit.draws[:7]))
    assert few.draws["draw"].unique().tolist() == list(range(7))
    none = corner(replace(fit, draws=fit.draws[:0]))
    assert none.draws.empty
    assert list(none.draws.columns) == ["draw", "parameter", "value", "centred"]
    assert none.pairs["r"].isna().all()


def test_a_fixed_parameter_has_no_correlation() -> None:
    fixed = fitted(
        chinchilla_runs(0.01), objective="mse-log", resamples=30, constraints=(Constraint("alpha", 0.34, 0.34),)
    )
    r = correlation_matrix(fixed)
    assert r["alpha"].drop("alpha").isna().all()
    assert np.isfinite(r.loc["B", "beta"])


def test_a_fit_from_a_file_is_centred_on_its_ranges(fit: FitResult) -> None:
    again = FitResult.from_json(fit.to_json())
    assert correlation_matrix(again, centred=False).to_numpy() == pytest.approx(
        correlation_matrix(fit, centred=False).to_numpy()
    )
    # the grid is even in ln, so the middle of its ranges is its centre
    assert correlation_matrix(again).to_numpy() == pytest.approx(correlation_matrix(fit).to_numpy(), abs=1e-6)
