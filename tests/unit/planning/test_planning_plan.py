"""A scenario, a frontier, and how far both lie from the runs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import chinchilla_loss, chinchilla_runs, fitted, noise, table
from scipy import stats

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, Selection
from scaling_core.laws import get_law
from scaling_core.planning import (
    LOG_STEP,
    MAX_FLOPS,
    PUBLISHED,
    QUANTITIES,
    Basis,
    Demand,
    Scenario,
    Terms,
    basis_of_fit,
    basis_of_published,
    budgets,
    frontier,
    get_hardware,
    get_published,
    plan,
    times_beyond,
)
from scaling_core.planning.answers import without_machine
from scaling_core.planning.frontier import priced

BESIROGLU = basis_of_published(get_published("besiroglu"))
LADDER_C = np.geomspace(1e18, 1e22, 9)
LADDER_N = 0.1 * LADDER_C**0.48 * noise(9, 0.1, seed=6)
SPANS = st.tuples(st.floats(1, 39), st.floats(0, 6)).map(lambda s: (10 ** s[0], min(10 ** sum(s), MAX_FLOPS)))


@pytest.fixture(scope="module")
def grid_fit() -> FitResult:
    return fitted(chinchilla_runs(0.02), objective="mse-log", resamples=100)


@pytest.fixture(scope="module")
def grid_basis(grid_fit: FitResult) -> Basis:
    return basis_of_fit(grid_fit)


def ladder(law: str = "power-c-offset", resamples: int = 100) -> FitResult:
    """Runs along one line, N about C^0.48, and a law in one predictor."""
    loss = (1.5 + 60 * LADDER_C**-0.1) * noise(9, 0.003, seed=1)
    return fitted(table(LADDER_N, LADDER_C / 6 / LADDER_N, loss), law, "mse-log", resamples)


@pytest.mark.parametrize("flops", [0, 0.5, -1e20, math.nan, math.inf, -math.inf, 1.1e40, 1e300])
def test_impossible_budgets_are_refused(flops: float) -> None:
    with pytest.raises(UserError) as caught:
        Scenario(flops)
    assert "cannot be planned" in caught.value.what
    assert "1e22" in caught.value.fix


@pytest.mark.parametrize("flops", [1.0, 1e22, 1e40])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_possible_budget_has_a_plan_that_spends_it(name: str, flops: float) -> None:
    answer = plan(basis_of_published(get_published(name)), Scenario(flops))
    exact = 1e-12 if answer.law else 1e-11  # a published split is a line in logarithms
    assert answer.params * answer.tokens * 6 == pytest.approx(flops, rel=exact)
    assert answer.tokens_per_param == pytest.approx(answer.tokens / answer.params, rel=exact)


@settings(max_examples=40, deadline=None)
@given(SPANS, st.floats(0, 1))
def test_budgets_pass_through_the_start_exactly_in_even_steps(span: tuple[float, float], share: float) -> None:
    low, high = span
    through = low * (high / low) ** share
    row = budgets(low, high, through)
    assert through in row.tolist()
    np.testing.assert_allclose(np.diff(np.log10(row)), LOG_STEP, rtol=1e-6)
    assert row[0] <= low * (1 + 1e-9)
    assert row[-1] >= high * (1 - 1e-9)
    assert low / row[0] < 10**LOG_STEP * (1 + 1e-6)
    assert row[-1] / high < 10**LOG_STEP * (1 + 1e-6)


def test_budgets_without_a_start_begin_at_the_lower_end() -> None:
    row = budgets(1e18, 1e20)
    assert row[0] == 1e18
    assert row[-1] == pytest.approx(1e20)
    assert len(row) == 2 / LOG_STEP + 1


def bases(grid_basis: Basis) -> list[Basis]:
    return [BESIROGLU, grid_basis, *(basis_of_fit(ladder(law, 40)) for law in ("power-c-offset", "power-n"))]


def test_a_row_of_a_frontier_is_the_plan_to_the_last_digit(grid_basis: Basis) -> None:
    for basis in bases(grid_basis):
        row = budgets(1e17, 1e26, through=5.76e23)
        many = frontier(basis, row, 0.8)
        for i in (0, 137, int(np.flatnonzero(row == 5.76e23)[0]), len(row) - 1):
            answer = plan(basis, Scenario(float(row[i]), 0.8))
            for name in ("flops", *QUANTITIES):
                assert getattr(answer, name) == many[name][i], (basis.title, name)
            got = {name: (many[f"{name}_low"][i], many[f"{name}_high"][i]) for name in QUANTITIES}
            known = {name: pair for name, pair in got.items() if not math.isnan(pair[0])}
            assert answer.intervals == known
            assert answer.extrapolation["flops"] == many["beyond"][i]


def test_intervals_are_what_draws_would_choose_and_what_they_say_of_the_plan(grid_fit: FitResult) -> None:
    answer = plan(basis_of_fit(grid_fit), Scenario(1e23, 0.8))
    best = [grid_fit.law.optimum(draw, np.array([1e23])) for draw in grid_fit.draws]
    for name, values in (
        ("params", [b.params[0] for b in best]), ("tokens", [b.tokens[0] for b in best]),
        ("tokens_per_param", [b.tokens[0] / b.params[0] for b in best]),
        ("loss", [chinchilla_loss(answer.params, answer.tokens, draw) for draw in grid_fit.draws]),
    ):  # fmt: skip
        assert answer.intervals[name] == pytest.approx(tuple(np.quantile(values, [0.1, 0.9])), rel=1e-12)
        assert answer.intervals[name][0] < getattr(answer, name) < answer.intervals[name][1]


def test_no_level_no_intervals(grid_basis: Basis) -> None:
    for basis in bases(grid_basis):
        without = frontier(basis, np.array([1e20, 1e24]), None)
        assert without[[f"{n}_{end}" for n in QUANTITIES for end in ("low", "high")]].isna().all(axis=None)
        np.testing.assert_array_equal(without["loss"], frontier(basis, np.array([1e20, 1e24]))["loss"])


@pytest.mark.parametrize(
    ("value", "expected"), [(5.0, 1.0), (2.0, 1.0), (10.0, 1.0), (30.0, 3.0), (0.5, 0.25)]
)  # fmt: skip
def test_times_beyond(value: float, expected: float) -> None:
    assert times_beyond(value, (2.0, 10.0)) == expected


def test_extrapolation_is_told_for_each_of_n_d_and_c(grid_basis: Basis) -> None:
    inside = plan(grid_basis, Scenario(1e20))
    assert inside.extrapolation == {"flops": 1.0, "params": 1.0, "tokens": 1.0}
    assert not any("beyond" in note or "below" in note for note in inside.notes)
    beyond = plan(grid_basis, Scenario(6e24))  # the grid ends at 6e22
    assert beyond.extrapolation["flops"] == pytest.approx(100)
    assert any(note.startswith("C lies 100× beyond the largest of the runs (6e22)") for note in beyond.notes)
    assert any(note.startswith("N lies") and "(10.0B)" in note for note in beyond.notes)
    below = plan(grid_basis, Scenario(6e15))  # and begins at 6e16
    assert below.extrapolation["flops"] == pytest.approx(0.1)
    assert any(note.startswith("C lies 10× below the smallest of the runs (6e16)") for note in below.notes)


def test_a_law_in_c_alone_continues_the_line_of_the_runs() -> None:
    result = ladder()
    answer = plan(basis_of_fit(result), Scenario(1e24, 0.9))
    x = np.log(LADDER_C)
    for name, y in (("params", LADDER_N), ("tokens", LADDER_C / 6 / LADDER_N),
                    ("tokens_per_param", LADDER_C / 6 / LADDER_N**2)):  # fmt: skip
        fit = stats.linregress(x, np.log(y))
        assert getattr(answer, name) == pytest.approx(np.exp(fit.intercept + fit.slope * np.log(1e24)), rel=1e-9)
    assert set(answer.intervals) == {"loss"}  # what the runs happened to do has no uncertainty of the law
    band = result.predict({"flops": np.array([1e24])}, 0.9)
    assert answer.loss == band.value[0]
    assert answer.intervals["loss"] == (band.low[0], band.high[0])
    slope = stats.linregress(x, np.log(LADDER_N)).slope
    assert any("law in C alone" in note and f"C^{slope:.2f}" in note for note in answer.notes)


@pytest.mark.parametrize(("law", "letter", "quantity"), [("power-n", "N", "params"), ("power-d", "D", "tokens")])
def test_a_law_in_n_or_d_alone_reads_its_loss_off_the_line(law: str, letter: str, quantity: str) -> None:
    result = ladder(law)
    answer = plan(basis_of_fit(result), Scenario(1e24))
    at = {quantity: np.array([getattr(answer, quantity)])}
    assert answer.loss == result.predict(at).value[0]
    assert any(f"law in {letter} alone" in note for note in answer.notes)


def test_runs_without_sizes_give_a_loss_and_no_size() -> None:
    runs = table(np.nan, np.nan, 1.5 + 60 * LADDER_C**-0.1, flops=LADDER_C)
    answer = plan(basis_of_fit(fitted(runs, "power-c-offset", "mse-log", 30)), Scenario(1e24))
    assert math.isnan(answer.params)
    assert math.isnan(answer.tokens)
    assert answer.loss == pytest.approx(1.5 + 60 * 1e24**-0.1, rel=1e-6)
    assert set(answer.extrapolation) == {"flops"}
    assert any("no size can be named" in note for note in answer.notes)
    data = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    assert data["params"] is None
    assert data["loss"] == answer.loss


def test_draws_without_an_optimum_are_left_out_with_a_note(grid_fit: FitResult) -> None:
    spoilt = grid_fit.draws.copy()
    spoilt[:7, 3] = 0.0  # alpha = 0: parameters make no difference
    basis = basis_of_fit(with_draws(grid_fit, spoilt))
    assert len(basis.draws) == 93
    assert any(note.startswith("7 of 100 bootstrap draws have no best split") for note in basis.notes)
    assert (
        plan(basis, Scenario(1e23)).intervals
        == plan(basis_of_fit(with_draws(grid_fit, grid_fit.draws[7:])), Scenario(1e23)).intervals
    )
    assert basis_of_fit(grid_fit).notes == ()


def with_draws(fit: FitResult, draws: np.ndarray) -> FitResult:
    data = fit.to_json()
    data["bootstrap"]["draws"] = draws.tolist()
    return FitResult.from_json(data)


def test_a_fit_in_which_one_term_vanished_cannot_plan() -> None:
    N, D = np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6))
    only_tokens = fitted(table(N.ravel(), D.ravel(), 1.8 + 2000 / D.ravel() ** 0.36), objective="mse-log")
    with pytest.raises(UserError) as caught:
        basis_of_fit(with_parameters(only_tokens, A=0.0))
    assert "no split" in caught.value.what
    assert caught.value.fix


def with_parameters(fit: FitResult, **values: float) -> FitResult:
    data = fit.to_json()
    return FitResult.from_json({**data, "parameters": {**data["parameters"], **values}})


def test_doubts_about_the_fit_stand_beside_the_plan() -> None:
    x = np.geomspace(1e7, 1e10, 12)
    doubtful = fitted(table(x, 20 * x, (1.8 + 400 / x**0.34 + 2000 / (20 * x) ** 0.36) * noise(12, 0.01)))
    assert doubtful.certificate.reasons
    answer = plan(basis_of_fit(doubtful), Scenario(1e22))
    for reason in doubtful.certificate.reasons:
        assert f"The fit behind this plan is doubtful: {reason}" in answer.notes


def test_a_good_fit_casts_no_doubt(grid_basis: Basis) -> None:
    assert grid_basis.doubts == ()
    assert plan(grid_basis, Scenario(1e20)).notes == ()


def test_checkpoints_do_not_widen_the_extent_when_left_out() -> None:
    runs = chinchilla_runs(0.01)
    runs.frame["is_final"] = runs.frame["tokens"] > 2e9
    result = fitted(runs, objective="mse-log", selection=Selection())
    assert basis_of_fit(result).ranges["tokens"][0] == runs.frame.loc[runs.frame["is_final"], "tokens"].min()


def test_plan_as_json_has_every_number_in_full(grid_basis: Basis) -> None:
    answer = plan(grid_basis, Scenario(3e23, 0.75))
    data = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    for name in ("flops", *QUANTITIES):
        assert data[name] == getattr(answer, name)
    assert {k: tuple(v) for k, v in data["intervals"].items()} == answer.intervals
    assert data["interval_level"] == 0.75
    assert data["extrapolation"] == answer.extrapolation
    assert tuple(data["notes"]) == answer.notes
    assert data["law"] == "chinchilla"


def test_a_loss_next_to_the_floor_is_refused_and_not_searched_for_to_the_end_of_the_grid() -> None:
    """At 1e-4 above E = 1.8172 the law asks for some 1e20 parameters and 5e41 FLOPs."""
    with pytest.raises(UserError, match=r"A loss of 1\.81730 takes more than 1e40 FLOPs: .* next to 1\.81720"):
        plan(basis_of_published(get_published("besiroglu")), Scenario(loss=1.8173))


def test_a_loss_below_the_floor_is_refused_with_the_interval_of_the_floor() -> None:
    theta = np.array([1.8, 400.0, 2000.0, 0.34, 0.36])
    draws = np.stack([theta * [k, 1, 1, 1, 1] for k in np.linspace(0.9, 1.1, 101)])
    basis = Basis("made", get_law("chinchilla"), theta, draws, {}, {}, (), "made")
    # the middle 90% of E between 1.62 and 1.98
    with pytest.raises(UserError, match=r"no model comes below 1\.800 \(1\.638–1\.962\)\."):
        plan(basis, Scenario(loss=1.5))


def test_a_frontier_is_priced_as_its_plan_is() -> None:
    """With demand training takes more than the budget, and so do its cost and time, at both ends of the intervals."""
    basis = basis_of_fit(fitted(chinchilla_runs(0.01), resamples=40))
    terms = Terms(get_hardware("H100 SXM 80GB"), mfu=0.4, n_gpus=64)
    asked = Scenario(1e22, demand=Demand(1e12), terms=terms)
    answer = plan(basis, asked)
    free = frontier(basis, np.array([1e22]), 0.9, without_machine(asked))
    assert "cost_usd" not in free
    row = priced(free, asked).iloc[0]
    for name in ("cost_usd", "days", "gpu_hours"):
        assert row[name] == pytest.approx(getattr(answer, name), rel=1e-12)
        assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(answer.intervals[name], rel=1e-12)


def test_a_machine_that_serves_otherwise_than_it_trains_belongs_to_the_question() -> None:
    terms = Terms(get_hardware("H100 SXM 80GB"))
    assert without_machine(Scenario(1e22, terms=terms, demand=Demand(1e12))).terms is None
    slow = Scenario(1e22, terms=terms, demand=Demand(1e12, decode_mfu=0.05))
    assert without_machine(slow) == slow
