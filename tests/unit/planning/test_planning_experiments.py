"""Next experiments: designs known in closed form or by trying all, slopes in closed form, and what they are worth."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from made_runs import chinchilla_loss, fitted, noise, table

from benchmarks.experiments import TRUTHS, Errors, joined, rms, simulate
from scaling_core.errors import UserError
from scaling_core.fitting import Constraint, FitResult, Selection
from scaling_core.planning import Scenario, basis_of_fit, plan
from scaling_core.planning.candidates import Asked, candidates
from scaling_core.planning.design import Question, choose, worth_keeping
from scaling_core.planning.experiments import next_experiments
from scaling_core.planning.information import evidence_of
from scaling_core.planning.posterior import walked

TARGET, BUDGET = 1e23, 1e20
_SIZES, _RATIOS = (
    axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 8e7, 4), np.array([5.0, 20.0, 80.0]), indexing="ij")
)


def small_runs(size: float = 0.0075, seed: int = 1, law: str = "chinchilla", resamples: int = 0, **rest) -> FitResult:
    """A fit to twelve small runs."""
    tokens = _SIZES * _RATIOS
    loss = chinchilla_loss(_SIZES, tokens) * noise(12, size, seed)
    return fitted(table(_SIZES, tokens, loss), law, rest.pop("objective", "mse-log"), resamples, **rest)


@pytest.fixture(scope="module")
def fit() -> FitResult:
    return small_runs(resamples=200)


# --- the arithmetic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("beyond", "at_the_near_end"), [(2.0, 30), (4.0, 25), (1.0, 40)])
def test_a_line_is_extrapolated_from_both_ends(beyond: float, at_the_near_end: int) -> None:
    """Hoel & Levine 1964: of runs on [-1, 1], the share (z + 1)/2z belongs at 1 and the rest at -1."""
    x = np.linspace(-1, 1, 21)
    lines = np.stack([np.ones(21), x])[None]
    question = Question(1e-9 * np.eye(2)[None], np.array([[1.0, beyond]]), lines, np.ones(21))
    chosen = choose(question, budget=40, most=40, repeats=40)
    places, counts = np.unique(x[chosen], return_counts=True)
    assert len(chosen) == 40
    assert counts[places == 1].sum() == pytest.approx(at_the_near_end, abs=1)
    assert counts[np.abs(places) == 1].sum() == 40


def random_question(seed: int, count: int = 10) -> Question:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 3, 3))
    known = root @ root.transpose(0, 2, 1) + 0.01 * np.eye(3)
    return Question(known, rng.normal(size=(5, 3)), rng.normal(size=(5, 3, count)), rng.uniform(0.2, 3, count))


def test_the_variance_is_that_of_the_information_matrix() -> None:
    question = random_question(0)
    j = question.candidates[:, :, [1, 4]]
    said = [
        np.log(c @ np.linalg.solve(m + a @ a.T, c)) for m, c, a in zip(question.known, question.wanted, j, strict=True)
    ]
    assert question.log_variance([1, 4]) == pytest.approx(np.mean(said), rel=1e-10)
    assert question.spread([1, 4]) == pytest.approx(np.exp(np.mean(said) / 2), rel=1e-10)
    alone = np.exp((question.log_variance([4]) - question.log_variance([1, 4])) / 2)
    assert question.widening([1, 4])[0] == pytest.approx(alone, rel=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_a_choice_is_as_good_as_the_best_of_all(seed: int) -> None:
    question, budget, most = random_question(seed), 4.0, 4
    every = (c for k in range(1, most + 1) for c in itertools.combinations(range(10), k))
    best = min(question.log_variance(c) for c in every if question.cost[list(c)].sum() <= budget)
    chosen = choose(question, budget, most)
    assert question.cost[chosen].sum() <= budget * (1 + 1e-9)
    assert len(chosen) == len(set(chosen)) <= most
    assert question.log_variance(chosen) <= best + 0.02  # 1% of the interval
    assert list(question.cost[chosen]) == sorted(question.cost[chosen])


def test_what_brings_nothing_is_dropped() -> None:
    lines = np.array([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])
    question = Question(np.eye(2)[None], np.array([[1.0, 0.0]]), lines, np.ones(3))
    assert worth_keeping(question, [0, 1, 2], least=0.005) == [0, 2]
    assert choose(question, budget=0.5, most=3) == []


# --- what a fit knows -------------------------------------------------------------------------------------------------


def test_slopes_of_the_target_are_those_of_the_closed_form(fit: FitResult) -> None:
    params, tokens = np.geomspace(1e7, 1e9, 5), np.geomspace(1e8, 1e10, 5)
    evidence = evidence_of(fit, params, tokens)
    centre_n = np.log(np.concatenate([_SIZES, params])).mean()
    centre_d = np.log(np.concatenate([_SIZES * _RATIOS, tokens])).mean()
    E, A, B, alpha, beta = evidence.u
    best = fit.law.optimum(fit.theta, np.array([TARGET]))
    log_n, log_d = np.log(best.params[0]), np.log(best.tokens[0])
    of_size = [0, 1 / A, -1 / B, 1 / alpha + centre_n - log_n, -1 / beta - centre_d + log_d]
    np.testing.assert_allclose(
        evidence.quantity_slope(evidence.u[None], TARGET, "params")[0], np.array(of_size) / (alpha + beta), rtol=1e-5
    )
    # the envelope theorem: at the best split only the parameters themselves move the loss
    by_size, by_data = np.exp(-alpha * (log_n - centre_n)), np.exp(-beta * (log_d - centre_d))
    of_loss = [1, by_size, by_data, -A * by_size * (log_n - centre_n), -B * by_data * (log_d - centre_d)]
    value = E + A * by_size + B * by_data
    np.testing.assert_allclose(
        evidence.quantity_slope(evidence.u[None], TARGET, "loss")[0], np.array(of_loss) / value, rtol=1e-5
    )


def test_noise_is_that_of_the_residuals() -> None:
    quiet, loud = (evidence_of(small_runs(s), np.array([1e8]), np.array([1e9])).noise for s in (0.001, 0.01))
    assert quiet == pytest.approx(0.001, rel=0.5)
    assert loud / quiet == pytest.approx(10, rel=0.05)


def test_checkpoints_of_a_run_count_as_one() -> None:
    tokens = np.repeat(_SIZES * _RATIOS, 3) * np.tile([0.8, 0.9, 1.0], 12)
    params = np.repeat(_SIZES, 3)
    names, last = np.repeat([f"run {i}" for i in range(12)], 3), np.tile([False, False, True], 12)
    loss = chinchilla_loss(params, tokens) * noise(36, 0.005)
    runs = table(params, tokens, loss, run=names, is_final=last)
    every = fitted(runs, objective="mse-log", selection=Selection(checkpoints="all"))
    evidence = evidence_of(every, np.array([1e8]), np.array([1e9]))
    assert evidence.runs == 36
    assert (evidence.root_weights[:36] ** 2).sum() == pytest.approx(12)
    answer = next_experiments(every, TARGET, BUDGET)
    assert any("Checkpoints" in note for note in answer.notes)


def test_a_large_run_weighs_what_the_fit_would_give_it() -> None:
    by_root = small_runs(weights="flops^0.5")
    flops = 6 * _SIZES**2 * _RATIOS
    evidence = evidence_of(by_root, np.array([1e9]), np.array([2e10]))
    assert evidence.root_weights[-1] ** 2 == pytest.approx(np.sqrt(1.2e20) / np.sqrt(flops).mean(), rel=1e-9)


# --- the answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", ["loss", "params"])
def test_an_answer_holds_together(fit: FitResult, quantity: str) -> None:
    answer = next_experiments(fit, TARGET, BUDGET, quantity=quantity)
    runs = answer.runs
    assert 3 <= len(runs) <= 12
    assert runs["params"].nunique() >= 3
    np.testing.assert_allclose(runs["flops"], 6 * runs["params"] * runs["tokens"])
    np.testing.assert_allclose(runs["share"], runs["flops"] / BUDGET)
    assert answer.spent == pytest.approx(runs["flops"].sum())
    assert answer.spent <= BUDGET * (1 + 1e-9)
    np.testing.assert_allclose(
        runs["expected_loss"], chinchilla_loss(runs["params"].to_numpy(), runs["tokens"].to_numpy(), fit.theta)
    )
    assert runs["flops"].is_monotonic_increasing
    assert not runs.duplicated(["params", "tokens"]).any()
    said = plan(basis_of_fit(fit), Scenario(TARGET))
    assert answer.expected == pytest.approx(getattr(said, quantity))
    # the lowest loss of the budget, each draw at its own best size; a plan's is that of one size by all draws
    best = fit.law.optimum(fit.draws, np.array([TARGET]))
    own = np.quantile(best.loss[:, 0], [0.05, 0.95]) if quantity == "loss" else said.intervals[quantity]
    assert answer.before == pytest.approx(tuple(own), rel=1e-6)
    width = [np.log(high / low) for low, high in (answer.before, answer.after)]
    assert width[1] / width[0] == pytest.approx(answer.narrowing)
    assert answer.narrowing < 0.3
    assert answer.after[0] < answer.expected < answer.after[1]
    assert all("without it the interval would be" in why for why in runs["why"])


def test_a_csv_gives_the_same_runs_back_and_a_seed_the_same_choice(fit: FitResult) -> None:
    answer = next_experiments(fit, TARGET, BUDGET, seed=3)
    back = pd.read_csv(io.StringIO(answer.to_csv()))
    pd.testing.assert_frame_equal(back, answer.runs, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(next_experiments(fit, TARGET, BUDGET, seed=3).runs, answer.runs)


def test_limits_are_kept(fit: FitResult) -> None:
    answer = next_experiments(
        fit, TARGET, BUDGET, max_params=2e8, max_tokens=6e9, max_run_flops=4e18, max_runs=7, quantity="params"
    )
    assert len(answer.runs) <= 7
    assert answer.runs["params"].max() <= 2e8
    assert answer.runs["tokens"].max() <= 6e9
    assert answer.runs["flops"].max() <= 4e18
    free = next_experiments(fit, TARGET, BUDGET, quantity="params")
    assert answer.narrowing > free.narrowing
    assert len(next_experiments(fit, TARGET, BUDGET, max_runs=1).runs) == 1
    assert any("of the budget is left" in note for note in answer.notes)


def test_more_budget_narrows_more_and_never_widens(fit: FitResult) -> None:
    found = [next_experiments(fit, TARGET, budget, quantity="params").narrowing for budget in (1e17, 1e18, 1e19, 1e20)]
    assert found == sorted(found, reverse=True)
    assert found[0] < 1


def test_candidates_are_round_and_near_what_was_tried(fit: FitResult) -> None:
    params, tokens = candidates(fit, Asked(TARGET, BUDGET, "loss", 12))
    assert {f"{value:.1e}" for value in params} >= {"1.0e+07", "1.5e+07", "2.2e+07", "1.0e+09"}
    ratio = tokens / params
    assert 2.5 <= ratio.min() < 4
    assert 100 < ratio.max() <= 160
    assert (6 * params * tokens).max() <= BUDGET


@pytest.mark.parametrize(
    ("law", "rest"),
    [
        ("chinchilla-tied", {}),
        ("over-training", {}),
        ("gamma", {}),
        ("custom:E + A/params^a + B/tokens^b", {}),
        ("chinchilla", {"constraints": (Constraint("alpha", 0.34, 0.34),)}),
        ("chinchilla", {"objective": "huber-log"}),
        ("chinchilla", {"objective": "mse"}),
        ("chinchilla", {"weights": "flops^0.5"}),
    ],
)
def test_every_law_that_splits_a_budget_may_ask(law: str, rest: dict) -> None:
    answer = next_experiments(small_runs(law=law, **rest), TARGET, BUDGET)
    assert 0 < answer.narrowing < 0.9
    assert answer.spent <= BUDGET * (1 + 1e-9)
    assert answer.before[0] < answer.expected < answer.before[1]


def test_a_fixed_parameter_is_known() -> None:
    """With both exponents fixed the law is linear, and far less is left to learn."""
    fixed = (Constraint("alpha", 0.34, 0.34), Constraint("beta", 0.36, 0.36))
    free, held = (next_experiments(f, TARGET, BUDGET) for f in (small_runs(), small_runs(constraints=fixed)))
    spread = [np.log(a.before[1] / a.before[0]) for a in (free, held)]
    assert spread[1] < 0.3 * spread[0]


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ({"budget_flops": 1e13}, "do not pay for one run"),
        ({"budget_flops": -1.0}, "buy no experiments"),
        ({"target_flops": np.inf}, "target"),
        ({"quantity": "tokens"}, "loss, params"),
        ({"max_runs": 0}, "Ask for 1 to"),
        ({"max_params": 1e6}, "limits leave no run"),
        ({"max_tokens": -1.0}, "above zero"),
        ({"max_run_flops": 1e13}, "do not pay for one run"),
    ],
)
def test_what_cannot_be_asked_is_said_in_words(fit: FitResult, rest: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        next_experiments(fit, **({"target_flops": TARGET, "budget_flops": BUDGET} | rest))


def test_fits_that_cannot_answer_say_so(fit: FitResult) -> None:
    with pytest.raises(UserError, match="does not say how to split a budget"):
        next_experiments(small_runs(law="power-c"), TARGET, BUDGET)
    with pytest.raises(UserError, match="exactly on the law"):
        next_experiments(small_runs(0.0), TARGET, BUDGET)
    with pytest.raises(UserError, match="read from a file"):
        next_experiments(FitResult.from_json(fit.to_json()), TARGET, BUDGET)


def test_a_ladder_at_one_ratio_is_told_to_leave_it() -> None:
    """At one D/N the runs leave N and D open: the fit may lie anywhere on a ridge, or drop one of the two."""
    params = np.geomspace(1e7, 1e8, 12)
    answered = 0
    for seed in (0, 1, 4):  # the last drops N altogether
        loss = chinchilla_loss(params, 20 * params) * noise(12, 0.01, seed)
        ladder = fitted(table(params, 20 * params, loss), objective="mse-log")
        answer = next_experiments(ladder, TARGET, BUDGET, quantity="params")
        ratio = answer.runs["tokens"] / answer.runs["params"]
        assert ratio.max() > 4 * ratio.min()
        assert answer.narrowing < 0.7
        assert answer.before[0] <= answer.expected <= answer.before[1]
        answered += any("leave open" in note for note in answer.notes)
    assert answered >= 2


def test_walkers_find_a_ridge_that_is_no_ellipse() -> None:
    """x standard normal and y normal around x²: E y = 1, var y = 2 + s²; far from what a normal draw there would be."""
    start = 0.1 * np.random.default_rng(0).standard_normal((200, 2))
    found = walked(lambda v: -0.5 * (v[:, 0] ** 2 + ((v[:, 1] - v[:, 0] ** 2) / 0.2) ** 2), start, 2000, seed=1)
    assert found[:, 0].mean() == pytest.approx(0, abs=0.25)
    assert found[:, 0].std() == pytest.approx(1, abs=0.2)
    assert found[:, 1].mean() == pytest.approx(1, abs=0.3)
    assert (found[:, 1] - found[:, 0] ** 2).std() == pytest.approx(0.2, abs=0.05)


def test_the_runs_are_worth_more_than_a_grid_or_one_largest_run_of_equal_cost() -> None:
    found = [simulate(law, theta, 3, (0.005, 0.01), seed=i, redraws=16) for i, (_, law, theta) in enumerate(TRUTHS[:4])]
    every: dict[str, Errors] = {rows[0].name: joined(rows) for rows in zip(*found, strict=True)}
    for quantity, margin in (("loss", 0.9), ("params", 0.7)):
        ours = every[f"ours for {quantity}"]
        for other in ("uniform grid", "one largest run"):
            assert rms(ours.error[quantity]) < margin * rms(every[other].error[quantity]), (quantity, other)
        inside = np.mean(ours.error[quantity] <= ours.expected[quantity])
        assert 0.75 < inside < 0.99  # of an interval of 90%


def test_runs_that_would_hardly_narrow_are_not_worth_it() -> None:
    result = small_runs(resamples=200)
    large, small = next_experiments(result, 1e24, 1e20), next_experiments(result, 1e24, 1e16, max_runs=1)
    for found in (small, large):
        before, after = (np.log(pair[1] / pair[0]) for pair in (found.before, found.after))
        assert found.narrowed == pytest.approx(1 - after / before)
    assert large.is_worth_it
    assert large.narrowed > 0.5
    assert small.narrowed < 0.05
    assert not small.is_worth_it
