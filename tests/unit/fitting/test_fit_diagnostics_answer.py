"""Diagnostics that look at the fit and its answer: each fires where it must, and is silent where it must not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import CHINCHILLA, chinchilla_loss, chinchilla_runs, fitted, grid, noise, table

from scaling_core.fitting import Constraint, FitResult, Selection
from scaling_core.fitting.diagnostics import DIAGNOSTICS, Evidence, Finding
from scaling_core.fitting.diagnostics.parameters import implied_sample_size
from scaling_core.fitting.diagnostics.reach import random_fold_error
from scaling_core.laws import get_law
from scaling_core.runs import RunTable, Upload, load
from scaling_core.units import format_ratio

LOOK = {d.name: d.look for d in DIAGNOSTICS}
LAW = get_law("chinchilla")
N, D = grid()


@cache
def plain() -> tuple[RunTable, FitResult]:
    """The grid with half a percent of noise, and its fit with draws."""
    runs = chinchilla_runs(0.005)
    return runs, fitted(runs, objective="mse-log", resamples=200)


@cache
def loose() -> Evidence:
    """Few runs with much noise: the answer may be nearly anything."""
    runs = chinchilla_runs(0.06, 2, 4, 4)
    return Evidence(runs, fitted(runs, objective="mse-log", resamples=60))


def look(name: str, fit: FitResult | None = None, asked: float | None = None) -> Finding | None:
    return LOOK[name](Evidence(plain()[0], fit or plain()[1], asked))


def seen(name: str, runs: RunTable, law: str = "chinchilla", asked: float | None = None, **how: Any) -> Finding | None:
    return LOOK[name](Evidence(runs, fitted(runs, law, **{"objective": "mse-log", **how}), asked))


def with_certificate(**fields: Any) -> FitResult:
    return replace(plain()[1], certificate=replace(plain()[1].certificate, **fields))


def with_draws(draws: np.ndarray) -> FitResult:
    return replace(plain()[1], draws=draws)


def test_convergence_is_good_or_a_problem() -> None:
    good, bad = look("convergence"), look("convergence", with_certificate(gradient_norm=1e-3))
    assert good is not None
    assert good.severity == "good"
    assert good.number == plain()[1].certificate.gradient_norm
    assert bad is not None
    assert (bad.severity, bad.number) == ("problem", 1e-3)


def test_starts_that_do_not_agree() -> None:
    found = look("starts", with_certificate(starts_agreeing=2))
    assert found is not None
    assert found.text == "Only 2 of 36 starts reached this optimum: there may be a better one."
    assert look("convergence", with_certificate(starts_agreeing=2)) is None
    assert look("starts") is None


def test_bounds_condition_and_spare() -> None:
    assert look("bounds") is look("condition") is look("spare") is None
    bound, loose = look("bounds", with_certificate(on_bound=("E",))), look("condition", with_certificate(condition=1e4))
    spare = look("spare", replace(plain()[1], points=plain()[1].points[:7], n_points=7))
    assert bound is not None
    assert loose is not None
    assert spare is not None
    assert bound.text.startswith("E ended on the edge")
    assert (loose.number, spare.number) == (1e4, 2)


def test_a_parameter_that_the_runs_leave_open_is_none_to_spare_runs_for() -> None:
    """Where C is 6ND nothing tells its exponent from those of N and D: the law holds one and fits three numbers."""
    n, d = grid(3, 2)
    runs = table(n, d, 20 * n**-0.08 * d**-0.05 * noise(6, 0.003))
    fit = fitted(runs, "multiplicative", "mse-log")
    assert "Only" not in " ".join(fit.certificate.reasons)
    assert LOOK["spare"](Evidence(runs, fit)) is None
    assert (
        LOOK["spare"](Evidence(runs, fitted(table(n[:5], d[:5], runs.frame["loss"][:5]), "multiplicative"))) is not None
    )


def test_two_parameters_that_move_as_one() -> None:
    x = np.geomspace(1e7, 1e10, 12)
    power = seen("correlation", table(x, 7e9, (1.5 + 20 * x**-0.1) * noise(12, 0.003)), "power-n-offset", resamples=60)
    assert power is not None
    assert power.severity == "info"
    assert abs(power.number or 0) > 0.995
    assert look("correlation") is None
    assert look("correlation", with_draws(plain()[1].draws[:10])) is None


def test_parameters_that_the_runs_hardly_pin_down() -> None:
    found = LOOK["weak"](loose())
    assert found is not None
    assert found.severity == "doubt"
    assert (found.number or 0) > 3
    assert look("weak") is None


def test_without_draws_a_flat_profile_says_so() -> None:
    x = np.geomspace(1e8, 1e9, 9)
    found = seen("weak", table(x, 7e9, (0.6 + 20 * x**-0.12) * noise(9, 0.006, 1)), "power-n-offset")
    assert found is not None
    assert (found.name, found.severity) == ("weak", "doubt")
    assert "c up to" in found.text
    assert look("weak", with_draws(plain()[1].draws[:0])) is None


def test_a_split_that_is_left_open() -> None:
    found = LOOK["open split"](loose())
    assert found is not None
    assert (found.number or 0) > 10
    assert look("open split") is None


def test_intervals_narrower_than_the_scatter_allows() -> None:
    """Draws pulled in to a fifth stand for 25 times as many runs, less what a bootstrap exceeds its lower bound by."""
    runs, fit = plain()
    e = Evidence(runs, fit)
    working = e.posed.problem.working
    pulled = working.to_natural(e.u + (working.from_natural(fit.draws) - e.u) / 5)
    found = look("narrow", replace(fit, draws=pulled))
    assert found is not None
    assert found.severity == "problem"
    assert 12 * 36 < (found.number or 0) < 30 * 36
    assert look("narrow") is None


def test_fixed_parameters_make_no_interval_too_narrow() -> None:
    fixed = (Constraint("alpha", 0.34, 0.34), Constraint("beta", 0.36, 0.36))
    assert seen("narrow", plain()[0], resamples=100, constraints=fixed) is None


def test_the_published_chinchilla_interval_stands_for_hundreds_of_thousands_of_runs(reference: Path) -> None:
    """The 80% interval .454 to .455 of β/(α+β) would take over 600,000 runs (Besiroglu et al. 2024, section 3.3)."""
    points = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    draws = fitted(points, resamples=300, selection=Selection(drop_highest_loss=5)).draws
    own = float(np.std(draws[:, 4] / (draws[:, 3] + draws[:, 4]), ddof=1))
    claimed = 0.001 / (2 * 1.2815516)
    assert 4e5 < implied_sample_size(240, own, claimed) < 9e5
    assert implied_sample_size(100, 0.2, 0.1) == pytest.approx(400)
    assert implied_sample_size(100, 0.2, 0.0) == np.inf


def test_one_run_that_decides_the_answer() -> None:
    loss = chinchilla_loss(N, D) * noise(36, 0.003)
    loss[31] *= 1.08
    found = seen("single run", table(N, D, loss))
    assert found is not None
    assert found.text.startswith("Without run 32 alone the answer is")
    assert look("single run") is None


def test_a_run_whose_name_is_shared_is_called_by_its_line() -> None:
    loss = chinchilla_loss(N, D) * noise(36, 0.003)
    loss[31] *= 1.08
    found = seen("single run", table(N, D, loss, run="model"))
    assert found is not None
    assert found.text.startswith("Without line 33 alone")


def test_highest_losses_that_decide_the_answer() -> None:
    loss = chinchilla_loss(N, D) * noise(36, 0.003)
    loss[5] = 1.05 * loss.max()  # the largest model on the fewest tokens
    runs = table(N, D, loss)
    found = seen("highest losses", runs, asked=1e20)
    assert found is not None
    dropped = Evidence(runs, fitted(runs, objective="mse-log", selection=Selection(drop_highest_loss=1)), 1e20)
    taken_back = LOOK["highest losses"](dropped)
    assert taken_back is not None
    assert taken_back.text.startswith("With the highest loss, left out here, the answer would be")
    whole = Evidence(runs, fitted(runs, objective="mse-log"), 1e20)
    assert taken_back.number == pytest.approx(whole.answer, rel=1e-6)
    assert found.text.startswith(f"Without the highest loss the answer is {dropped.written(dropped.answer)}")
    assert look("highest losses") is None
    assert seen("highest losses", plain()[0], selection=Selection(drop_highest_loss=1)) is None


def test_another_objective_gives_another_answer() -> None:
    loss = chinchilla_loss(N, D) * noise(36, 0.003)
    loss[31] *= 1.08
    found = seen("objective", table(N, D, loss), objective="huber-log")
    assert found is not None
    assert found.severity == "doubt"
    assert found.text.startswith("“Squared error on ln L” gives")
    alone = Evidence(table(N, D, loss), fitted(table(N, D, loss), objective="mse-log")).answer
    assert found.number == pytest.approx(alone, rel=1e-5)
    assert look("objective") is None


def test_inside_an_open_interval_nothing_is_news() -> None:
    e = loose()
    assert e.is_open
    assert e.interval is not None
    assert not e.is_another_plan(2 * e.answer)
    assert e.is_another_plan(1.1 * e.interval[1])


@pytest.mark.parametrize(("times", "severity"), [(1 / 8, None), (8, "info"), (80, "doubt")])
def test_how_far_a_budget_lies_beyond_the_runs(times: float, severity: str | None) -> None:
    largest = 6 * N.max() * D.max()
    found = look("extrapolation", asked=times * largest)
    assert (found.severity if found else None) == severity
    if found:
        assert found.number == pytest.approx(times)
        assert f"beyond the largest run {format_ratio(times)} in C" in found.text


def test_a_budget_is_far_in_n_and_d_apart() -> None:
    N, D = np.meshgrid(np.geomspace(1e7, 3e8, 5), np.geomspace(1e11, 1e13, 5))
    runs = table(N.ravel(), D.ravel(), chinchilla_loss(N.ravel(), D.ravel()))
    found = seen("extrapolation", runs, asked=1e20)  # the law's best: 0.9B parameters on 18B tokens
    best = LAW.optimum(CHINCHILLA, np.array([1e20]))
    assert found is not None
    assert "beyond the largest run" in found.text
    assert "below the smallest" in found.text
    assert found.number == pytest.approx(max(best.params[0] / 3e8, 1e11 / best.tokens[0]), rel=1e-3)
    assert look("extrapolation") is None


def test_the_largest_runs_foretold(reference: Path) -> None:
    points = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    five = Selection(drop_highest_loss=5)
    found = seen("largest held out", points, selection=five, asked=5.76e23, objective="huber-log")
    assert found is not None
    assert (found.severity, found.number) == ("doubt", pytest.approx(0.00966, abs=1e-4))
    assert "but gives 7.46 tokens per parameter rather than 17.9" in found.text
    good = look("largest held out")
    assert good is not None
    assert good.severity == "good"


def bent(noise_size: float) -> RunTable:
    """A law in N whose runs leave it where they are largest."""
    x = np.geomspace(1e7, 1e10, 24)
    loss = (1.5 + 20 * x**-0.15) * np.where(x > 2.6e9, 1.05, 1.0) * noise(24, noise_size)
    return table(x, 20 * x, loss)


def test_the_largest_runs_not_foretold_and_random_folds_that_hide_it() -> None:
    runs = bent(0.002)
    worse = seen("largest held out", runs, "power-n-offset")
    assert worse is not None
    assert worse.severity == "doubt"
    assert (worse.number or 0) > 0.02  # one of the five that lie 5% above is below the cut
    folds = seen("random folds", runs, "power-n-offset")
    assert folds is not None
    assert (folds.number or 0) > 2
    assert look("random folds") is None


def test_random_folds_are_refits_without_them() -> None:
    runs = chinchilla_runs(0.01, sizes=5, lengths=4)
    fit = fitted(runs, objective="mse-log")
    frame, fold = runs.frame, np.random.default_rng(fit.seed).permutation(20) % 10
    off = []
    for k in range(10):
        kept, out = frame[fold != k], frame[fold == k]
        theta = fitted(table(kept["params"], kept["tokens"], kept["loss"]), objective="mse-log").theta
        off += list(np.abs(out["loss"] / chinchilla_loss(out["params"], out["tokens"], theta) - 1))
    assert random_fold_error(Evidence(runs, fit)) == pytest.approx(np.mean(off), rel=1e-5)


def test_answers_are_compared_as_splits_or_as_losses() -> None:
    split, loss = Evidence(*plain()), Evidence(plain()[0], fitted(plain()[0], "power-c", "mse-log"))
    assert (split.quantity, loss.quantity) == ("tokens_per_param", "loss")
    assert split.factor(1.5 * split.answer) == pytest.approx(1.5)
    assert split.factor(split.answer / 1.5) == pytest.approx(1.5)
    assert loss.factor(1.04 * loss.answer) == pytest.approx(1.04**10)
    assert split.factor(np.nan) == np.inf
    assert "tokens per parameter" in split.instead(20.0)
    assert "a loss of 2.000 rather than" in loss.instead(2.0)
    assert split.where == "at 6e23 FLOPs, 10× the largest run"
    assert Evidence(*plain(), 1e22).where == "at 1e22 FLOPs"
