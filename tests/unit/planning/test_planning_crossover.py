"""Demand and the best size; frontiers of whole scenarios beside their plans; searches at some budgets beside all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.laws import Array, get_law
from scaling_core.planning import (
    QUANTITIES,
    Basis,
    Demand,
    Scenario,
    Terms,
    basis_of_fit,
    basis_of_published,
    budget_of,
    budgets,
    frontier,
    get_hardware,
    get_published,
    plan,
)
from scaling_core.planning.allocation import best_for_compute, cheapest_for_loss
from scaling_core.planning.answers import answers, is_searched
from scaling_core.planning.lifetime import crossover
from scaling_core.planning.search import solve_decreasing

BESIROGLU = basis_of_published(get_published("besiroglu"))
SARDANA = basis_of_published(get_published("devries_sardana"))
TERMS = Terms(get_hardware("H100 SXM"), n_gpus=512)
START = 5.76e23
ROW = budgets(1e20, 1e26, through=START)


@pytest.fixture(scope="module")
def drawn() -> Basis:
    return basis_of_fit(fitted(chinchilla_runs(0.02), objective="mse-log", resamples=200))


def row_at(rows: pd.DataFrame, flops: float) -> pd.Series:
    return rows.loc[(rows["flops"] / flops - 1).abs().idxmin()]


# Demand


def test_little_demand_saves_nothing_and_more_saves_more() -> None:
    rows = crossover(SARDANA, Scenario(1e23), np.geomspace(1e6, 1e16, 21))
    assert rows.columns.tolist() == [
        "demand_tokens", "params", "tokens", "lifetime_flops", "lifetime_saving", "cheapest_params",
    ]  # fmt: skip
    assert rows["lifetime_saving"].iloc[0] == pytest.approx(0, abs=1e-9)
    assert rows["params"].iloc[0] == pytest.approx(rows["cheapest_params"].iloc[0], rel=1e-3)
    assert (rows["lifetime_saving"].diff().iloc[1:] > -1e-12).all()
    assert (rows["params"].diff().iloc[1:] < 1e-4 * rows["params"].iloc[1:]).all()
    assert rows["cheapest_params"].nunique() == 1
    assert 0.5 < rows["lifetime_saving"].iloc[-1] < 1


@pytest.mark.parametrize(
    "asked",
    [
        Scenario(1e23),
        Scenario(loss=2.0),
        Scenario(1e23, unique_tokens=2e11),
        Scenario(1e23, params=7e9),  # a wanted size is not kept
        Scenario(1e23, terms=TERMS, demand=Demand(1.0, written_share=0.3, decode_mfu=0.05)),
    ],
    ids=["budget", "loss", "limited", "size", "dear decoding"],
)
def test_each_demand_has_its_plan(asked: Scenario) -> None:
    demands = np.array([1e11, 2e12, 3e13])
    rows = crossover(SARDANA, asked, demands)
    free = replace(asked, params=None)
    for _, row in rows.iterrows():
        answer = plan(SARDANA, replace(free, demand=replace(asked.demand, tokens=float(row["demand_tokens"]))))
        for name in ("params", "tokens"):
            assert row[name] == pytest.approx(getattr(answer, name), rel=1e-6)
        assert row["lifetime_flops"] == pytest.approx(answer.lifetime_flops, rel=1e-9)
        assert row["lifetime_saving"] == pytest.approx(answer.lifetime_saving, rel=1e-9, abs=1e-12)
    assert rows["cheapest_params"].iloc[0] == plan(SARDANA, replace(free, demand=Demand())).params


def test_the_published_saving() -> None:
    """Sardana et al. 2023, arXiv 2401.00448, figure 1: 17.45% at loss 2.04528 and 2T tokens, with 7.0B for 13B."""
    row = crossover(SARDANA, Scenario(loss=2.04528), np.array([2e12])).iloc[0]
    assert 100 * row["lifetime_saving"] == pytest.approx(17.45, abs=0.011)
    assert row["params"] == pytest.approx(6.9686e9, rel=2e-4)


def test_what_has_no_crossover_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="does not say how loss depends on both"):
        crossover(basis_of_published(get_published("llama3")), Scenario(1e23), np.array([1e12]))
    with pytest.raises(UserError, match="no model comes below"):
        crossover(SARDANA, Scenario(loss=1.0), np.array([1e12]))


# Frontiers of scenarios


@pytest.mark.parametrize(
    "asked",
    [
        Scenario(START, terms=TERMS),
        Scenario(START, unique_tokens=3e11, terms=TERMS),
        Scenario(START, demand=Demand(2e12), terms=TERMS),
        Scenario(START, demand=Demand(2e12), unique_tokens=3e11, terms=TERMS),
        Scenario(START, params=7e9, unique_tokens=3e11),
        Scenario(loss=2.0, terms=TERMS),
        Scenario(loss=2.0, demand=Demand(2e12), terms=TERMS),
        Scenario(loss=2.2, params=7e9, demand=Demand(2e12)),
    ],
    ids=["terms", "limited", "demand", "both", "size", "loss", "loss and demand", "loss and size"],
)
def test_the_frontier_at_the_budget_of_a_scenario_is_its_plan(drawn: Basis, asked: Scenario) -> None:
    start = budget_of(drawn, asked)
    rows = frontier(drawn, budgets(start / 1e3, start * 1e2, through=start), asked.level, asked)
    row, answer = row_at(rows, start), plan(drawn, asked)
    for name in QUANTITIES:
        assert row[name] == pytest.approx(getattr(answer, name), rel=1e-5), name
    trained = row.get("training_flops", row["flops"])
    assert trained == pytest.approx(answer.flops, rel=1e-6)
    for name in ("epochs", "cost_usd", "days", "gpu_hours"):
        assert (name in row) == (getattr(answer, name) is not None)
        if name in row:
            assert row[name] == pytest.approx(getattr(answer, name), rel=1e-5), name
    if asked.loss is None:  # the draws answer the same question: a budget
        for name, (low, high) in answer.intervals.items():
            if f"{name}_low" in row:
                assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((low, high), rel=1e-9), name


def test_the_cost_of_a_budget_has_no_interval_and_that_of_a_life_has(drawn: Basis) -> None:
    fixed = frontier(drawn, ROW[::20], 0.9, Scenario(START, terms=TERMS))
    assert "cost_usd_low" not in fixed
    np.testing.assert_allclose(fixed["cost_usd"] / fixed["flops"], fixed["cost_usd"][0] / fixed["flops"][0])
    served = frontier(drawn, ROW[::20], 0.9, Scenario(START, terms=TERMS, demand=Demand(2e12)))
    assert (served["cost_usd_low"] < served["cost_usd"]).all()
    assert (served["training_flops"] > served["flops"]).all()
    unpriced = replace(TERMS, hardware=get_hardware("TPU v5p"))
    assert frontier(drawn, ROW[::20], 0.9, Scenario(START, terms=unpriced))["cost_usd"].isna().all()


def test_without_machine_data_or_demand_there_is_nothing_further(drawn: Basis) -> None:
    rows = frontier(drawn, ROW[::20], 0.9, Scenario(START))
    assert not {"cost_usd", "days", "gpu_hours", "epochs", "training_flops"} & set(rows)


def test_the_budget_of_a_loss_out_of_reach_is_unknown() -> None:
    assert math.isnan(budget_of(BESIROGLU, Scenario(loss=1.0)))
    assert budget_of(BESIROGLU, Scenario(3e22, demand=Demand(1e12))) == 3e22


# Some budgets searched for all


def gamma_of(basis: Basis) -> Basis:
    """The same law with a joint exponent: its tokens for a loss are searched as well."""
    joined = np.random.default_rng(0).normal(1.1, 0.02, len(basis.draws))
    return replace(
        basis, law=get_law("gamma"), theta=np.append(basis.theta, 1.1), draws=np.column_stack([basis.draws, joined])
    )


@pytest.mark.parametrize(
    ("asked", "joined", "off"),
    [
        (Scenario(START, unique_tokens=3e11), False, 0.02),  # as the data runs out, an interval bends
        (Scenario(START, demand=Demand(2e12)), False, 0.005),
        (Scenario(START, demand=Demand(2e12), unique_tokens=3e11), False, 0.02),
        (Scenario(START, demand=Demand(2e12)), True, 0.04),
    ],
    ids=["limited", "demand", "both", "searched twice"],
)
def test_intervals_between_the_budgets_that_are_searched(
    drawn: Basis, asked: Scenario, joined: bool, off: float
) -> None:
    basis = gamma_of(drawn) if joined else drawn
    rows = frontier(basis, ROW, 0.9, asked)
    some = np.append(np.arange(3, len(ROW), 37), np.flatnonzero(ROW == START))
    exact = answers(basis, replace(asked, level=0.9), ROW[some])
    for name in QUANTITIES:
        value, low, high = exact[name]
        np.testing.assert_allclose(rows[name].to_numpy()[some], value, rtol=1e-9)
        for end, wanted in (("low", low), ("high", high)):
            got = rows[f"{name}_{end}"].to_numpy()[some]
            np.testing.assert_allclose(got, wanted, rtol=off / 8 if name == "loss" else off)
            assert got[-1] == pytest.approx(wanted[-1], rel=1e-9), "the budget asked for keeps every digit"


def test_what_has_a_closed_form_is_not_searched(drawn: Basis) -> None:
    for asked, searched in (
        (Scenario(START), False), (Scenario(START, params=1e9, unique_tokens=1e9), False),
        (Scenario(START, unique_tokens=1e12), True), (Scenario(START, demand=Demand(1e12)), True),
        (Scenario(loss=2.0), True),
    ):  # fmt: skip
        assert is_searched(drawn, asked) == searched
    assert not is_searched(basis_of_published(get_published("llama3")), Scenario(START))


def test_a_search_near_the_laws_own_answer_finds_what_a_search_everywhere_finds(drawn: Basis) -> None:
    asked, flops = Scenario(START, unique_tokens=3e11), np.array([1e21, START, 1e25])
    surface = drawn.surface(asked, drawn.draws)
    own = best_for_compute(drawn.surface(asked, drawn.theta[None]), flops)
    everywhere = best_for_compute(surface, flops)
    for around in (own.params, own.params * 1e4, np.full((1, 3), np.nan)):  # from too far away it looks everywhere
        near = best_for_compute(surface, flops, around)
        np.testing.assert_allclose(near.params, everywhere.params, rtol=1e-4)
        np.testing.assert_allclose(near.loss, everywhere.loss, rtol=1e-9)
    cheapest = cheapest_for_loss(surface, everywhere.loss, 2e12)
    near = cheapest_for_loss(surface, everywhere.loss, 2e12, around=own.params)
    np.testing.assert_allclose(near.params, cheapest.params, rtol=1e-4)
    np.testing.assert_allclose(near.cost, cheapest.cost, rtol=1e-8)


@pytest.mark.parametrize("target", [1.70001, 1.8, 2.0, 5.0, 100.0, 401.69])
def test_a_root_is_found_to_rounding(target: float) -> None:
    """1.7 + 400·e^(−0.3x) falls to a target at x = ln(400 / (target − 1.7)) / 0.3."""

    def falls(x: Array) -> Array:
        return np.asarray(1.7 + 400 * np.exp(-0.3 * x))

    got = solve_decreasing(falls, np.array([target]), np.zeros(1), np.full(1, 69.0))
    assert got[0] == pytest.approx(math.log(400 / (target - 1.7)) / 0.3, rel=1e-9)


def test_a_root_beyond_the_ends() -> None:
    def steep(x: Array) -> Array:
        return np.where(x < 3, np.inf, 10 - x)

    target = np.array([0.5, 6.9, 8.0, 1e300, -70.0])
    got = solve_decreasing(steep, target, np.zeros(5), np.full(5, 69.0))
    np.testing.assert_allclose(got, [9.5, 3.1, 3.0, 3.0, np.inf])  # below a jump it stands at the jump


@pytest.mark.parametrize("params", [3e9, 7e9, 30e9, 200e9])
def test_a_wanted_size_is_compared_with_a_model_of_its_own_loss(params: float) -> None:
    """Not with the best of the budget, which is better: here by a grid of sizes that reach the loss of this one."""
    basis, demand = basis_of_published(get_published("besiroglu")), 2e12
    answer = plan(basis, Scenario(1e23, params=params, demand=Demand(demand)))
    E, A, B, alpha, beta = basis.theta
    sizes = np.geomspace(1e9, 1e12, 200_001)
    left = answer.loss - E - A * sizes**-alpha
    with np.errstate(invalid="ignore"):
        tokens = np.where(left > 0, (B / np.abs(left)) ** (1 / beta), np.inf)
    cheapest = int(np.argmin(sizes * tokens))
    beside = 6 * sizes[cheapest] * tokens[cheapest] + 2 * sizes[cheapest] * demand
    assert answer.lifetime_saving == pytest.approx(1 - answer.lifetime_flops / beside, abs=1e-4)


@pytest.mark.parametrize(("text", "value"), [("", None), ("  ", None), ("15", 0.15), ("2.5 %", 0.025), ("100", 1.0)])
def test_a_decode_utilisation_is_read_in_percent(text: str, value: float | None) -> None:
    assert Demand.read_utilisation(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "word"), [("0", "no token would ever be"), ("120", "cannot be"), ("-3", "cannot"), ("x", "not a number")]
)
def test_a_decode_utilisation_that_cannot_be_is_refused(text: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        Demand.read_utilisation(text)
