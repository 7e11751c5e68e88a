"""The best split of a budget, against a numeric minimiser that knows only the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import CHINCHILLA, chinchilla_loss
from scipy.optimize import minimize_scalar

from scaling_core.laws import LAWS, get_law

LAW = get_law("chinchilla")
THETAS = st.tuples(
    st.floats(0, 3), st.floats(10, 1e4), st.floats(10, 1e4), st.floats(0.15, 0.7), st.floats(0.15, 0.7)
).map(np.array)


def numeric_best(theta: np.ndarray, flops: float) -> tuple[float, float]:
    """ln N and loss at the minimum over N of L(N, C/6N)."""

    def loss(log_n: float) -> float:
        # E only shifts the loss, and would hide the minimum's digits
        return float(chinchilla_loss(np.exp(log_n), flops / 6 / np.exp(log_n), np.array([0.0, *theta[1:]])))

    middle = math.log(flops / 6) / 2
    found = minimize_scalar(loss, bounds=(middle - 40, middle + 40), method="bounded", options={"xatol": 1e-10})
    return float(found.x), float(found.fun) + theta[0]


@settings(max_examples=40, deadline=None)
@given(THETAS, st.floats(15, 28))
def test_closed_form_is_the_numeric_minimum(theta: np.ndarray, log_flops: float) -> None:
    flops = 10.0**log_flops
    best = LAW.optimum(theta, np.array([flops]))
    log_n, loss = numeric_best(theta, flops)
    assert math.log(best.params[0]) == pytest.approx(log_n, abs=1e-5)
    assert best.loss[0] == pytest.approx(loss, rel=1e-12)
    assert 6 * best.params[0] * best.tokens[0] == pytest.approx(flops, rel=1e-13)


def test_a_batch_of_laws_meets_a_row_of_budgets() -> None:
    thetas = CHINCHILLA * np.linspace(0.9, 1.1, 6).reshape(3, 2, 1)
    flops = np.geomspace(1e18, 1e26, 4)
    best = LAW.optimum(thetas, flops)
    assert best.params.shape == best.tokens.shape == best.loss.shape == (3, 2, 4)
    alone = LAW.optimum(thetas[2, 1], flops[3:])
    assert (best.params[2, 1, 3], best.loss[2, 1, 3]) == (alone.params[0], alone.loss[0])


@pytest.mark.parametrize("gone", range(1, 5), ids=["A", "B", "alpha", "beta"])
def test_without_one_of_the_two_terms_there_is_no_optimum(gone: int) -> None:
    theta = CHINCHILLA.copy()
    theta[gone] = 0.0
    best = LAW.optimum(theta, np.array([1e20, 1e22]))
    assert np.isnan([best.params, best.tokens, best.loss]).all()


def test_a_law_in_one_predictor_has_no_optimum() -> None:
    for law in LAWS.values():
        if len(law.predictors) == 1:
            assert law.optimum(np.ones(len(law.parameters)), np.array([1e20])) is None
