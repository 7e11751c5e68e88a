"""Fits find what is there: the law that made the data, or an optimum no other solver beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import CHINCHILLA, chinchilla_runs, fitted, grid, noise, noisy_fit, table
from scipy.optimize import linprog, minimize

from scaling_core.fitting import OBJECTIVES
from scaling_core.laws import Array
from scaling_core.runs import RunTable

EVERY_OBJECTIVE = pytest.mark.parametrize("objective", OBJECTIVES)
X = np.geomspace(1e7, 1e11, 14)


def independent_cost(log_theta: Array, runs: RunTable, objective: str) -> tuple[float, Array]:
    """The objective by ln of all parameters and its gradient, written again from the definitions."""
    off, by_off = independent_residuals(log_theta, runs, objective)
    if objective.startswith("huber"):
        size = np.abs(off)
        cost = np.where(size <= 1e-3, off**2 / 2, 1e-3 * (size - 0.5e-3))
        return float(cost.sum()), by_off @ np.clip(off, -1e-3, 1e-3)
    if objective.startswith("mae"):
        return float(np.mean(np.abs(off))), by_off @ np.sign(off) / len(off)
    return float(np.mean(off**2)), 2 * by_off @ off / len(off)


def independent_residuals(log_theta: Array, runs: RunTable, objective: str) -> tuple[Array, Array]:
    """What the objective is a cost of, (n,), and its derivatives by ln of the parameters, (5, n)."""
    E, A, B, alpha, beta = np.exp(log_theta)
    N, D, loss = (runs.frame[c].to_numpy() for c in ("params", "tokens", "loss"))
    terms = np.array([np.full(len(N), E), A * N**-alpha, B * D**-beta])
    predicted = terms.sum(axis=0)
    slopes = np.array([*terms, -terms[1] * alpha * np.log(N), -terms[2] * beta * np.log(D)])
    if objective.endswith("-log"):
        return np.log(predicted / loss), slopes / predicted
    unit = np.exp(np.log(loss).mean()) if objective == "huber" else 1.0  # its threshold is a share of the typical loss
    return (predicted - loss) / unit, slopes / unit


def linear_programmes(runs: RunTable, objective: str) -> Array:
    """Least absolute error by linear programmes on the residuals' slopes (Osborne & Watson 1971): ln of the parameters.

    Each minimises Σ|r + J·d| over steps d no longer than a radius, which shrinks where the true cost did not follow.
    """
    p, radius = np.log(CHINCHILLA), 0.5
    while radius > 1e-9:
        off, slopes = independent_residuals(p, runs, objective)
        n = len(off)
        above = np.hstack([slopes.T, -np.eye(n)])
        ended = linprog(
            np.r_[np.zeros(5), np.ones(n)],
            A_ub=np.vstack([above, np.hstack([-slopes.T, -np.eye(n)])]),
            b_ub=np.r_[-off, off],
            bounds=[(-radius, radius)] * 5 + [(0, None)] * n,
        )
        step = p + ended.x[:5]
        won = independent_cost(step, runs, objective)[0] < independent_cost(p, runs, objective)[0]
        p, radius = (step, 2 * radius) if won else (p, radius / 4)
    return p


def independent_optimum(runs: RunTable, objective: str) -> Array:
    """ln of the parameters: scipy's BFGS from many starts, each begun again where it stopped, its best end."""
    if objective.startswith("mae"):  # kinks are no place for BFGS
        return linear_programmes(runs, objective)
    size, _ = independent_cost(np.log(CHINCHILLA), runs, objective)  # brings the cost to order one

    def cost(p: Array) -> tuple[float, Array]:
        value, gradient = independent_cost(p, runs, objective)
        return value / size, gradient / size

    rng = np.random.default_rng(5)
    ends = []
    for start in np.log(CHINCHILLA) + rng.normal(size=(8, 5)) * [0.2, 1.0, 1.0, 0.15, 0.15]:
        for _ in range(2):
            end = minimize(cost, start, jac=True, method="BFGS", options={"gtol": 1e-10})
            start = end.x
        ends.append(end)
    return np.asarray(min(ends, key=lambda end: end.fun).x)


@EVERY_OBJECTIVE
def test_noiseless_chinchilla_is_recovered(objective: str) -> None:
    result = fitted(chinchilla_runs(), objective=objective)
    np.testing.assert_allclose(result.theta, CHINCHILLA, rtol=1e-6)
    assert result.value < 1e-18
    assert result.certificate.grade == "good"


@EVERY_OBJECTIVE
def test_no_independent_solver_finds_a_lower_objective(objective: str) -> None:
    runs, result = chinchilla_runs(0.01), noisy_fit("chinchilla", objective)
    independent = independent_optimum(runs, objective)
    theirs, _ = independent_cost(independent, runs, objective)
    ours, _ = independent_cost(np.log(result.theta), runs, objective)
    rounded = 2e-7 if objective.startswith("mae") else 0.0  # of a kink within 1e-7 of the typical loss, about 3
    assert result.value == pytest.approx(ours, rel=1e-12, abs=rounded)
    assert ours <= theirs * (1 + 1e-9) + rounded
    assert theirs == pytest.approx(ours, rel=1e-6)  # else the other solver was no test
    np.testing.assert_allclose(np.exp(independent), result.theta, rtol=0.01)


def power_runs(letter: str, loss: Array) -> RunTable:
    """Runs in which only the named predictor is meant to be read."""
    columns = {"n": (X, 7e9), "d": (3e8, X), "c": (3e8, 7e9)}[letter]
    return table(*columns, loss, flops=X if letter == "c" else None)


@settings(max_examples=4, deadline=None)
@given(st.sampled_from("ndc"), st.floats(0.3, 5), st.floats(0.05, 0.8), st.floats(0.3, 3))
@pytest.mark.parametrize("offset", [True, False], ids=["offset", "no offset"])
def test_power_laws_recover_their_own_parameters(
    offset: bool, letter: str, at_middle: float, b: float, c: float
) -> None:
    middle = np.exp(np.log(X).mean())
    a = at_middle * middle**b  # so that the power term is at_middle in the middle of the data
    loss = a * X**-b + c * offset
    result = fitted(power_runs(letter, loss), f"power-{letter}" + ("-offset" if offset else ""))
    np.testing.assert_allclose(result.theta, [a, b, c][: 2 + offset], rtol=1e-6)


@EVERY_OBJECTIVE
@pytest.mark.parametrize("law", ["power-c-offset"])
def test_power_laws_under_every_objective(law: str, objective: str) -> None:
    theta = np.array([40.0, 0.12, 1.1])[: 3 if law.endswith("offset") else 2]
    loss = 40 * X**-0.12 + 1.1 * law.endswith("offset")
    np.testing.assert_allclose(fitted(power_runs(law[6], loss), law, objective).theta, theta, rtol=1e-6)


def test_straight_line_in_logs_is_the_squared_error_power_law() -> None:
    """A power law without offset under squared error on ln L is linear regression, which numpy solves exactly."""
    loss = 30 * X**-0.1 * noise(len(X), 0.02)
    slope, intercept = np.polyfit(np.log(X), np.log(loss), 1)
    result = fitted(power_runs("c", loss), "power-c", "mse-log")
    np.testing.assert_allclose(result.theta, [np.exp(intercept), -slope], rtol=1e-9)


@pytest.mark.parametrize(
    ("objective", "times"), [("huber-log", 1e-30), ("mse-log", 1e30), ("mse", 1e-30), ("mse", 1e30)]
)
def test_the_unit_of_loss_does_not_matter(objective: str, times: float) -> None:
    plain = noisy_fit("chinchilla", objective)
    other = fitted(table(*grid(), plain.points["loss"] * times), objective=objective)
    np.testing.assert_allclose(other.theta[3:], plain.theta[3:], rtol=1e-9)
    np.testing.assert_allclose(other.theta[:3], plain.theta[:3] * times, rtol=1e-9)
    unit = times**2 if objective == "mse" else 1.0
    assert other.value == pytest.approx(plain.value * unit, rel=1e-9)
    assert other.certificate.grade == plain.certificate.grade == "good"


def test_the_order_of_rows_does_not_matter() -> None:
    runs = chinchilla_runs(noise_size=0.01)
    turned = runs.frame.iloc[::-1].reset_index(drop=True)
    other = fitted(table(turned["params"], turned["tokens"], turned["loss"]), objective="mse-log")
    np.testing.assert_allclose(other.theta, noisy_fit("chinchilla", "mse-log").theta, rtol=1e-8)


def test_a_fit_is_repeated_to_the_last_digit() -> None:
    runs = chinchilla_runs(noise_size=0.01)
    first, second = (fitted(runs, objective="mse-log", resamples=40, seed=4) for _ in range(2))
    assert first.theta.tolist() == second.theta.tolist()
    assert first.draws.tolist() == second.draws.tolist()


@EVERY_OBJECTIVE
def test_points_carry_prediction_and_residual(objective: str) -> None:
    result = noisy_fit("chinchilla", objective)
    rows = result.points
    by_hand = result.law.predict(result.theta, {c: rows[c].to_numpy() for c in ("params", "tokens")})
    np.testing.assert_array_equal(rows["predicted"], by_hand)
    np.testing.assert_allclose(rows["residual"], rows["loss"] / by_hand - 1)
    assert result.scatter() == pytest.approx(float(np.sqrt(np.mean(rows["residual"] ** 2))))
    assert 0.006 < result.scatter() < 0.014


def test_ninety_percent_intervals_hold_the_truth_about_as_often() -> None:
    """Of 20 noisy sets of 40 runs: a binomial of .9 gives fewer than 13 once in 2,000 times."""
    x = np.geomspace(1e7, 1e11, 40)
    held = 0
    for seed in range(20):
        runs = table(x, 7e9, 40 * x**-0.12 * noise(40, 0.05, seed))
        low, high = fitted(runs, "power-n", "mse-log", 40, seed=seed).intervals(0.9)["b"]
        held += low <= 0.12 <= high
    assert held >= 17


def test_intervals_narrow_with_the_level_and_bands_hold_the_law() -> None:
    result = fitted(chinchilla_runs(0.01), objective="mse-log", resamples=200)
    wide, narrow = result.intervals(0.95), result.intervals(0.5)
    for name, value in result.parameters.items():
        assert wide[name][0] < narrow[name][0] < narrow[name][1] < wide[name][1]
        assert wide[name][0] < value < wide[name][1]
    x = {"params": np.array([1e9, 1e10]), "tokens": np.array([1e11, 1e12])}
    band = result.predict(x, 0.9)
    assert (band.low < band.value).all()
    assert (band.value < band.high).all()
    np.testing.assert_array_equal(band.value, result.law.predict(result.theta, x))


def test_without_draws_there_are_no_intervals_and_a_note() -> None:
    result = fitted(chinchilla_runs(0.01), objective="mse-log")
    assert result.intervals() == {}
    assert result.standard_errors() == {}
    band = result.predict({"params": np.array([1e9]), "tokens": np.array([1e11])})
    assert np.isnan([band.low, band.high]).all()
    assert any("no intervals" in note for note in result.notes)
