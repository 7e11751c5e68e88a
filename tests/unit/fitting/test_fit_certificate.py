"""A fit says honestly what it is: an optimum or not, on a bound or not, pinned down or not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from made_runs import CHINCHILLA, chinchilla_loss, chinchilla_runs, fitted, grid, noise, noisy_fit, table

from scaling_core.errors import UserError
from scaling_core.fitting import OBJECTIVES, Objective, Selection, get_objective, parse_constraints
from scaling_core.fitting.certificate import CONVERGED_GRADIENT, certify
from scaling_core.fitting.solver import Problem, minimise
from scaling_core.laws import LAWS, Array, Law, get_law
from scaling_core.runs import RunTable

EVERY_OBJECTIVE = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
#: Laws of both kinds that N, D and C of the made runs pin down, or all but.
LAWS_HERE = ("chinchilla", "chinchilla-tied", *(n for n in LAWS if n.startswith("power-")), "gamma", "over-training")
#: These laws with one objective, every objective with one law.
EVERY_PAIR = pytest.mark.parametrize(
    ("law", "objective"),
    [(get_law(name), get_objective("huber-log")) for name in LAWS_HERE]
    + [(get_law("chinchilla"), get_objective(name)) for name in ("mse-log", "mse")],
    ids=lambda value: value.name,
)
X = np.geomspace(1e7, 1e10, 12)


def problem(law: Law, objective: Objective, runs: RunTable) -> tuple[Problem, Array]:
    """The problem of a fit, and its start points."""
    loss = runs.frame["loss"].to_numpy()
    scale = float(np.exp(np.log(loss).mean()))
    working = law.working({c: runs.frame[c].to_numpy() for c in law.predictors}, scale)
    target = loss / scale
    return Problem(working, objective, np.log(target) if objective.space == "log" else target), working.starts(target)


@EVERY_PAIR
def test_gradient_is_zero_at_the_optimum_and_large_elsewhere(law: Law, objective: Objective) -> None:
    runs = chinchilla_runs(0.01)
    posed, starts = problem(law, objective, runs)
    ones = np.ones(len(runs.frame))
    elsewhere = minimise(posed, starts[::6] * 1.1, ones, max_iterations=0)
    assert (elsewhere.gradient_norm > 1e-3).all()
    assert noisy_fit(law.name, objective.name).certificate.gradient_norm < 1e-8


@EVERY_PAIR
def test_scaled_gradient_is_the_share_that_does_not_cancel(law: Law, objective: Objective) -> None:
    """|Σ gᵢ| / Σ |gᵢ| by central differences of the cost of each run."""
    posed, starts = problem(law, objective, chinchilla_runs(0.01))
    u = starts[7:8]
    by_run = []
    for i in range(u.shape[1]):
        step = np.zeros(u.shape[1])
        step[i] = 1e-6 * max(1.0, abs(u[0, i]))
        up, down = (objective.cost(posed.residuals(u + sign * step))[0] for sign in (1, -1))
        by_run.append((up - down) / (2 * step[i]))
    expected = max(abs(np.sum(g)) / np.sum(np.abs(g)) for g in by_run)
    found = minimise(posed, u, np.ones(len(by_run[0])), max_iterations=0).gradient_norm[0]
    assert found == pytest.approx(expected, rel=1e-3)


@EVERY_OBJECTIVE
@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_a_solver_that_was_cut_short_is_called_failed(objective: Objective, iterations: int) -> None:
    posed, starts = problem(get_law("chinchilla"), objective, chinchilla_runs(0.01))
    solution = minimise(posed, starts, np.ones(36), iterations)
    best, certificate = certify(posed, solution, get_law("chinchilla").parameter_names)
    assert certificate.grade == "failed"
    assert certificate.gradient_norm > CONVERGED_GRADIENT
    assert "did not reach an optimum" in certificate.reasons[0]
    assert solution.total[best] == solution.total.min()


@EVERY_PAIR
def test_a_result_is_never_a_start_point(law: Law, objective: Objective) -> None:
    runs = chinchilla_runs(0.01)
    posed, starts = problem(law, objective, runs)
    ended = posed.working.from_natural(noisy_fit(law.name, objective.name).theta)
    # beyond delta Huber's cost is that of a median: where as many lie above as below at each D, a start may be optimal
    starts = starts[minimise(posed, starts, np.ones(36), 0).gradient_norm > CONVERGED_GRADIENT]
    assert np.abs(starts - ended).max(axis=1).min() > 1e-6  # coordinates are of order one


@EVERY_OBJECTIVE
def test_steps_never_raise_the_objective(objective: Objective) -> None:
    posed, starts = problem(get_law("chinchilla"), objective, chinchilla_runs(0.05))
    totals = [minimise(posed, starts, np.ones(36), n).total for n in (0, 1, 3, 10, 30)]
    for before, after in pairwise(totals):
        assert (after <= before).all()


def test_weights_are_counts_of_runs() -> None:
    """A run with weight 2 is the run twice; with weight 0 it is not there."""
    N, D = grid()
    loss = chinchilla_loss(N, D) * noise(36, 0.02)
    weights = np.random.default_rng(3).integers(0, 3, 36)
    law, objective = get_law("chinchilla"), get_objective("mse-log")
    posed, starts = problem(law, objective, table(N, D, loss))
    solution = minimise(posed, starts, weights)
    weighted = posed.working.to_natural(solution.u[solution.total.argmin()])
    repeated = np.repeat(np.arange(36), weights)
    np.testing.assert_allclose(
        fitted(table(N[repeated], D[repeated], loss[repeated]), objective="mse-log").theta, weighted, rtol=1e-7
    )


@pytest.mark.parametrize(
    ("letter", "objective"), [("n", "huber-log"), ("d", "mse-log"), ("c", "huber-log"), ("c", "mse")]
)
def test_an_offset_that_is_not_there_ends_on_its_bound(letter: str, objective: str) -> None:
    columns = {"n": (X, 7e9, None), "d": (3e8, X, None), "c": (3e8, 7e9, X)}[letter]
    loss = 30 * X**-0.15
    result = fitted(table(*columns[:2], loss, flops=columns[2]), f"power-{letter}-offset", objective)
    assert result.parameters["c"] < 1e-9
    assert result.certificate.on_bound == ("c",)
    assert result.certificate.grade == "doubtful"
    assert "simpler law" in result.certificate.reasons[0]


def test_an_offset_that_noise_makes_negative_ends_on_its_bound() -> None:
    loss = 30 * X**-0.15 - 0.2
    result = fitted(table(X, 7e9, loss), "power-n-offset")
    assert result.parameters["c"] == 0
    assert result.certificate.on_bound == ("c",)


# with noise the terms change places in these, at a small condition number
@pytest.mark.parametrize(("size", "seed"), [(0.0, 0), (0.01, 0), (0.01, 2)])
def test_one_ratio_of_tokens_to_parameters_is_never_certified(size: float, seed: int) -> None:
    loss = chinchilla_loss(X, 20 * X) * noise(12, size, seed)
    certificate = fitted(table(X, 20 * X, loss)).certificate
    assert certificate.grade != "good"
    assert any("along one line" in reason for reason in certificate.reasons)


def test_one_isoflop_profile_is_never_certified() -> None:
    N = np.geomspace(1e8, 3e9, 12)
    D = 1e20 / 6 / N
    certificate = fitted(table(N, D, chinchilla_loss(N, D) * noise(12, 0.01))).certificate
    assert certificate.grade == "doubtful"
    assert any("along one line" in reason for reason in certificate.reasons)


def test_a_grid_with_noise_is_certified() -> None:
    certificate = noisy_fit().certificate
    assert certificate.grade == "good"
    assert certificate.reasons == certificate.on_bound == ()
    assert 3 <= certificate.starts_agreeing <= certificate.starts == 36


def test_few_more_runs_than_parameters_are_a_doubt() -> None:
    N, D = grid(3, 3)
    loss = chinchilla_loss(N, D) * noise(9, 0.003)
    seven, nine = (fitted(table(N[:k], D[:k], loss[:k])).certificate for k in (7, 9))
    assert any("Only 2 more runs than parameters" in reason for reason in seven.reasons)
    assert not any("more runs than parameters" in reason for reason in nine.reasons)


@pytest.mark.parametrize(
    ("runs", "law", "words"),
    [
        (
            table(X[:5], X[[4, 1, 3, 0, 2]], 1 / X[:5]),
            "chinchilla",
            ("5 free parameters", "at least 6 runs", "5 are chosen"),
        ),
        (table(X[:2], X[:2], 1 / X[:2]), "power-c", ("2 free parameters", "at least 3 runs", "2 are chosen")),
        (table(1e8, X, 1 / X), "chinchilla", ("same N", "parameters")),
        (table(X, 1e9, 1 / X), "chinchilla", ("same D", "training tokens")),
        (table(1e8, 1e9, np.full(9, 3.0)), "power-c", ("same C", "training compute")),
        (table(X[[0, 1] * 6], X[[5, 6] * 6], X[[0, 1] * 6] ** -0.1), "chinchilla", ("fewer different places",)),
        (table(X, X, np.full(12, np.nan)), "chinchilla", ("no loss",)),
        (table(X, np.nan, 1 / X), "chinchilla", ("0 are chosen",)),
    ],
    ids=["few", "two", "one N", "one D", "one C", "duplicates", "no loss", "no tokens"],
)
def test_runs_that_cannot_carry_the_law_are_refused_with_the_reason(
    runs: RunTable, law: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(UserError) as caught:
        fitted(runs, law)
    assert all(word in caught.value.what for word in words), caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("E=1.8;A=400;B=2000;alpha=0.34;beta=0.36", ("Every parameter", "nothing is left to fit")),
        ("alpha=0.3;alpha=0.4", ("alpha", "more than once")),
        ("beta=0.2:0.5;beta=0.36", ("beta", "more than once")),
    ],
    ids=["all fixed", "fixed twice", "bounded and fixed"],
)
def test_limits_that_leave_no_sense_are_refused(limits: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        fitted(chinchilla_runs(0.01), constraints=parse_constraints(limits))
    assert all(word in caught.value.what for word in words), caught.value.what
    assert caught.value.fix


@EVERY_PAIR
def test_equal_losses_everywhere_give_that_loss_and_a_doubt(law: Law, objective: Objective) -> None:
    result = fitted(table(*grid(), np.full(36, 3.0)), law.name, objective.name, resamples=2)
    np.testing.assert_allclose(result.points["predicted"], 3.0, rtol=1e-9)
    assert result.certificate.grade == "doubtful"
    assert result.certificate.on_bound


def test_how_far_off_an_outlier_lies_does_not_matter_to_huber() -> None:
    """Beyond delta its pull is the same, whatever its size."""
    N, D = grid()
    loss = chinchilla_loss(N, D)
    loss[17] *= 1000
    robust = fitted(table(N, D, loss)).theta
    np.testing.assert_allclose(robust, CHINCHILLA, rtol=0.02)
    nearer = loss.copy()
    nearer[17] = chinchilla_loss(N, D)[17] * 2
    np.testing.assert_allclose(fitted(table(N, D, nearer)).theta, robust, rtol=1e-6)


def test_rows_without_a_value_are_left_out_and_said() -> None:
    runs = chinchilla_runs(0.01)
    runs.frame.loc[[3, 8], "loss"] = np.nan
    runs.frame.loc[5, "tokens"] = np.nan
    result = fitted(runs, selection=Selection(drop_highest_loss=2))
    assert result.n_points == 31
    assert "3 rows lack a value that the law reads." in result.notes
    assert "The 2 highest losses are left out." in result.notes
    assert result.points["predicted"].isna().sum() == 3
