"""N against D with lines of equal loss, and valleys of equal compute."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from charts_helpers import checked, grid_fit, marks, parts, some_runs, valid_and_differ_by_colour_only
from made_runs import CHINCHILLA, chinchilla_loss, table

from scaling_core.charts.axes import View
from scaling_core.charts.contours import contour_chart
from scaling_core.charts.figure import Figure
from scaling_core.charts.isoflop import isoflop_chart
from scaling_core.charts.law import law_chart
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.charts.runs import BRUSH
from scaling_core.fitting.curves import contours, family
from scaling_core.fitting.isoflop import IsoflopProfiles, isoflop_profiles
from scaling_core.planning import basis_of_fit, budgets, frontier


@cache
def map_figure(palette: Palette = LIGHT, color: str = "params") -> Figure:
    fit = grid_fit()
    best = frontier(basis_of_fit(fit), budgets(1e17, 1e24), None)
    return contour_chart(fit.points, contours(fit), best, palette, color)


@cache
def profiles() -> IsoflopProfiles:
    """Four budgets of seven sizes around the best of each; at the last, sizes on one side only."""
    flops = np.repeat([1e19, 1e20, 1e21, 1e22], 7)
    best = grid_fit().law.optimum(CHINCHILLA, flops)
    assert best is not None
    spread = np.tile(np.geomspace(1 / 4, 4, 7), 4)
    spread[-7:] = np.geomspace(2, 8, 7)
    N = best.params * spread
    return isoflop_profiles(table(N, flops / 6 / N, chinchilla_loss(N, flops / 6 / N)), resamples=20)


def valleys(palette: Palette = LIGHT, law: pd.DataFrame | None = None) -> Figure:
    found = profiles()
    return isoflop_chart(found.points, found.curves, found.profiles, palette, law)


@pytest.mark.parametrize("make", [map_figure, valleys])
def test_it_is_valid_and_dark_differs_by_colour_only(make) -> None:
    valid_and_differ_by_colour_only(make(), make(DARK))


def test_lines_of_equal_loss_are_dashed_beyond_the_runs_and_labelled_once() -> None:
    figure = map_figure()
    lines = figure.frames.by_name["contours"]
    assert lines["inside"].any()
    assert not lines["inside"].all()
    labels = figure.frames.by_name["labels"]
    assert sorted(map(float, labels["text"])) == sorted(lines["loss_level"].unique())
    assert labels["text"].str.len().nunique() == 1  # 2.0 beside 2.5, not 2
    solid = [m for m in marks(figure.spec(), "line") if m.get("transform") == [{"filter": "datum.inside"}]]
    assert len(solid) == 2  # of the lines, and of the frontier
    for _, piece in lines[lines["inside"]].groupby("piece"):
        assert piece["loss_level"].nunique() == 1
        assert np.diff(piece.index).max(initial=1) == 1  # unbroken, so that no line bridges a gap


def test_lines_of_equal_compute_are_powers_of_ten_on_the_map() -> None:
    figure = map_figure()
    ends = figure.frames.by_name["compute"]
    np.testing.assert_allclose(6 * ends["params"] * ends["tokens"], 10.0 ** ends["power"])
    assert ends.groupby("power").size().eq(2).all()
    assert ends["text"].iloc[0] == f"1e{ends['power'].iloc[0]}"
    (points,) = marks(figure.spec(), "point")
    for channel, name in (("x", "params"), ("y", "tokens")):
        low, high = points["encoding"][channel]["scale"]["domain"]
        assert ends[name].between(low * (1 - 1e-9), high * (1 + 1e-9)).all()


def test_the_frontier_is_drawn_where_the_map_is_and_solid_where_runs_are() -> None:
    best = frontier(basis_of_fit(grid_fit()), budgets(1e17, 1e24), None)
    rows = map_figure().frames.by_name["frontier"]
    assert 10 < len(rows) < len(best)
    low, high = grid_fit().ranges["flops"]
    flops = 6 * rows["params"] * rows["tokens"]
    assert (rows["inside"] == flops.between(low * (1 - 1e-9), high * (1 + 1e-9))).all()
    without = contour_chart(grid_fit().points, contours(grid_fit()), None, LIGHT)
    assert "frontier" not in without.frames.by_name
    checked(without, schema=False)


@pytest.mark.parametrize(("color", "legend"), [("params", False), ("loss", False), ("run", True)])
def test_a_legend_stands_only_where_nothing_else_says_it(color: str, legend: bool) -> None:
    spec = map_figure(LIGHT, color).spec()
    (points,) = marks(spec, "point")
    assert (points["encoding"]["color"]["legend"] is not None) is legend
    assert BRUSH in {p["name"] for p in spec["params"]}


def test_a_map_of_few_runs_is_drawn() -> None:
    checked(contour_chart(some_runs(1), contours(grid_fit()), None, LIGHT), schema=False)


def test_curves_at_fixed_compute_have_the_colours_of_their_budgets() -> None:
    fit = grid_fit()
    figure = law_chart(fit.points, View("params", "loss"), LIGHT, curves=family(fit, "params", fixed="flops"))
    (points,) = marks(checked(figure, schema=False), "point")
    assert points["encoding"]["color"]["legend"]["title"].startswith("Training compute C")


def test_valleys_have_one_colour_a_budget_for_points_curve_and_law() -> None:
    fit = replace(grid_fit(), theta=CHINCHILLA)
    law = family(fit, "params", fixed="flops", levels=profiles().profiles["flops"].to_numpy())
    figure = valleys(law=law)
    spec = checked(figure)
    scales = [m["encoding"]["color"]["scale"] for kind in ("point", "line") for m in marks(spec, kind)
              if "color" in m["encoding"]]  # fmt: skip
    assert len(scales) == 3
    assert all(scale == scales[0] for scale in scales)
    assert len(set(scales[0]["range"])) == 4
    for name in ("points", "curves", "law"):
        assert set(figure.frames.by_name[name]["budget"]) == set(scales[0]["domain"])
    assert figure.frames.by_name["names"]["text"].tolist() == ["1e19", "1e20", "1e21", "1e22"]


def test_a_minimum_is_hollow_where_something_speaks_against_it() -> None:
    figure = valleys()
    minima = figure.frames.by_name["minima"]
    assert minima["calm"].tolist() == [True, True, True, False]
    assert minima["flags"].tolist() == ["nothing", "nothing", "nothing", "not bracketed"]
    assert minima["used"].tolist() == [True, True, True, False]
    (diamond,) = [m for m in marks(figure.spec(), "point") if m["mark"].get("shape") == "diamond"]
    assert diamond["encoding"]["fill"]["condition"] == {"test": "datum.calm", "value": LIGHT.ink}
    assert diamond["encoding"]["fill"]["value"] == LIGHT.background
    (joined,) = [m for m in marks(figure.spec(), "line") if m.get("transform") == [{"filter": "datum.used"}]]
    assert joined["mark"]["color"] == LIGHT.ink


def test_minima_stand_where_the_law_has_them() -> None:
    minima = valleys().frames.by_name["minima"].head(3)
    best = grid_fit().law.optimum(CHINCHILLA, np.array([1e19, 1e20, 1e21]))
    assert best is not None
    np.testing.assert_allclose(minima["params"], best.params, rtol=0.05)  # a parabola's bias over 4 times to each side
    np.testing.assert_allclose(minima["loss"], best.loss, rtol=1e-3)
    assert (minima["low"] <= minima["high"]).all()


def test_minima_are_joined_from_the_smallest_budget_to_the_largest() -> None:
    """By compute and not by size: where N* falls back, the line must not zigzag."""
    figure = valleys()
    (line,) = [p for p, name in parts(figure.spec()) if name == "minima" and p["mark"]["type"] == "line"]
    assert line["encoding"]["order"]["field"] == "flops"
    minima = figure.frames.by_name["minima"]
    assert minima["flops"].tolist() == sorted(profiles().profiles["flops"])[: len(minima)]
