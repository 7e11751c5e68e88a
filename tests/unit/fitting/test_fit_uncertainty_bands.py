"""Intervals of what follows from a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, allocation_exponents, band_of, quantile_interval


@pytest.fixture(scope="module")
def result() -> FitResult:
    return fitted(chinchilla_runs(0.01), resamples=100)


def test_exponents_of_the_best_split_are_those_of_the_closed_form(result: FitResult) -> None:
    """N* ~ C^(beta/(alpha+beta)), D* ~ C^(alpha/(alpha+beta)): Hoffmann et al. 2022, eq. 4."""
    params, tokens = allocation_exponents(result, level=0.8)
    alpha, beta = result.theta[3:]
    assert params.value[0] == pytest.approx(beta / (alpha + beta), rel=1e-12)
    assert tokens.value[0] == pytest.approx(alpha / (alpha + beta), rel=1e-12)
    drawn = result.draws[:, 4] / (result.draws[:, 3] + result.draws[:, 4])
    assert (params.low[0], params.high[0]) == pytest.approx(np.quantile(drawn, [0.1, 0.9]), rel=1e-12)
    assert tokens.low[0] == pytest.approx(1 - params.high[0], rel=1e-12)
    assert allocation_exponents(result, 1e26).params.value[0] == pytest.approx(params.value[0], rel=1e-10)


def test_the_joint_exponent_changes_no_split() -> None:
    """Under C = 6ND the split minimises A/N^alpha + B/D^beta, whatever it is raised to."""
    result = fitted(chinchilla_runs(), "gamma", "mse-log")
    _, _, _, alpha, beta, _ = result.theta
    assert allocation_exponents(result).params.value[0] == pytest.approx(beta / (alpha + beta), rel=1e-3)


def test_without_draws_there_is_no_interval(result: FitResult) -> None:
    params, _ = allocation_exponents(replace(result, draws=np.zeros((0, 5))))
    assert params.value[0] == allocation_exponents(result).params.value[0]
    assert np.isnan([params.low[0], params.high[0]]).all()


def test_a_law_without_a_split_has_no_exponents() -> None:
    with pytest.raises(UserError, match="does not say how to split"):
        allocation_exponents(fitted(chinchilla_runs(0.01), "power-c"))


def test_draws_without_an_answer_are_left_out(result: FitResult) -> None:
    broken = result.draws.copy()
    broken[7, 0] = np.inf
    band = band_of(replace(result, draws=broken), lambda theta: theta[..., :2], 0.9)
    assert band.value.tolist() == result.theta[:2].tolist()
    low, high = quantile_interval(np.delete(result.draws, 7, axis=0)[:, :2], 0.9)
    assert band.low.tolist() == low.tolist()
    assert band.high.tolist() == high.tolist()
