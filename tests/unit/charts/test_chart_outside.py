"""One run far off must not flatten the others, must be said, and must never be dropped."""

from __future__ import annotations

import numpy as np
import pytest
from charts_helpers import checked, marks, some_runs
from made_runs import chinchilla_runs, fitted

from scaling_core.charts.axes import View, domain_of
from scaling_core.charts.backtest import backtest_chart
from scaling_core.charts.law import law_chart, residual_chart
from scaling_core.charts.outside import OUTSIDE, at_the_edge, outside_text, robust_domain
from scaling_core.charts.palette import LIGHT
from scaling_core.charts.runs import runs_chart
from scaling_core.fitting import Selection, fit, get_objective
from scaling_core.fitting.backtest import forward_chain
from scaling_core.fitting.curves import chain_curves, family
from scaling_core.laws import get_law
from scaling_core.runs import RunTable, Upload, load

C_LOSS = View("flops", "loss")
HUBER = get_objective("huber-log")


def spiked(loss: float = 1e9) -> RunTable:
    """36 runs on a grid, the sixth with a loss that is none."""
    runs = chinchilla_runs(0.01)
    runs.frame.loc[5, "loss"] = loss
    runs.frame.loc[5, "run"] = "spike"
    return runs


def test_ordinary_values_have_their_whole_extent() -> None:
    for seed in range(20):
        values = np.exp(np.random.default_rng(seed).normal(size=245))
        assert robust_domain(values, log=True) == domain_of(values, log=True)
    assert robust_domain([2.0, 2.0, 2.0, 2.0, 50.0], log=True) == domain_of([2.0, 50.0], log=True)


def test_published_losses_are_all_inside(reference) -> None:
    points = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")]).frame
    for name in ("loss", "flops", "params", "tokens"):
        assert robust_domain(points[name], log=True) == domain_of(points[name], log=True)


@pytest.mark.parametrize(("loss", "side", "shape"), [(1e9, "above", "triangle-up"), (1e-9, "below", "triangle-down")])
def test_a_run_far_off_stands_at_the_edge_and_is_said(loss: float, side: str, shape: str) -> None:
    runs = spiked(loss).frame.assign(role="fitted")
    figure = runs_chart(runs, C_LOSS, "params", LIGHT)
    spec = checked(figure)
    (points,) = marks(spec, "point")
    low, high = points["encoding"]["y"]["scale"]["domain"]
    others = runs["loss"].drop(5)
    assert (low, high) == domain_of(others, log=True)
    drawn = figure.frames.by_name["points"]
    assert len(drawn) == 36
    assert drawn.loc[5, OUTSIDE] == side
    assert low < drawn.loc[5, "loss"] < high
    assert (drawn[OUTSIDE] == "").sum() == 35
    np.testing.assert_array_equal(drawn["loss"].drop(5), others)
    assert shape in points["encoding"]["shape"]["scale"]["range"]
    said = spec["title"]["text"]
    number = "1e9" if loss > 1 else "1e-9"
    assert said.startswith("1 run lies outside the chart and stands at its edge (spike: loss ")
    assert said.replace("e+0", "e").replace("e-0", "e-").rstrip(").").endswith(number)
    assert drawn.loc[5, "__loss"] in said


def test_nothing_is_said_where_all_are_inside() -> None:
    assert "title" not in runs_chart(some_runs(30), C_LOSS, "params", LIGHT).spec()


def test_of_several_outside_the_first_are_named() -> None:
    runs = some_runs(100, loss=[*([1e8] * 4), *np.linspace(2, 4, 96)], run=[f"r{i}" for i in range(100)])
    y = robust_domain(runs["loss"], log=True)
    text = outside_text(runs, C_LOSS, domain_of(runs["flops"], log=True), y)
    assert text.startswith("4 runs lie outside the chart, at its edge (r0: loss ")
    assert text.endswith(" and 2 more).")
    many = some_runs(100, loss=[*([1e8] * 10), *np.linspace(2, 4, 90)])
    assert robust_domain(many["loss"], log=True) == domain_of(many["loss"], log=True)  # a tenth is no exception


def test_a_run_may_lie_to_the_side() -> None:
    runs = chinchilla_runs(0.01).frame
    runs.loc[3, "flops"] = 1.0
    placed = at_the_edge(runs, C_LOSS, robust_domain(runs["flops"], log=True), domain_of(runs["loss"], log=True))
    assert placed.loc[3, OUTSIDE] == "left"
    assert placed.loc[3, "flops"] > 1e16


def test_every_chart_of_a_law_says_it_too() -> None:
    found = fit(get_law("chinchilla"), spiked(), HUBER, resamples=0)
    chain = forward_chain(found.law, spiked(), HUBER, Selection())
    low, high = found.ranges["flops"]
    figures = [
        law_chart(found.points, C_LOSS, LIGHT, curves=family(found, "flops")),
        residual_chart(found.points, "flops", LIGHT),
        backtest_chart(chain, found.points, chain_curves(found.law, chain, low, high), LIGHT),
    ]
    for figure in figures:
        spec = figure.spec()
        title = spec["title"] if "title" in spec else next(p["title"] for p in spec["vconcat"] if "title" in p)
        assert "1 run lies outside the chart" in title["text"]
        shaped = [m["encoding"]["y"]["scale"]["domain"] for m in marks(spec, "point") if "shape" in m["encoding"]]
        assert all(top < 1000 for _, top in shaped)


def test_columns_of_a_file_do_not_meet_those_of_a_chart() -> None:
    """A file may call its own columns as a chart calls what it adds, and put them on an axis or into a colour."""
    runs = some_runs(12, group=np.geomspace(1, 100, 12), chart=["a", "b"] * 6)
    drawn = runs_chart(runs, View("group", "loss"), "chart", LIGHT).frames.by_name["points"]
    np.testing.assert_allclose(drawn["group"], np.geomspace(1, 100, 12))
    assert drawn["__group"].tolist() == ["a", "b"] * 6
    law = fitted(chinchilla_runs(0.01), resamples=0)
    assert set(law.points["role"]) == {"fitted"}
