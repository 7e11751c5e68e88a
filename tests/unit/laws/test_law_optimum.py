"""The best split of a budget, against a numeric minimiser that knows only the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import CHINCHILLA, chinchilla_loss
from scipy.optimize import minimize_scalar

from scaling_core.laws import LAWS, Law, get_law
from scaling_core.laws.base import allocate
from scaling_core.laws.optimum import searched_split

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


#: Laws in N and D that state their best split, with plausible parameters.
CLOSED = {
    "chinchilla": (1.8, 400, 2000, 0.34, 0.36),
    "chinchilla-tied": (1.87, 520.8, 1487.7, 0.3527),
    "gamma": (1.22, 3355, 18186, 0.408, 0.431, 0.452),
    "additive-power": (1.757, 401, 4.32, 0.424, 0.4305, 0.774),
    "over-training": (1.5083, 141.28, 189.52, 0.12124),
    "kaplan": (8.8e13, 5.4e13, 0.076, 0.095),
    "data-constrained": (1.87, 520.8, 1487.7, 0.3527, 0.36, 15.4, 5.3),
}


def test_every_law_in_n_and_d_is_among_these() -> None:
    assert {n for n, law in LAWS.items() if {"params", "tokens"} <= set(law.predictors)} == {*CLOSED, "multiplicative"}


@pytest.mark.parametrize("name", CLOSED)
def test_the_search_finds_what_the_closed_form_says(name: str) -> None:
    """Rounding of the loss hides ln N from the search at about 3e-7; the losses are equal."""
    law = get_law(name)
    theta = np.array(CLOSED[name]) * np.exp(0.03 * np.random.default_rng(2).normal(size=(20, len(law.parameters))))
    flops = np.geomspace(1e17, 1e27, 7)
    closed = law.optimum(theta, flops)
    found = Law.optimum(law, theta, flops) if len(law.predictors) == 2 else endless(law, theta, flops)
    np.testing.assert_allclose(np.log(found.params), np.log(closed.params), atol=1e-6)
    np.testing.assert_allclose(found.loss, closed.loss, rtol=1e-13)
    np.testing.assert_allclose(6 * closed.params * closed.tokens, np.broadcast_to(flops, (20, 7)), rtol=1e-13)


def endless(law: Law, theta: np.ndarray, flops: np.ndarray) -> object:
    """The search of a law that reads unique tokens, without any of them being seen again."""

    def loss(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return law.predict(theta, {"params": params, "tokens": tokens})

    return allocate(law, theta, flops, lambda product: searched_split(loss, (len(theta), len(flops)), product))


def test_over_training_has_one_best_ratio_at_every_budget() -> None:
    """M* = (b/a)^(1/(2·eta)), where a·M^eta + b·M^(−eta) is lowest."""
    _, a, b, eta = CLOSED["over-training"]
    best = get_law("over-training").optimum(np.array(CLOSED["over-training"]), np.array([1e18, 1e22, 1e26]))
    np.testing.assert_allclose(best.tokens / best.params, (b / a) ** (1 / (2 * eta)), rtol=1e-12)


def test_a_law_without_a_best_split_inside_is_answered_with_nan() -> None:
    """A term that vanishes moves the best split to the end of the search; one that rises with N and D as well."""
    theta = np.array([[1.8, 400.0, 0.0, 0.34, 0.36], [1.8, 0.0, 0.0, 0.34, 0.36], CHINCHILLA])
    best = Law.optimum(LAW, theta, np.array([1e20, 1e22]))
    assert np.isnan(best.params[:2]).all()
    assert np.isnan(best.loss[:2]).all()
    assert np.isfinite(best.params[2]).all()


def test_a_product_of_powers_has_no_best_split() -> None:
    assert get_law("multiplicative").optimum(np.array([5.0, -0.1, -0.1, 0.0]), np.array([1e20])) is None


@pytest.mark.parametrize("epochs", [1.5, 6.0, 40.0])
def test_with_repeated_data_the_search_is_the_numeric_minimum(epochs: float) -> None:
    """Against scipy's bounded search on the formula."""
    law, theta, flops = get_law("data-constrained"), np.array(CLOSED["data-constrained"]), 1e22
    unique = float(law.optimum(theta, np.array([flops])).tokens[0]) / epochs
    best = law.optimum(theta, np.array([flops]), unique_tokens=unique)

    def loss(log_n: float) -> float:
        x = {"params": np.exp([log_n]), "tokens": flops / 6 / np.exp([log_n]), "unique_tokens": np.array([unique])}
        return float(law.predict(theta, x)[0])

    found = minimize_scalar(loss, bounds=(math.log(1e8), math.log(1e12)), method="bounded", options={"xatol": 1e-9})
    assert best.loss[0] == pytest.approx(found.fun, rel=1e-13)
    assert math.log(best.params[0]) == pytest.approx(found.x, abs=1e-5)
    assert best.tokens[0] / unique > 1  # data is repeated, and this is the law for it
