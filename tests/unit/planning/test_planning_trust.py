"""Valley, trust and what matters: closed forms, limits, and what must be said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.planning import (
    PUBLISHED,
    Basis,
    Demand,
    Scenario,
    basis_of_fit,
    basis_of_published,
    get_published,
    plan,
)
from scaling_core.planning.budget import Terms
from scaling_core.planning.hardware import get_hardware
from scaling_core.planning.trust import trust
from scaling_core.planning.valley import overhead, valley, zone
from scaling_core.planning.whatmatters import pareto, tornado
from scaling_core.runs.metrics import Metric

BESIROGLU = basis_of_published(get_published("besiroglu"))
H100 = Terms(get_hardware("H100 SXM"), n_gpus=64)


@pytest.fixture(scope="module")
def basis() -> Basis:
    return basis_of_fit(fitted(chinchilla_runs(0.02), objective="mse-log", resamples=120))


@pytest.mark.parametrize(
    ("name", "factor", "data", "extra"),
    # closed form, computed independently (the reference folder's check_values.csv)
    [
        ("hoffmann_tex_unrounded", 0.75, 1.3716, 0.0287),
        ("hoffmann_tex_unrounded", 0.5, 2.4204, 0.2102),
        ("hoffmann_tex_unrounded", 0.3, 6.9178, 1.0753),
        ("besiroglu", 0.75, 1.3780, 0.0335),
        ("besiroglu", 0.5, 2.5186, 0.2593),
        ("besiroglu", 0.3, 8.7104, 1.6131),
    ],
)
def test_iso_loss_overhead(name: str, factor: float, data: float, extra: float) -> None:
    chosen = basis_of_published(get_published(name))
    surface = chosen.surface(Scenario(1e22), chosen.theta[None])
    got = overhead(surface, 1e22, np.array([factor]))
    assert (got[0][0], got[1][0]) == pytest.approx((data, extra), abs=6e-5)


def test_the_valley_is_lowest_at_the_plan_and_its_zones_nest(basis: Basis) -> None:
    scenario = Scenario(1e22)
    rows, answer = valley(basis, scenario), plan(basis, scenario)
    best = rows.loc[rows["loss"].idxmin()]
    assert best["params"] == pytest.approx(answer.params)
    assert best["loss"] == pytest.approx(answer.loss)
    assert best["overhead"] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(rows["params"] * rows["tokens"] * 6, 1e22)
    ends = [zone(basis, scenario, extra) for extra in (0.01, 0.05, 0.10)]
    assert ends[2][0] < ends[1][0] < ends[0][0] < answer.params < ends[0][1] < ends[1][1] < ends[2][1]
    inside = rows["params"].between(*ends[1])
    assert (rows.loc[inside, "overhead"] <= 0.05 + 1e-9).all()
    assert (rows.loc[~inside, "overhead"] > 0.05).all()
    assert (rows["loss_low"] <= rows["loss_high"]).all()


def test_a_law_without_a_split_has_no_valley() -> None:
    with pytest.raises(UserError, match="no valley"):
        valley(basis_of_published(get_published("llama3")), Scenario(1e22))
    with pytest.raises(UserError, match="for a budget"):
        valley(BESIROGLU, Scenario(loss=2.0))


def said(basis: Basis, scenario: Scenario, *names: str) -> dict[str, object]:
    others = [basis_of_published(PUBLISHED[n]) for n in names]
    return {check.name: check for check in trust(basis, scenario, plan(basis, scenario), others)}


def test_inside_the_runs_there_is_little_to_doubt(basis: Basis) -> None:
    checks = said(basis, Scenario(1e20))
    assert checks["extrapolation"].severity == "good"
    assert checks["draws"].number < 0.5
    far = said(basis, Scenario(6e26))
    assert far["extrapolation"].severity == "problem"
    assert far["extrapolation"].number == pytest.approx(1e4, rel=1e-6)
    assert far["draws"].number >= checks["draws"].number


def test_laws_that_disagree_are_named() -> None:
    checks = said(BESIROGLU, Scenario(5.76e23), "hoffmann_printed", "kaplan", "llama3")
    assert checks["other laws"].severity == "doubt"
    assert "Kaplan" in checks["other laws"].text
    agreeing = said(BESIROGLU, Scenario(5.76e23), "muennighoff_c4")
    assert agreeing["other laws"].severity == "good"


def test_the_gravest_comes_first(basis: Basis) -> None:
    scenario = Scenario(6e26)
    grades = [check.severity for check in trust(basis, scenario, plan(basis, scenario))]
    assert grades == sorted(grades, key=["problem", "doubt", "good"].index)


def test_a_tornado_moves_one_thing_at_a_time(basis: Basis) -> None:
    rows = tornado(basis, Scenario(1e22, terms=H100), "loss").set_index("input")
    budget = rows.loc["budget"]
    assert budget["low"] == plan(basis, Scenario(0.9e22)).loss
    assert budget["high"] == plan(basis, Scenario(1.1e22)).loss
    assert "utilisation" not in rows.index  # it does not move the loss of a budget in FLOPs
    assert {"E", "alpha", "beta"} <= set(rows.index)
    assert (rows["high"] - rows["low"]).abs().is_monotonic_decreasing


def test_a_tornado_of_cost_hangs_on_the_machine(basis: Basis) -> None:
    scenario = Scenario(loss=2.2, demand=Demand(1e12), unique_tokens=1e13, terms=H100)
    rows = tornado(basis, scenario, "cost_usd").set_index("input")
    assert {"utilisation", "price of an hour", "inference demand", "loss to reach"} <= set(rows.index)
    price = rows.loc["price of an hour"]
    assert price["low"] / price["base"] == pytest.approx(0.9)
    assert rows.loc["utilisation", "low"] / price["base"] == pytest.approx(1 / 0.9)
    with pytest.raises(UserError, match="no “days_off”"):
        tornado(basis, scenario, "days_off")


def test_pareto_trades_cost_for_loss() -> None:
    rows = pareto(BESIROGLU, Scenario(1e22, terms=H100), np.geomspace(1e20, 1e24, 9))
    assert rows["cost_usd"].is_monotonic_increasing
    assert rows["loss"].is_monotonic_decreasing
    assert isinstance(rows, pd.DataFrame)
    with pytest.raises(UserError, match="no cost"):
        pareto(BESIROGLU, Scenario(1e22), np.array([1e22]))


def test_pareto_with_demand_costs_what_the_planned_training_costs() -> None:
    """A model that serves is trained with more than the budget whose loss it has."""
    scenario = Scenario(1e22, demand=Demand(1e13), terms=H100)
    row = pareto(BESIROGLU, scenario, np.array([1e22, 1e23])).iloc[0]
    answer = plan(BESIROGLU, scenario)
    assert answer.flops > 1.1e22
    assert row["cost_usd"] == pytest.approx(answer.cost_usd, rel=1e-9)
    assert row["gpu_hours"] == pytest.approx(answer.gpu_hours, rel=1e-9)


def test_the_size_that_is_planned_is_judged_and_not_the_best_one(basis: Basis) -> None:
    """For the law's own numbers a size far from the best wastes compute, by the closed form of the iso-loss curve."""
    best = plan(basis, Scenario(1e20))
    for factor in (0.1, 10.0):
        far = Scenario(1e20, params=best.params * factor)
        assert said(basis, far)["draws"].number == 1.0
    near = Scenario(1e20, params=best.params * 1.0001)
    assert said(basis, near)["draws"].number == pytest.approx(said(basis, Scenario(1e20))["draws"].number, abs=0.02)


def test_a_smaller_model_for_serving_is_judged_by_the_cost_of_its_life(basis: Basis) -> None:
    """It takes more than 5% more training by choice, which is no reason to doubt it."""
    serving = Scenario(1e20, demand=Demand(2e11))
    assert plan(basis, serving).flops > 1.2e20
    check = said(basis, serving)["draws"]
    assert check.number < 0.5
    assert "cost of its life" in check.text


@pytest.mark.parametrize(("flops", "severity"), [(1e20, "good"), (8e22, "good"), (6e23, "doubt"), (6e24, "problem")])
def test_ten_times_beyond_is_to_be_doubted_and_a_hundred_a_guess(basis: Basis, flops: float, severity: str) -> None:
    """The runs end at 6e22 FLOPs."""
    assert said(basis, Scenario(flops))["extrapolation"].severity == severity


def test_a_typed_size_is_put_beside_what_other_laws_would_choose() -> None:
    """Every law answers a typed size with that size, which is no agreement."""
    best = plan(BESIROGLU, Scenario(5.76e23)).params
    far = said(BESIROGLU, Scenario(5.76e23, params=best * 10), "muennighoff_c4")["other laws"]
    assert far.severity == "doubt"
    assert far.number > 5
    assert "another size" in far.text


def test_a_goal_of_another_metric_is_not_put_to_laws_of_loss() -> None:
    law = replace(BESIROGLU, metric=Metric("acc", "accuracy", True, 5.0))
    asked = Scenario(loss=2.2)
    checks = {c.name for c in trust(law, asked, plan(law, asked), [BESIROGLU])}
    assert "other laws" not in checks
