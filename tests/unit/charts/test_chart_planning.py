"""The charts of a plan: each against Vega-Lite's schema, on light and dark ground, and what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from charts_helpers import checked, grid_fit, marks, parts, strings, valid_and_differ_by_colour_only

from scaling_core.charts.epochs import epochs_chart
from scaling_core.charts.figure import Figure
from scaling_core.charts.labels import apart_on_log, moved_apart
from scaling_core.charts.laws import laws_chart
from scaling_core.charts.lifetime import lifetime_chart
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.charts.pareto import cost_column, pareto_chart
from scaling_core.charts.plan import CHOSEN, CLICKED, plan_chart
from scaling_core.charts.scenarios import scenarios_chart
from scaling_core.charts.tornado import tornado_chart
from scaling_core.charts.valley import SIZE, valley_chart
from scaling_core.planning import (
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
)
from scaling_core.planning.figures import size
from scaling_core.planning.lifetime import crossover
from scaling_core.planning.repeats import effective, no_return
from scaling_core.planning.valley import ZONES, valley, zone
from scaling_core.planning.whatmatters import pareto, tornado
from scaling_core.runs.metrics import Metric
from scaling_core.units import format_count

BUDGET = 5.76e23
BESIROGLU = basis_of_published(get_published("besiroglu"))
TERMS = Terms(get_hardware("H100 SXM"), n_gpus=1024)
NASTY = "<img src=x onerror=alert(1)> datum.loss ${1+1} \"'];alert(1)//"


@cache
def own() -> Basis:
    return basis_of_fit(grid_fit())


@cache
def valley_rows(fitted: bool = True) -> pd.DataFrame:
    return valley(own() if fitted else BESIROGLU, Scenario(BUDGET))


@cache
def zones() -> tuple[tuple[float, float, float], ...]:
    return tuple((extra, *zone(own(), Scenario(BUDGET), extra)) for extra in ZONES)


@cache
def moved(quantity: str = "loss") -> pd.DataFrame:
    return tornado(own(), Scenario(BUDGET, terms=TERMS), quantity)


@cache
def costs() -> pd.DataFrame:
    return pareto(own(), Scenario(BUDGET, terms=TERMS), budgets(BUDGET / 100, BUDGET * 100)[::10])


@cache
def demands() -> pd.DataFrame:
    return crossover(BESIROGLU, Scenario(BUDGET), budgets(1e10, 1e15)[::10])


@cache
def several_laws() -> pd.DataFrame:
    flops = budgets(BUDGET / 1e3, BUDGET * 1e3, through=BUDGET)[::10]
    parts_of = []
    for name in ("besiroglu", "hoffmann_tex_unrounded", "llama3"):
        basis = basis_of_published(get_published(name))
        rows = frontier(basis, flops, None)[["flops", "params", "tokens", "loss"]]
        parts_of.append(rows.assign(law=basis.title))
    return pd.concat(parts_of, ignore_index=True)


def named_plans(**changed: object) -> pd.DataFrame:
    plans = {"as asked": BUDGET, "half the money": BUDGET / 2, "the same again": BUDGET}
    out = []
    for name, flops in plans.items():
        answer = plan(own(), Scenario(flops, terms=TERMS))
        low, high = answer.intervals["loss"]
        numbers = {k: getattr(answer, k) for k in ("flops", "cost_usd", "params", "tokens", "loss")}
        out.append({"name": name, **numbers, "loss_low": low, "loss_high": high})
    return pd.DataFrame(out).assign(**changed)


@cache
def everything() -> pd.DataFrame:
    """A frontier with a machine, limited data and demand."""
    asked = Scenario(BUDGET, unique_tokens=3e11, demand=Demand(2e12), terms=TERMS)
    return frontier(own(), budgets(1e20, 1e25, through=BUDGET), 0.9, asked)


FIGURES: dict[str, Callable[[Palette], Figure]] = {
    "valley": lambda p: valley_chart(valley_rows(), zones(), p),
    "tornado": lambda p: tornado_chart(moved(), "Loss", p),
    "pareto": lambda p: pareto_chart(costs(), p),
    "lifetime": lambda p: lifetime_chart(demands(), p, 2e12),
    "epochs": lambda p: epochs_chart(3e11, 1.3e12, p),
    "laws": lambda p: laws_chart(several_laws(), BUDGET, p),
    "scenarios": lambda p: scenarios_chart(named_plans(), p),
    "plan": lambda p: plan_chart(everything(), BUDGET, 0.9, p),
}


@cache
def figure(name: str) -> Figure:
    return FIGURES[name](LIGHT)


@pytest.mark.parametrize("name", FIGURES)
def test_charts_are_valid_in_light_and_differ_from_it_in_the_dark_by_colour_only(name: str) -> None:
    valid_and_differ_by_colour_only(figure(name), FIGURES[name](DARK))


@pytest.mark.parametrize("name", FIGURES)
def test_an_axis_has_one_title(name: str) -> None:
    """Vega-Lite joins the titles of layers that differ; a column's name says that one was forgotten."""
    spec = figure(name).spec()
    for view in spec.get("vconcat", [spec]):
        for axis in ("x", "y"):
            channels = [part["encoding"].get(axis, {}) for part, _ in parts({**view, "data": {"name": "any"}})]
            titles = {str(c["title"]) for c in channels if c.get("title") and c.get("axis", {}) is not None}
            assert len(titles) <= 1, (name, axis, titles)


def following(chart: Figure, parameter: str) -> list[str]:
    """Kinds of the marks that move with a slider."""
    drawn = [part for part, _ in parts(chart.spec()) if parameter in str(part.get("transform"))]
    assert all(part["transform"] == [{"filter": f"datum.step == {parameter}"}] for part in drawn)
    return [part["mark"]["type"] for part in drawn]


def test_the_size_slider_counts_exactly_the_rows_of_the_valley() -> None:
    chart = figure("valley")
    (size,) = [p for p in chart.spec()["params"] if p["name"] == SIZE]
    drawn = chart.frames.by_name["valley"]
    assert (size["bind"]["input"], size["bind"]["step"], size["value"]) == ("range", 1, 0)
    assert drawn["step"].tolist() == list(range(size["bind"]["min"], size["bind"]["max"] + 1))
    best = drawn[drawn["step"] == 0].iloc[0]
    assert best["factor"] == pytest.approx(1)
    assert best["loss"] == drawn["loss"].min()
    # a sentence, five numbers with their names, one interval; the rule and the dot on the curve
    assert following(chart, SIZE) == ["text"] * 12 + ["rule", "point"]


def test_the_valley_reads_out_the_row_it_stands_on() -> None:
    drawn = valley_chart(valley_rows(fitted=False), zones(), LIGHT).frames.by_name["valley"].set_index("step")
    # arXiv 2404.10102's constants in Hoffmann et al. 2022, eq. 4
    numbers = ["params_text", "tokens_text", "tokens_per_param_text", "loss_text", "overhead_text"]
    assert drawn.loc[0, numbers].tolist() == ["72.2B", "1.33T", "18.4", "1.974", "+0%"]
    assert drawn.loc[0, "said"] == "The best size for this budget"
    assert drawn.loc[0, "loss_interval"] == "no interval"
    far = drawn.loc[drawn.index.max()]
    assert far["said"] == "12× the best size"
    assert far["overhead_text"] == f"+{100 * far['overhead']:.0f}%"
    assert drawn.loc[-8, "said"] == "2.3× below the best size"  # 12^(8/24)
    assert drawn.loc[drawn.index.min(), "said"] == "12× below the best size: no data makes it as good"
    assert drawn.loc[drawn.index.min(), "overhead_text"] == "never"


def test_a_size_that_never_gets_as_good_says_so() -> None:
    rows = valley_rows().copy()
    rows.loc[0, "overhead"] = np.inf
    chart = valley_chart(rows, zones(), LIGHT)
    drawn = chart.frames.by_name["valley"]
    checked(chart, schema=False)  # an infinite number is no JSON
    assert drawn.loc[0, "overhead_text"] == "never"
    assert drawn.loc[0, "said"].endswith("no data makes it as good")


def test_zones_are_bands_around_the_best_size_with_their_extra_compute() -> None:
    chart = figure("valley")
    drawn = chart.frames.by_name["zones"]
    assert drawn["text"].tolist() == ["10% more compute", "5% more compute", "1% more compute"]
    assert drawn[["params", "end"]].to_numpy().tolist() == [list(z[1:]) for z in reversed(zones())]
    assert len(marks(chart.spec(), "rect")) == 1
    assert len(set(drawn["row"])) == 3, "each has a line of its own"
    low, high = marks(chart.spec(), "line")[0]["encoding"]["x"]["scale"]["domain"]
    beyond = valley_chart(valley_rows(), [(0.5, low / 10, high * 10)], LIGHT)
    ends = beyond.frames.by_name["zones"].iloc[0]
    assert (ends["params"], ends["end"]) == (low, high), "a wider zone ends with the axis"
    checked(valley_chart(valley_rows(), [], LIGHT), schema=False)


def test_a_valley_with_draws_has_a_band() -> None:
    assert len(marks(valley_chart(valley_rows(), zones(), LIGHT).spec(), "area")) == 1
    assert not marks(valley_chart(valley_rows(fitted=False), zones(), LIGHT).spec(), "area")


def test_a_tornado_has_a_bar_to_either_side_of_the_plan_widest_first() -> None:
    chart = figure("tornado")
    rows, bars = chart.frames.by_name["inputs"], chart.frames.by_name["bars"]
    assert rows["input"].tolist() == moved()["input"].tolist()
    assert len(bars) == 2 * len(rows)
    budget = bars[bars["input"] == "budget"].set_index("moved")["value"]
    assert budget["input higher"] < moved()["base"].iloc[0] < budget["input lower"]  # more compute, less loss
    assert rows.set_index("input").loc["budget", "name"] == "budget, ±10%"
    short = tornado_chart(moved(), "Loss", LIGHT, most=2)
    assert len(short.frames.by_name["inputs"]) == 2


@pytest.mark.parametrize(
    ("title", "values", "text", "label"),
    [
        ("Loss", (2.04, 2.111), "2.040 – 2.111", False),
        ("Cost", (937e3, 1.15e6), "$937k – $1.15M", True),
        ("Parameters", (3.81e10, 5.46e10), "38.1B – 54.6B", True),
        ("Tokens", (1e12, 1.0001e12), "hardly moves", True),
        ("Cost", (math.nan, 2e6), "$2.00M – cannot be", True),
    ],
)
def test_a_tornado_writes_its_ends_as_people_do(
    title: str, values: tuple[float, float], text: str, label: bool
) -> None:
    low, high = values
    rows = pd.DataFrame({"input": ["budget"], "how": ["±10%"], "low": [low], "high": [high], "base": [high * 0.99]})
    chart = tornado_chart(rows, title, LIGHT)
    checked(chart, schema=False)
    assert chart.frames.by_name["inputs"]["ends"].tolist() == [text]
    assert len(chart.frames.by_name["bars"]) == 2 - math.isnan(low)
    x = marks(chart.spec(), "bar")[0]["encoding"]["x"]["axis"]["labelExpr"]
    assert ("'$'" in x) == (title == "Cost")
    assert ("'B'" in x) == label


def test_ends_far_apart_are_drawn_in_logarithms() -> None:
    rows = pd.DataFrame({"input": ["A"], "how": ["draws"], "low": [1e9], "high": [3e10], "base": [6e9]})
    for factor, kind in ((1, "log"), (5, "linear")):
        chart = tornado_chart(rows.assign(low=factor * rows["low"]), "Parameters", LIGHT)
        assert marks(chart.spec(), "bar")[0]["encoding"]["x"]["scale"]["type"] == kind


def test_what_money_buys_is_drawn_in_dollars_and_said() -> None:
    chart = figure("pareto")
    line = marks(chart.spec(), "line")[0]["encoding"]
    assert line["x"]["field"] == "cost_usd"
    assert "'$'" in line["x"]["axis"]["labelExpr"]
    rows = costs().set_index("flops")
    dollars = plan(own(), Scenario(BUDGET, terms=TERMS)).cost_usd
    here = rows.index[len(rows) // 2]
    fall = 1 - rows["loss"].iloc[len(rows) // 2 + 5] / rows["loss"].loc[here]  # five steps of ten of .02 are a tenfold
    said = chart.frames.by_name["message"]["text"].tolist()
    assert said == [f"From ${dollars / 1e6:.2f}M to ${dollars / 1e5:.1f}M loss falls by {100 * fall:.1f}%"]
    assert len(chart.frames.by_name["names"]) == 5


def test_without_a_price_cost_is_counted_in_hours() -> None:
    for changed, expected in (
        ({}, "cost_usd"), ({"cost_usd": np.nan}, "gpu_hours"), ({"cost_usd": 0.0}, "gpu_hours"),
        ({"cost_usd": np.nan, "gpu_hours": np.nan}, "flops"),
    ):  # fmt: skip
        rows = costs().assign(**changed)
        assert cost_column(rows) == expected
        chart = pareto_chart(rows, LIGHT)
        checked(chart, schema=False)
        assert marks(chart.spec(), "line")[0]["encoding"]["x"]["field"] == expected
    few = pareto_chart(costs().head(2), LIGHT)
    assert few.frames.by_name["message"].empty, "two near budgets say nothing of a tenfold"


def test_the_lifetime_chart_marks_what_is_asked() -> None:
    chart = figure("lifetime")
    asked = chart.frames.by_name["asked"].iloc[0]
    answer = plan(BESIROGLU, Scenario(BUDGET, demand=Demand(2e12)))
    assert asked["demand_tokens"] == 2e12
    assert f"best with {format_count(answer.params)} parameters" in asked["text"]
    assert answer.lifetime_saving is not None
    assert float(asked["text"].split("saves ")[1].rstrip("%")) == pytest.approx(100 * answer.lifetime_saving, rel=0.02)
    assert len(marks(chart.spec(), "rule")) == 2, "in both panels"
    for without in (None, 1e30):
        none = lifetime_chart(demands(), LIGHT, without)
        checked(none, schema=False)
        assert none.frames.by_name["asked"].empty


@pytest.mark.parametrize(
    ("unique", "seen", "said", "worth"),
    [
        (3e11, 1.3e12, "the plan: 4.3 passes", float(effective(1.3e12, 3e11, 15.387756))),
        (1e12, 1e12, "the plan: 1 pass", 1e12),
        (1e9, 1e12, "the plan: 1,000 passes", 1e9 * (1 + 15.387756)),
        (1e15, 1e12, "the plan: 0.0010 passes", 1e12),
    ],
)
def test_repeats_mark_the_plan_and_the_point_of_no_return(unique: float, seen: float, said: str, worth: float) -> None:
    chart = epochs_chart(unique, seen, LIGHT)
    checked(chart, schema=False)
    frames = chart.frames.by_name
    assert frames["plan"]["text"].tolist() == [said]
    assert frames["plan"]["second"].tolist() == [f"worth {format_count(worth)} new tokens"]
    assert frames["no_return"]["passes"].tolist() == [no_return()]
    assert frames["no_return"]["text"].tolist() == ["beyond 36 passes"]
    low, high = marks(chart.spec(), "line")[0]["encoding"]["x"]["scale"]["domain"]
    assert low <= frames["plan"]["passes"][0] <= high
    assert frames["plan"]["shown"].tolist() == [seen / unique >= 0.05]
    curve = frames["curve"]
    np.testing.assert_allclose(curve["worth"], effective(curve["passes"], 1.0, 15.387756))


def test_the_decay_of_the_scenario_moves_the_point_of_no_return() -> None:
    fast = epochs_chart(1e12, 4e12, LIGHT, decay=5.0).frames.by_name
    assert fast["no_return"]["passes"].tolist() == [no_return(5.0)]
    assert fast["curve"]["worth"].max() == pytest.approx(6.0, rel=1e-3)


def test_laws_are_compared_at_the_budget_each_with_its_number() -> None:
    chart = figure("laws")
    key = chart.frames.by_name["key"]
    assert key["number"].tolist() == ["1", "2", "3"]
    # Besiroglu et al. 2024, Hoffmann et al. 2022 as computed, and Llama 3's split, which says no loss
    assert key["said"].tolist() == ["N 72.2B, loss 1.974", "N 40.4B, loss 1.918", "N 55.9B"]
    assert set(chart.frames.by_name["params"]["number"]) == {"1", "2", "3"}
    assert set(chart.frames.by_name["loss"]["number"]) == {"1", "2"}
    color = marks(chart.spec(), "line")[0]["encoding"]["color"]["scale"]
    assert color == {"domain": ["1", "2", "3"], "range": list(LIGHT.categories[:3])}
    assert chart.frames.by_name["asked"]["flops"].tolist() == [BUDGET]


def test_laws_without_any_loss_have_no_panel_for_it() -> None:
    chart = laws_chart(several_laws().assign(loss=np.nan), BUDGET, LIGHT)
    assert len(checked(chart, schema=False)["vconcat"]) == 2
    many = pd.concat([several_laws().assign(law=f"law {i}") for i in range(9)])
    checked(laws_chart(many, BUDGET, LIGHT), schema=False)


def test_scenarios_stand_at_their_cost_with_their_intervals() -> None:
    chart = figure("scenarios")
    drawn = chart.frames.by_name["scenarios"]
    first, half, again = drawn["at_cost"]
    assert (first, half) == pytest.approx((drawn["cost_usd"][0], drawn["cost_usd"][1]))
    assert first < again < 1.1 * first, "of two that cost the same, neither bar hides the other"
    bar = marks(chart.spec(), "rule")[0]["encoding"]
    assert (bar["y"]["field"], bar["y2"]["field"]) == ("loss_low", "loss_high")
    assert drawn["loss_text"].str.contains("–").all()
    gaps = np.diff(np.sort(np.log(drawn["at_name"])))
    low, high = np.log(marks(chart.spec(), "point")[0]["encoding"]["y"]["scale"]["domain"])
    assert (gaps > 0.05 * (high - low)).all(), "names do not meet"


def test_scenarios_without_cost_or_intervals_are_drawn() -> None:
    one = named_plans(cost_usd=[1e6, np.nan, 1e6])
    chart = scenarios_chart(one, LIGHT)
    checked(chart, schema=False)
    assert marks(chart.spec(), "point")[0]["encoding"]["x"]["title"].startswith("Training compute")
    assert chart.frames.by_name["scenarios"]["cost_text"][1] == "unknown cost"
    bare = named_plans(loss_low=np.nan, loss_high=np.nan, cost_usd=np.nan)
    checked(scenarios_chart(bare.head(1), LIGHT), schema=False)
    checked(scenarios_chart(named_plans(loss=[np.nan, 2.0, np.nan]), LIGHT), schema=False)
    many = pd.concat([named_plans()] * 6, ignore_index=True)
    checked(scenarios_chart(many.assign(name=[f"plan {i}" for i in range(len(many))]), LIGHT), schema=False)


def test_names_of_scenarios_and_laws_are_data_and_never_code() -> None:
    charts = (
        scenarios_chart(named_plans(name=NASTY).head(1), LIGHT),
        laws_chart(several_laws().assign(law=NASTY), BUDGET, LIGHT),
    )
    for chart in charts:
        code = [v for k, v in strings(checked(chart, schema=False)) if k in ("expr", "filter", "labelExpr")]
        assert not any(NASTY in v for v in code)


def test_a_plan_reads_out_cost_time_and_passes_below() -> None:
    chart = figure("plan")
    drawn = chart.frames.by_name["frontier"].set_index("step")
    answer = plan(own(), Scenario(BUDGET, 0.9, unique_tokens=3e11, demand=Demand(2e12), terms=TERMS))
    here = drawn.loc[0]
    assert answer.cost_usd is not None
    assert answer.epochs is not None
    assert here["cost_usd_text"] == f"${answer.cost_usd / 1e6:.2f}M"
    assert here["days_text"].endswith(" days")
    assert here["days_short"] == here["days_text"].replace(" days", " d")
    assert here["epochs_text"] == f"{answer.epochs:.1f}"
    assert here["epochs_interval"] == " – ".join(f"{v:.1f}" for v in answer.intervals["epochs"])
    assert here["budget_text"].startswith("As good as 5.76e23 FLOPs can be")
    assert "trained with" in here["budget_short"]
    # a sentence, four numbers with names and intervals, the warning and what to click; a rule and a point on the loss;
    # four more numbers below it; a rule and a point on N and D
    first, second = ["text"] * 15 + ["rule", "point"], ["text"] * 12 + ["rule", "point"] * 2
    assert following(chart, "budget") == first + second


def test_charts_of_another_metric_show_the_metric_and_not_its_cost() -> None:
    accuracy = Metric("acc", "accuracy' + datum.x", True, 5.0)
    rows = frontier(own(), budgets(1e20, 1e25, through=BUDGET))
    drawn = plan_chart(rows, BUDGET, 0.9, LIGHT, metric=accuracy).frames.by_name["frontier"]
    np.testing.assert_allclose(drawn["loss"], 5.0 - rows["loss"])
    np.testing.assert_allclose(drawn["loss_low"], 5.0 - rows["loss_high"])
    assert (drawn["loss_low"] <= drawn["loss_high"]).all()
    figures = [
        plan_chart(rows, BUDGET, 0.9, LIGHT, metric=accuracy),
        valley_chart(valley_rows(), zones(), LIGHT, accuracy),
        pareto_chart(costs(), LIGHT, accuracy),
        scenarios_chart(named_plans(), LIGHT, accuracy),
        laws_chart(several_laws(), BUDGET, LIGHT, accuracy),
    ]
    for chart in figures:
        said = list(strings(checked(chart, schema=False)))
        assert not any("nats" in v for _, v in said)
        assert not any(accuracy.title in v for k, v in said if k in ("expr", "filter")), "a name is never code"
        assert any(accuracy.title in v for k, v in said if k == "title")


def test_a_law_without_any_loss_has_no_empty_panel_for_it() -> None:
    rows = frontier(basis_of_published(get_published("llama3")), budgets(1e20, 1e24, through=1e22))
    chart = plan_chart(rows, 1e22, 0.9, LIGHT)
    assert len(checked(chart, schema=False)["vconcat"]) == 2  # the read-out, and N and D


def test_a_click_on_the_curve_or_the_words_chooses_the_budget() -> None:
    named = {p["name"]: p for p in figure("plan").spec()["params"]}
    assert named[CHOSEN]["select"]["fields"] == named[CLICKED]["select"]["fields"] == ["flops"]


def test_the_read_out_looks_at_the_size_and_the_data_too() -> None:
    basis = replace(own(), ranges={**own().ranges, "params": (1e6, 2e6)})
    rows = frontier(basis, budgets(1e20, 1e21, through=3e20))
    drawn = plan_chart(rows, 3e20, 0.9, LIGHT).frames.by_name["frontier"].set_index("step")
    assert rows.loc[rows["flops"] == 3e20, "beyond"].item() == 1.0
    assert drawn.loc[0, "warning"].startswith("The best size lies")
    assert drawn.loc[0, "state"] == "beyond"


@pytest.mark.parametrize(
    ("asked", "further"),
    [
        (Scenario(BUDGET), []),
        (Scenario(BUDGET, terms=TERMS), ["cost", "time", "accelerator-hours"]),
        (Scenario(BUDGET, unique_tokens=1e12), ["passes over the data"]),
        (Scenario(BUDGET, terms=Terms(get_hardware("TPU v5p"))), ["time", "accelerator-hours"]),
    ],
)
def test_only_what_is_known_is_read_out(asked: Scenario, further: list[str]) -> None:
    assert asked.terms is None or (asked.terms.usd_per_gpu_hour is not None) == ("cost" in further)
    rows = frontier(BESIROGLU, budgets(1e22, 1e24, through=BUDGET), 0.9, asked)
    said = " ".join(v for _, v in strings(plan_chart(rows, BUDGET, 0.9, LIGHT).spec()))
    for name in ("cost", "time", "accelerator-hours", "passes over the data"):
        assert (f"'{name}'" in said) == (name in further), name


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([0.5], [0.5]),
        ([0.5, 0.52], [0.5, 0.6]),
        ([0.52, 0.5], [0.6, 0.5]),
        ([0.94, 0.95, 0.96], [0.75, 0.85, 0.95]),
        ([0.0, 0.01], [0.05, 0.15]),
    ],
)
def test_labels_are_moved_apart_no_farther_than_they_must(wanted: list[float], placed: list[float]) -> None:
    np.testing.assert_allclose(moved_apart(np.array(wanted), 0.1, 0.05, 0.95), placed)


def test_labels_on_a_log_axis_stay_where_there_is_room() -> None:
    values = np.array([3.0, 30.0, 300.0])
    np.testing.assert_allclose(apart_on_log(values, (1.0, 1000.0), 0.05), values)
    close = apart_on_log(np.array([30.0, 30.0, 30.0]), (1.0, 1000.0), 0.05)
    np.testing.assert_allclose(-np.diff(np.log10(close)) / 3, [0.05, 0.05])


def test_the_plan_stands_on_the_line_of_costs_under_its_name() -> None:
    rows = costs()
    chart = pareto_chart(rows, LIGHT, planned=BUDGET)
    (planned,) = chart.frames.by_name["planned"].to_dict("records")
    here = rows[np.isclose(rows["flops"], BUDGET)].iloc[0]
    assert (planned["flops"], planned["loss"]) == (here["flops"], here["loss"])
    assert planned["said"] == f"this plan, N {size(here['params'])}"
    others = chart.frames.by_name["names"]["flops"]
    assert not np.log10(others / BUDGET).between(-0.3, 0.7).any()
    assert pareto_chart(rows, LIGHT).frames.by_name["planned"].empty
