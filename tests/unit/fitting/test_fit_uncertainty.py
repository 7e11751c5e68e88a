"""Ways to draw parameters: each against arithmetic written out again, and all against one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted, noise, table

from scaling_core.errors import UserError
from scaling_core.fitting import METHODS, Constraint, FitResult, Posed, Selection, get_method, get_objective, pose
from scaling_core.fitting.sandwich import Sandwich, normal_quantile, sandwich, smooth_bend
from scaling_core.fitting.solver import minimise_starts
from scaling_core.laws import Array, get_law
from scaling_core.runs import RunTable

EVERY_METHOD = pytest.mark.parametrize("method", METHODS)
N = 24
X = np.geomspace(1e7, 1e11, N)
LOSS = 40 * X**-0.12 * noise(N, 0.03) * np.where(np.arange(N) == N - 1, 1.1, 1.0)  # the last run is off
DESIGN = np.column_stack([np.ones(N), -(np.log(X) - np.log(X).mean())])
INVERSE = np.linalg.inv(DESIGN.T @ DESIGN)
LEVERAGE = np.einsum("ni,ij,nj->n", DESIGN, INVERSE, DESIGN)


def line(y: Array) -> tuple[Array, Array]:
    """Least squares of ln L on ln N: (ln L at the middle, b) and the residuals, predicted less measured."""
    found = INVERSE @ DESIGN.T @ y
    return found, DESIGN @ found - y


def posed_power(objective: str = "mse-log", runs: RunTable | None = None, **rest: object) -> tuple[Posed, Array]:
    """A power law of N, which squared error on ln L makes a straight line, and its optimum."""
    posed = pose(get_law("power-n"), runs or table(X, 7e9, LOSS), get_objective(objective), **rest)
    solution = minimise_starts(posed.problem, posed.starts, posed.weights)
    return posed, solution.u[solution.total.argmin()]


def spread(posed: Posed, u: Array) -> Sandwich:
    return sandwich(posed.problem, u, posed.weights, posed.groups)


def test_normal_quantiles() -> None:
    assert normal_quantile(0.5) == 0
    assert normal_quantile(0.95) == pytest.approx(1.6448536269514722, rel=1e-14)


def test_squared_error_gives_the_variance_of_mackinnon_and_white() -> None:
    """HC3: (X'X)⁻¹ X' diag(r²/(1−h)²) X (X'X)⁻¹."""
    _, r = line(np.log(LOSS))
    meat = (DESIGN * (r / (1 - LEVERAGE))[:, None] ** 2).T @ DESIGN
    textbook = INVERSE @ meat @ INVERSE
    found = spread(*posed_power())
    assert found.covariance[1, 1] == pytest.approx(textbook[1, 1], rel=1e-6)
    assert found.inverse[1, 1] == pytest.approx(INVERSE[1, 1], rel=1e-6)
    assert found.inflation(1) == pytest.approx(textbook[1, 1] / INVERSE[1, 1], rel=1e-6)


def test_stretched_residuals_are_those_of_fits_without_the_run() -> None:
    posed, u = posed_power()
    y = np.log(LOSS)
    for i in (0, 11, N - 1):
        rest = np.arange(N) != i
        b, a = np.polyfit(np.log(X[rest]), y[rest], 1)
        assert spread(posed, u).stretched[i] == pytest.approx(a + b * np.log(X[i]) - y[i], rel=1e-6)


def test_the_size_of_weights_does_not_matter() -> None:
    posed, u = posed_power("huber-log")
    doubled = sandwich(posed.problem, u, 2 * posed.weights, posed.groups)
    np.testing.assert_allclose(doubled.covariance, spread(posed, u).covariance, rtol=1e-12)


def test_rows_of_one_run_are_not_taken_for_runs() -> None:
    """Every run five times over says no more than once, and is left out with its copies."""
    ends = np.tile([False] * 4 + [True], N)
    runs = {"run": np.repeat([f"r{i}" for i in range(N)], 5), "is_final": ends}
    five = table(np.repeat(X, 5), 7e9, np.repeat(LOSS, 5), **runs)
    posed, u = posed_power(runs=five, selection=Selection(checkpoints="all"))
    once = spread(*posed_power())
    together, apart = spread(posed, u), sandwich(posed.problem, u, posed.weights, np.arange(5 * N))
    assert together.covariance[1, 1] == pytest.approx(once.covariance[1, 1], rel=1e-6)
    np.testing.assert_allclose(together.stretched[::5], once.stretched, rtol=1e-5)
    assert apart.covariance[1, 1] < 0.2 * together.covariance[1, 1]


@pytest.mark.parametrize("delta", [1e-7, 1e-3, 0.02])
def test_the_mean_bend_is_the_density_of_residuals_around_zero(delta: float) -> None:
    """For normal residuals of deviation s, P(|r| < delta); through a window of .7 s, a little less."""
    s = 0.01
    r = s * np.random.default_rng(0).standard_normal(20_000)
    objective = replace(get_objective("huber-log"), delta=delta)
    within = 2 * normal_cdf(delta / s) - 1
    assert np.mean(smooth_bend(objective, r)) == pytest.approx(within, rel=0.06)
    assert (smooth_bend(get_objective("mse-log"), r) == 1).all()


def normal_cdf(z: float) -> float:
    from math import erf

    return 0.5 * (1 + erf(z / 2**0.5))


def test_huber_sandwich_is_the_asymptotic_variance_of_a_robust_line() -> None:
    """E ψ² / (E ψ')² (X'X)⁻¹ for errors that do not depend on N (Huber & Ronchetti 2009, section 7.6)."""
    n, s, delta = 4000, 0.02, 0.01
    x = np.geomspace(1e7, 1e11, n)
    posed, u = posed_power("huber-log", table(x, 7e9, 40 * x**-0.12 * noise(n, s)))
    posed = replace(posed, problem=replace(posed.problem, objective=posed.objective.with_delta(delta)))
    z = delta / s
    bend = 2 * normal_cdf(z) - 1
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    slope2 = s * s * (bend - 2 * z * density) + delta**2 * (1 - bend)
    expected = slope2 / bend**2 / np.sum((np.log(x) - np.log(x).mean()) ** 2)
    assert spread(posed, u).covariance[1, 1] == pytest.approx(expected, rel=0.1)


@EVERY_METHOD
def test_draws_scatter_as_the_textbook_says(method: str) -> None:
    """The standard error of the slope of a line through 60 runs of equal scatter."""
    x = np.geomspace(1e7, 1e11, 60)
    loss = 40 * x**-0.12 * noise(60, 0.03, seed=4)
    centred = np.log(x) - np.log(x).mean()
    residual = np.log(loss) - np.polyval(np.polyfit(centred, np.log(loss), 1), centred)
    textbook = np.sqrt(residual @ residual / 58 / (centred @ centred))
    result = fitted(table(x, 7e9, loss), "power-n", "mse-log", 1000, method=method)
    assert result.standard_errors()["b"] == pytest.approx(textbook, rel=0.15)
    assert np.median(result.draws[:, 1]) == pytest.approx(result.parameters["b"], abs=0.15 * textbook)


def test_wild_draws_are_fits_to_losses_with_residuals_turned_around() -> None:
    """Squared error on ln L: numpy solves each refit exactly."""
    posed, u = posed_power()
    _, r = line(np.log(LOSS))
    signs = np.random.default_rng(3).choice([-1.0, 1.0], size=(40, N))
    predicted = np.log(LOSS) + r
    expected = [line(predicted - s * r / (1 - LEVERAGE))[0][1] for s in signs]
    draws, lost = METHODS["wild"].draw(posed, u, 40, 3)
    assert lost == 0
    np.testing.assert_allclose(draws[:, 1], expected, rtol=1e-6)


def test_residuals_of_one_run_turn_together() -> None:
    """Three runs allow eight choices of signs, however many checkpoints they have."""
    runs = {"run": np.repeat(["a", "b", "c"], 8), "is_final": np.tile([False] * 7 + [True], 3)}
    posed, u = posed_power(runs=table(X, 7e9, LOSS, **runs), selection=Selection(checkpoints="all"))
    draws, _ = METHODS["wild"].draw(posed, u, 100, 0)
    assert len(np.unique(draws.round(6), axis=0)) == 8


@EVERY_METHOD
def test_draws_follow_the_seed_and_stay_within_bounds(method: str) -> None:
    posed = pose(get_law("chinchilla"), chinchilla_runs(0.02), get_objective("huber-log"))
    solution = minimise_starts(posed.problem, posed.starts, posed.weights)
    u = solution.u[solution.total.argmin()]
    draws, lost = METHODS[method].draw(posed, u, 60, 1)
    assert draws.shape == (60 - lost, 5)
    assert lost <= 1
    assert draws.tolist() == METHODS[method].draw(posed, u, 60, 1)[0].tolist()
    assert not np.isin(draws, METHODS[method].draw(posed, u, 60, 2)[0]).any()
    assert (draws >= posed.problem.working.lower).all()
    assert (draws <= posed.problem.working.upper).all()


@EVERY_METHOD
def test_what_is_fixed_does_not_scatter(method: str) -> None:
    constraints = (Constraint("alpha", 0.34, 0.34),)
    result = fitted(chinchilla_runs(0.01), resamples=30, method=method, constraints=constraints)
    assert result.draws[:, 3] == pytest.approx(0.34, rel=1e-12)
    assert result.draws[:, 4].std() > 1e-4
    assert result.method == method
    assert FitResult.from_json(result.to_json()).method == method


@EVERY_METHOD
def test_exact_runs_leave_nothing_to_draw(method: str) -> None:
    result = fitted(chinchilla_runs(), "chinchilla", "mse-log", 20, method=method)
    np.testing.assert_allclose(result.draws, np.tile(result.theta, (20, 1)), rtol=1e-5)


def test_a_parameter_on_its_bound_is_not_drawn_from_a_normal_distribution() -> None:
    result = fitted(table(X, 7e9, 30 * X**-0.15 - 0.2), "power-n-offset", "mse-log", 50, method="laplace")
    assert result.certificate.on_bound == ("c",)
    assert (result.draws[:, 2] == 0).all()
    assert "bound" in METHODS["laplace"].about


def test_methods_say_what_they_are_and_an_unknown_one_is_refused() -> None:
    assert all(m.title and m.about for m in METHODS.values())
    with pytest.raises(UserError, match="no way to draw called “jackknife”") as caught:
        get_method("jackknife")
    assert all(name in caught.value.fix for name in METHODS)
