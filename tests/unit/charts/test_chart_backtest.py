"""The backtest: what the slider moves, and what it says at each cut."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from charts_helpers import checked, grid_fit, marks, parts, valid_and_differ_by_colour_only

from scaling_core.charts.backtest import CUT, backtest_chart
from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.fitting import Selection, get_objective
from scaling_core.fitting.backtest import forward_chain
from scaling_core.fitting.curves import chain_curves
from scaling_core.laws import get_law
from scaling_core.runs import Upload, load

LAW = get_law("chinchilla")


def chain() -> pd.DataFrame:
    """Three cuts and all 36 runs of ``grid_fit``; its compute runs from 6e16 to 6e22."""
    rows = [
        (1e19, 10, 26, 0.0203, 0.0152, 6000.0, "doubtful", 2.0),
        (3e20, 24, 12, 0.0089, -0.0011, 200.0, "good", 9.0),
        (5e22, 35, 1, 0.0041, 0.0041, 6.4, "good", 16.0),
        (np.inf, 36, 0, np.nan, np.nan, 1.0, "good", 17.9),
    ]
    names = ["cut", "n_train", "n_test", "error", "bias", "beyond", "grade", "tokens_per_param"]
    parameters = [{n: v * (1 + 0.01 * k) for n, v in grid_fit().parameters.items()} for k in range(4)]
    return pd.DataFrame(rows, columns=names).join(pd.DataFrame(parameters)).assign(target_flops=5.76e23)


@cache
def figure(palette: Palette = LIGHT, **columns: float) -> Figure:
    rows = chain().assign(**columns)
    return backtest_chart(rows, grid_fit().points, chain_curves(LAW, rows, 1e16, 1e23), palette)


@cache
def drawn() -> pd.DataFrame:
    return figure().frames.by_name["chain"]


def test_it_is_valid_and_dark_differs_by_colour_only() -> None:
    valid_and_differ_by_colour_only(figure(), figure(DARK))


def test_the_slider_counts_the_cuts_and_everything_follows_it() -> None:
    spec = figure().spec()
    (slider,) = [p for p in spec["params"] if p["name"] == CUT]
    assert slider["bind"] == {"input": "range", "min": 0, "max": 3, "step": 1, "name": "Cut"}
    assert slider["value"] == 1  # of 36 runs 12 held out: nearest to the share first shown
    assert drawn()["step"].tolist() == [0, 1, 2, 3]
    following = [part for part, _ in parts(spec) if CUT in str(part.get("transform"))]
    kinds = pd.Series([part["mark"]["type"] for part in following]).value_counts().to_dict()
    # three sentences; shaded ground; a rule in each of three panels; rings on error, bias and split; two lines
    assert kinds == {"text": 3, "rect": 1, "rule": 3, "point": 3, "line": 2}
    assert all(part["transform"][0] == {"filter": f"datum.step == {CUT}"} for part in following)


def test_a_point_is_filled_exactly_where_the_cut_lies_above_it() -> None:
    shown = figure()
    points = shown.frames.by_name["points"]
    for step, cut in enumerate(chain()["cut"]):
        np.testing.assert_array_equal(points["__first"] <= step, points["flops"] < cut)
    (circles,) = [m for m in marks(shown.spec(), "point") if "fill" in m["encoding"]]
    assert circles["encoding"]["fill"]["condition"]["test"] == f"datum.__role == 'fitted' && datum.__first <= {CUT}"
    assert circles["encoding"]["fill"]["value"] == "transparent"


def test_a_curve_is_drawn_for_each_cut_solid_below_it() -> None:
    shown = figure()
    curves = shown.frames.by_name["curves"]
    assert sorted(curves["step"].unique()) == [0, 1, 2, 3]
    for step, cut in enumerate(chain()["cut"]):
        one = curves[curves["step"] == step]
        assert (one["inside"] == (one["flops"] <= cut)).all()
    dashed, solid = (m for m in marks(shown.spec(), "line") if m["transform"][0]["filter"].startswith("datum.step"))
    assert "strokeDash" in dashed["mark"]
    assert solid["transform"][1] == {"filter": "datum.inside"}


def test_sentences_say_what_was_found() -> None:
    first, second, third, last = drawn().to_dict("records")
    assert first["fitted"] == "Fitted on 10 runs below 1e19 FLOPs"
    assert first["found"] == (
        "The other 26, up to 6000× beyond, are predicted within 2.0% on average; they came out 1.5% worse than "
        "foretold. This fit is doubtful."
    )
    assert second["found"].endswith("they came out 0.11% better than foretold.")
    assert second["found_short"] == "the other 12: within 0.89% on average"
    assert second["split"] == "With 5.76e23 FLOPs it would have chosen 9.0 tokens per parameter; all runs say 18."
    assert third["found"].startswith("The other one, up to 6.4× beyond, is predicted within 0.41%")
    assert last["fitted"] == "Fitted on all 36 runs"
    assert last["found"] == "None is held out, so nothing tests this fit."
    assert last["split"] == "With 5.76e23 FLOPs it chooses 18 tokens per parameter."


def test_errors_are_percents_and_zero_is_on_the_axis() -> None:
    np.testing.assert_allclose(drawn()["error"][:3], [2.03, 0.89, 0.41])
    np.testing.assert_allclose(drawn()["bias"][:3], [1.52, -0.11, 0.41])
    spec = figure().spec()
    low, high = spec["vconcat"][2]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < -0.11
    assert high > 2.03


def test_a_law_that_does_not_split_budgets_has_no_panel_for_it_and_says_nothing() -> None:
    shown = figure(tokens_per_param=np.nan)
    assert len(checked(shown, schema=False)["vconcat"]) == 3
    assert set(shown.frames.by_name["chain"]["split"]) == {""}


def test_a_law_without_a_curve_is_drawn_without() -> None:
    none = chain_curves(LAW, chain(), 1e16, 1e23).iloc[:0]
    shown = backtest_chart(chain(), grid_fit().points, none, LIGHT)
    checked(shown, schema=False)
    assert shown.frames.by_name["curves"].empty


def test_what_the_240_points_below_1e20_would_have_foretold(reference: Path) -> None:
    runs = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    drop = Selection(drop_highest_loss=5)
    rows = forward_chain(LAW, runs, get_objective("huber-log"), drop, cuts=[1e20, 1e21], target_flops=5.76e23)
    shown = backtest_chart(rows, runs.frame.assign(role="fitted"), chain_curves(LAW, rows, 1e18, 1e23), LIGHT)
    first, second, _ = shown.frames.by_name["chain"].to_dict("records")
    assert first["fitted"] == "Fitted on 136 runs below 1e20 FLOPs"
    assert first["found_short"] == "the other 104: within 0.89% on average"
    assert first["split_short"] == "it would choose 2.6 tokens per parameter (all: 18)"
    assert second["fitted"] == "Fitted on 217 runs below 1e21 FLOPs"
    assert second["found_short"] == "the other 23: within 1.1% on average"  # 1.05%
    assert second["split_short"].startswith("it would choose 8.6 tokens per parameter")


def test_runs_of_a_box_are_not_called_all_runs() -> None:
    points = grid_fit().points.copy()
    points.loc[points.index[:4], "role"] = "held out"
    shown = backtest_chart(chain(), points, chain_curves(LAW, chain(), 1e16, 1e23), LIGHT)
    rows = shown.frames.by_name["chain"].to_dict("records")
    assert rows[-1]["fitted"] == "Fitted on all 36 chosen runs"
    assert rows[1]["split"].endswith("; all chosen runs say 18.")
    assert shown.frames.by_name["final"]["text"].tolist() == ["fitted on all chosen runs"]


def test_the_axis_bears_what_was_fitted() -> None:
    curves = chain_curves(LAW, chain(), 1e16, 1e23)
    shown = backtest_chart(chain(), grid_fit().points, curves, LIGHT, y_title="1 − accuracy")
    (circles,) = [m for m in marks(shown.spec(), "point") if "fill" in m["encoding"]]
    assert circles["encoding"]["y"]["title"] == "1 − accuracy"
