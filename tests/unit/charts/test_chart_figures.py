"""Every chart against Vega-Lite's schema (which is not checked as charts are built), and what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import altair as alt
import numpy as np
import pandas as pd
import pytest
from altair.utils.schemapi import SchemaValidationError
from charts_helpers import (
    checked,
    fields,
    grid_fit,
    line_fit,
    marks,
    parts,
    some_runs,
    strings,
    valid_and_differ_by_colour_only,
)

from scaling_core.charts.axes import View, column_title, field_name
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.law import law_chart, residual_chart
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.charts.plan import BUDGET, plan_chart
from scaling_core.charts.runs import BRUSH, point_frame, runs_chart
from scaling_core.fitting.curves import family, line
from scaling_core.planning import (
    LOG_STEP,
    Basis,
    basis_of_fit,
    basis_of_published,
    budgets,
    frontier,
    get_published,
)

C_LOSS = View("flops", "loss")
#: Keys under which Vega-Lite takes an expression.
CODE = {"expr", "labelExpr", "filter", "test", "calculate", "signal"}
NASTY = "<img src=x onerror=alert(1)> {signal: 'x'} datum.loss ${1+1} \"'];alert(1)//"


def frontier_of(basis: Basis, low: float, high: float, start: float) -> pd.DataFrame:
    return frontier(basis, budgets(low, high, through=start), 0.9)


def runs_figure(palette: Palette, runs: pd.DataFrame | None = None, with_line: bool = True) -> Figure:
    law = frontier(basis_of_fit(grid_fit()), budgets(1e17, 1e24), None) if with_line else None
    return runs_chart(some_runs(30) if runs is None else runs, C_LOSS, "params", palette, law)


@cache
def family_figure(palette: Palette) -> Figure:
    fit = grid_fit()
    main = frontier_of(basis_of_fit(fit), 6e16, 6e23, 1e20)
    return law_chart(fit.points, C_LOSS, palette, curves=family(fit, "flops"), main=main, extent=fit.ranges["flops"])


@cache
def line_figure(palette: Palette) -> Figure:
    fit = line_fit()
    return law_chart(fit.points, View("params", "loss"), palette, main=line(fit), extent=fit.ranges["params"])


@cache
def residual_figure(palette: Palette) -> Figure:
    return residual_chart(grid_fit().points, "flops", palette)


@cache
def plan_figure(palette: Palette) -> Figure:
    return plan_chart(frontier_of(basis_of_fit(grid_fit()), 1e20, 1e25, 5.76e23), 5.76e23, 0.9, palette)


FIGURES: dict[str, Callable[[Palette], Figure]] = {
    "runs": runs_figure,
    "family": family_figure,
    "line": line_figure,
    "residuals": residual_figure,
    "plan": plan_figure,
}


@pytest.mark.parametrize("name", FIGURES)
def test_charts_are_valid_in_light_and_differ_from_it_in_the_dark_by_colour_only(name: str) -> None:
    valid_and_differ_by_colour_only(FIGURES[name](LIGHT), FIGURES[name](DARK))


def test_an_invalid_chart_would_be_found() -> None:
    frames = Frames()
    wrong = frames.chart("points", some_runs(2)).mark_point(size="huge").encode(x="flops:Q")
    with pytest.raises(SchemaValidationError):
        checked(Figure(alt.layer(wrong), frames))
    absent = frames.chart("points", some_runs(2)).mark_point().encode(x="flop:Q")
    with pytest.raises(AssertionError):
        checked(Figure(alt.layer(absent), frames))


@pytest.mark.parametrize(
    "runs",
    [some_runs(1), some_runs(2), some_runs(30).iloc[:0], some_runs(3, loss=np.nan),
     some_runs(9, loss=[2.0, np.nan, 3.0] * 3), some_runs(4, params=1e9, tokens=1e10, flops=6e19, loss=2.0),
     some_runs(3, params=np.nan)],
    ids=["one", "two", "none", "no loss", "NaN loss", "all equal", "no sizes"],
)  # fmt: skip
def test_few_or_poor_rows_are_drawn(runs: pd.DataFrame) -> None:
    for figure in (
        runs_figure(LIGHT, runs),
        runs_figure(LIGHT, runs, with_line=False),
        law_chart(runs, C_LOSS, LIGHT),
        residual_chart(runs.assign(predicted=2.0, residual=runs["loss"] / 2 - 1), "flops", LIGHT),
    ):
        checked(figure, schema=False)  # the shapes are those of fuller charts, checked above
        drawn = figure.frames.by_name["points"]
        assert len(drawn) == runs["loss"].notna().sum()


def test_every_law_chart_without_its_options_is_valid() -> None:
    fit = grid_fit()
    main = frontier_of(basis_of_fit(fit), 6e16, 6e23, 1e20)
    assert not marks(checked(law_chart(fit.points, C_LOSS, LIGHT)), "line")
    without_band = checked(law_chart(fit.points, C_LOSS, LIGHT, main=main.drop(columns=["loss_low", "loss_high"])))
    assert not marks(without_band, "area")
    assert not marks(without_band, "rect")  # no extent, no ground
    by_tokens = law_chart(fit.points, View("tokens", "loss", log_y=False), LIGHT, curves=family(fit, "tokens"))
    assert marks(checked(by_tokens), "line")


def test_the_ground_beyond_the_runs_is_shaded_from_the_largest() -> None:
    figure = family_figure(LIGHT)
    assert marks(figure.spec(), "rect")
    ground = figure.frames.by_name["ground"].iloc[0]
    assert ground["start"] == grid_fit().ranges["flops"][1]
    assert "beyond the largest fitted run" in ground["text"]


def test_lines_are_solid_inside_the_runs_and_dashed_beyond() -> None:
    for name in ("family", "line"):
        spec = FIGURES[name](LIGHT).spec()
        dashed = [m for m in marks(spec, "line") if "strokeDash" in m["mark"]]
        solid = [m for m in marks(spec, "line") if "strokeDash" not in m["mark"]]
        assert len(dashed) == len(solid) > 0
        assert all(m["transform"] == [{"filter": "datum.inside"}] for m in solid)
    main = line_figure(LIGHT).frames.by_name["main"]
    low, high = line_fit().ranges["params"]
    assert (main["inside"] == main["params"].between(low, high)).all()


def test_points_and_curves_of_one_size_have_one_colour() -> None:
    fit = grid_fit()
    for x, sizes in (("flops", "params"), ("tokens", "params"), ("params", "tokens")):
        spec = law_chart(fit.points, View(x, "loss"), LIGHT, curves=family(fit, x)).spec()
        by_point = marks(spec, "point")[0]["encoding"]["color"]
        by_curve = marks(spec, "line")[0]["encoding"]["stroke"]
        assert by_point["scale"] == by_curve["scale"]
        assert len(by_point["scale"]["domain"]) == fit.points[sizes].nunique()
        assert by_point["legend"]["title"] == column_title(sizes)


def test_points_say_their_role_by_shape_and_fill() -> None:
    roles = ["fitted", "held out", "excluded", "unusable"]
    figure = runs_chart(some_runs(4).assign(role=roles), C_LOSS, "run", LIGHT)
    (points,) = marks(checked(figure), "point")
    encoding = points["encoding"]
    assert encoding["shape"]["scale"] == {"domain": roles[:3], "range": ["circle", "circle", "cross"]}
    assert encoding["fill"]["condition"]["test"] == "datum.__role == 'fitted'"
    assert encoding["fill"]["value"] == "transparent"
    assert figure.frames.by_name["points"]["__role"].tolist() == [*roles[:3], "excluded"]


def test_dragging_selects_in_both_axes_and_the_legend_toggles() -> None:
    for name in ("runs", "family", "line"):
        params = {p["name"]: p for p in FIGURES[name](LIGHT).spec()["params"]}
        assert params[BRUSH]["select"] == {"type": "interval", "encodings": ["x", "y"]}
        assert params["shown"]["bind"] == "legend"


def test_ends_of_runs_are_drawn_first_where_rows_are_too_many() -> None:
    ends = np.arange(12_000) % 40 == 39
    points, _ = point_frame(some_runs(12_000, is_final=ends), C_LOSS, "params", LIGHT)
    assert len(points) == 2000
    assert set(np.flatnonzero(ends)) <= set(points.index)
    others = np.array(sorted(set(points.index) - set(np.flatnonzero(ends))))
    assert (others[0], others[-1]) == (0, 11_998)
    assert np.diff(others).max() <= 9  # 1,700 of 11,700: every seventh, with gaps where an end stands


@pytest.mark.parametrize("rows", [2001, 3999])
@pytest.mark.parametrize("is_final", [True, False])
def test_the_last_row_is_drawn_however_many_there_are(rows: int, is_final: bool) -> None:
    points, _ = point_frame(some_runs(rows, is_final=is_final), C_LOSS, "params", LIGHT)
    assert len(points) == 2000
    assert (points.index[0], points.index[-1]) == (0, rows - 1)


def test_rows_that_a_log_axis_cannot_show_are_left_out() -> None:
    runs = some_runs(4, loss=[2.0, 0.0, -1.0, 3.0])
    assert len(point_frame(runs, C_LOSS, "params", LIGHT)[0]) == 2
    assert len(point_frame(runs, View("flops", "loss", log_y=False), "params", LIGHT)[0]) == 4


def test_five_hundred_names_make_a_short_legend() -> None:
    figure = runs_chart(some_runs(500), C_LOSS, "run", LIGHT)
    (points,) = marks(checked(figure), "point")
    domain = points["encoding"]["color"]["scale"]["domain"]
    assert len(domain) == len(LIGHT.categories)
    assert domain[-1] == "494 others"
    assert set(figure.frames.by_name["points"]["__group"]) == set(domain)


def test_the_views_of_a_selection_are_views_of_the_chart() -> None:
    spec = family_figure(LIGHT).spec()
    names = {part.get("name") for part, _ in parts(spec)}
    for param in spec["params"]:
        assert set(param["views"]) <= names


def test_one_group_needs_no_legend() -> None:
    (points,) = marks(runs_chart(some_runs(5, lr=1e-3), C_LOSS, "lr", LIGHT).spec(), "point")
    assert points["encoding"]["color"]["legend"] is None


def test_residuals_are_percents_around_zero() -> None:
    figure = residual_figure(LIGHT)
    known = figure.frames.by_name["points"]
    np.testing.assert_allclose(known["percent"], 100 * grid_fit().points["residual"])
    low, high = marks(figure.spec(), "point")[0]["encoding"]["y"]["scale"]["domain"]
    assert low == -high
    assert known["percent"].abs().max() < high
    assert figure.frames.by_name["zero"]["percent"].tolist() == [0.0]


@pytest.mark.parametrize("color", ["run", "note", NASTY])
def test_names_from_a_file_are_data_and_never_code(color: str) -> None:
    runs = some_runs(3, run=[NASTY, "b", "c"], note=[NASTY, "x", "y"], **{NASTY: [1.0, 2.0, 3.0]})
    figure = runs_chart(runs, C_LOSS, color, LIGHT)
    spec = checked(figure)
    code = [value for key, value in strings(spec) if key in CODE]
    assert code
    assert not any(NASTY in value for value in code)
    assert all(NASTY not in name for part, _ in parts(spec) for name in fields(part["encoding"]))
    assert NASTY in figure.frames.by_name["points"]["run"].tolist()
    assert json.loads(json.dumps(figure.to_json_spec()))["datasets"]["points"][0]["run"] == NASTY


def test_the_budget_slider_counts_exactly_the_rows() -> None:
    start, figure = 5.76e23, plan_figure(LIGHT)
    spec = figure.spec()
    (budget,) = [p for p in spec["params"] if p["name"] == BUDGET]
    drawn = figure.frames.by_name["frontier"]
    steps = drawn["step"].tolist()
    assert budget["bind"]["input"] == "range"
    assert budget["bind"]["step"] == 1
    assert (budget["bind"]["min"], budget["bind"]["max"]) == (min(steps), max(steps))
    assert steps == list(range(min(steps), max(steps) + 1))
    assert budget["value"] == 0
    here = drawn[drawn["step"] == 0].iloc[0]
    assert here["flops"] == start
    np.testing.assert_allclose(np.log10(drawn["flops"] / start), drawn["step"] * LOG_STEP, atol=1e-9)
    at_budget = [{"filter": f"datum.step == {BUDGET}"}]
    following = [part for part, _ in parts(spec) if BUDGET in str(part.get("transform"))]
    assert all(part["transform"] == at_budget for part in following)
    # the read-out's sentences, and a rule and a point on each of loss, N and D
    assert [part["mark"]["type"] for part in following] == ["text"] * 15 + ["rule", "point"] * 3


def test_the_read_out_writes_the_row_it_stands_on() -> None:
    rows = frontier_of(basis_of_published(get_published("besiroglu")), 1e19, 1e26, 5.76e23)
    drawn = plan_chart(rows, 5.76e23, 0.9, LIGHT).frames.by_name["frontier"]
    here = drawn[drawn["step"] == 0].iloc[0]
    # 72.2B parameters, 1.33T tokens, 18.4 a parameter, loss 1.974: arXiv 2404.10102's constants
    assert here[["params_text", "tokens_text", "tokens_per_param_text", "loss_text"]].tolist() == [
        "72.2B", "1.33T", "18.4", "1.974",
    ]  # fmt: skip
    assert here["budget_text"] == "With 5.76e23 FLOPs"
    assert here["loss_interval"] == "no interval"
    assert here["warning"].startswith("This budget lies 44× beyond the largest run")  # 1.296e22
    assert here["state"] == "beyond"
    inside = drawn[drawn["flops"].between(1.4e18, 1.2e22)]
    assert (inside["warning"] == "Inside the range of the runs.").all()
    assert (inside["state"] == "calm").all()


def test_a_plan_with_intervals_says_their_level_and_draws_bands() -> None:
    figure = plan_figure(LIGHT)
    drawn = figure.frames.by_name["frontier"]
    assert "90% intervals" in drawn["budget_text"].iloc[0]
    assert (drawn["params_interval"].str.count(" – ") == 1).all()
    assert len(marks(figure.spec(), "area")) == 3  # loss, N and D


def test_a_plan_without_sizes_has_no_panel_for_them() -> None:
    known = frontier_of(basis_of_published(get_published("muennighoff")), 1e19, 1e22, 1e20)
    without = known.assign(params=np.nan, tokens=np.nan, tokens_per_param=np.nan)
    figure = plan_chart(without, 1e20, 0.9, LIGHT)
    assert len(checked(figure, schema=False)["vconcat"]) == 2
    drawn = figure.frames.by_name["frontier"]
    assert set(drawn["params_text"]) == {"unknown"}
    assert set(drawn["warning_short"]) == {"Extent of the data not known"}


def test_a_plan_of_one_budget_is_drawn() -> None:
    rows = frontier(basis_of_published(get_published("besiroglu")), np.array([1e22]))
    checked(plan_chart(rows, 1e22, 0.9, LIGHT), schema=False)


@pytest.mark.parametrize("column", ["acc.data", "a:b", "x[0]", "a\\b", "mean(x)", "'q'.\"r\""])
def test_columns_of_any_name_are_fields_of_the_chart(column: str) -> None:
    """What Vega reads as a path, or Altair as a type, is a name in files of runs."""
    rng = np.random.default_rng(1)
    runs = grid_fit().points.assign(**{column: rng.uniform(1, 2, len(grid_fit().points))})
    curve = pd.DataFrame({column: [1.0, 2.0], "loss": [3.0, 2.0]})
    across, up = View(column, "loss"), View("loss", column)
    for figure in (
        runs_chart(runs, across, column, LIGHT, curve),
        runs_chart(runs, up, column, LIGHT),
        law_chart(runs, across, LIGHT, main=curve.assign(loss_low=2.0, loss_high=3.0), extent=(1.0, 1.5)),
        residual_chart(runs, column, LIGHT),
    ):
        spec = checked(figure)
        read = set().union(*(fields(part["encoding"]) for part, _ in parts(spec)))
        assert not [name for name in read if set(name) & set(".:[]\\'\"")]
        assert field_name(column) in read
        assert sorted(figure.frames.by_name["points"][field_name(column)]) == sorted(runs[column])
    titles = [part["encoding"]["x"].get("title") for part, _ in parts(runs_chart(runs, across, column, LIGHT).spec())]
    assert set(titles) == {column}


def test_a_field_is_called_as_its_column_wherever_it_can_be() -> None:
    assert [field_name(c) for c in ("loss", "my column", "a-b", "a.b", "a:b")] == [
        "loss", "my column", "a-b", "a_2e_b", "a_3a_b"
    ]  # fmt: skip
