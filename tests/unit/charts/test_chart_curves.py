"""Curves of many runs: what is thinned, smoothed, averaged and read, against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from charts_helpers import checked

from scaling_core.charts.axes import group_by
from scaling_core.charts.curve_lines import (
    MOST_LINES,
    MOST_TOGETHER,
    SMOOTH,
    CurveView,
    along,
    curve_lines,
    measured,
    run_settings,
    smoothed,
)
from scaling_core.charts.curves import beyond_text, curves_chart, readout, zoomed
from scaling_core.charts.palette import DARK, LIGHT
from scaling_core.charts.thinning import bin_width, points_kept
from scaling_core.runs import Upload, load

STEPS = 1000


def curves_of(runs: int, steps: int = STEPS) -> tuple[pd.DataFrame, pd.DataFrame]:
    step = np.tile(np.arange(1.0, steps + 1), runs)
    run = np.repeat([f"r{i}" for i in range(runs)], steps)
    loss = 2 + np.repeat(np.arange(runs), steps) + 1 / step
    by_run = pd.DataFrame({"run": [f"r{i}" for i in range(runs)], "params": 1e6 * (1 + np.arange(runs) % 2)})
    return pd.DataFrame({"run": run, "step": step, "tokens": 512 * step, "loss": loss}), by_run


def test_thinning_keeps_ends_and_the_extremes_of_every_bin() -> None:
    x = np.arange(1.0, 100_001)
    y = np.sin(x)
    y[54_321], y[7] = 9.0, -9.0
    kept = points_kept(np.zeros(len(x), dtype=np.intp), x, y, 400)
    assert kept[[0, -1, 54_321, 7]].all()
    assert 200 < kept.sum() <= 404
    bins = np.floor(x / bin_width(x, 200))
    whole, thin = pd.Series(y).groupby(bins), pd.Series(y[kept]).groupby(bins[kept])
    assert (whole.min() == thin.min()).all()
    assert (whole.max() == thin.max()).all()


@pytest.mark.parametrize("log", [False, True])
def test_points_that_come_later_leave_the_former_bins_alone(log: bool) -> None:
    x = np.arange(1.0, 45_001)
    y = np.random.default_rng(0).normal(size=len(x))
    position = np.log2(x) if log else x
    line = np.zeros(len(x), dtype=np.intp)
    before = points_kept(line[:30_000], position[:30_000], y[:30_000], 200)
    after = points_kept(line, position, y, 200)
    width = bin_width(position[:30_000], 100)
    assert bin_width(position, 100) == width
    settled = int(np.searchsorted(position, np.floor(position[29_999] / width) * width))
    assert settled > 20_000
    assert (before[:settled] == after[:settled]).all()


def test_short_lines_stay_whole_beside_long_ones_and_no_line_is_no_trouble() -> None:
    codes = np.repeat([0, 1], [10, 5000]).astype(np.intp)
    x = np.concatenate([np.arange(10.0), np.arange(5000.0)])
    kept = points_kept(codes, x, x.copy(), 50)
    assert kept[:10].all()
    assert kept[10:].sum() <= 54
    assert not len(points_kept(codes[:0], x[:0], x[:0], 50))


def test_smoothing_is_the_unbiased_moving_average_of_each_line_by_itself() -> None:
    y = np.array([4.0, 2.0, 1.0, 10.0, 20.0])
    got = smoothed(np.array([0, 0, 0, 1, 1]), y, 0.5)
    # Of 4, 2, 1 with weights 1/2: 4; (2 + 4/2)/(3/2); (1 + 2/2 + 4/4)/(7/4).
    assert got == pytest.approx([4, 8 / 3, 12 / 7, 10, 50 / 3])
    same = pd.Series(y[:3]).ewm(alpha=0.5, adjust=True).mean()
    assert got[:3] == pytest.approx(same.to_numpy())


def test_smoothing_is_a_view_and_the_points_as_logged_stay_behind() -> None:
    curves, by_run = curves_of(3)
    before = curves.copy()
    view = CurveView(smooth=0.9)
    drawn = curve_lines(curves, by_run, view, LIGHT)
    pd.testing.assert_frame_equal(curves, before)
    raw = drawn.lines.set_index(["run", "x"])["y"]
    logged = curves.set_index(["run", "step"])["loss"]
    assert (raw == logged.loc[raw.index].to_numpy()).all()
    spec = checked(curves_chart(drawn, view, LIGHT))
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    assert [layer["encoding"]["y"]["field"] for layer in lines] == ["loss", SMOOTH]
    assert lines[0]["encoding"]["opacity"]["condition"]["value"] < 0.3


def test_hundreds_of_lines_share_the_points_that_a_browser_takes() -> None:
    curves, by_run = curves_of(500)
    drawn = curve_lines(curves, by_run, CurveView(), LIGHT)
    assert len(drawn.lines) <= 1.1 * MOST_TOGETHER
    assert (drawn.points, drawn.runs, drawn.left_out) == (500 * STEPS, 500, 0)
    ends = drawn.lines.groupby("run")["x"].agg(["min", "max"])
    assert (ends["min"] == 1).all()
    assert (ends["max"] == STEPS).all()
    many = curve_lines(*curves_of(MOST_LINES + 50, 4), CurveView(), LIGHT)
    assert (many.runs, many.left_out) == (MOST_LINES, 50)


def test_a_part_is_drawn_from_all_of_its_points() -> None:
    curves, by_run = curves_of(100)
    whole = curve_lines(curves, by_run, CurveView(), LIGHT)
    part = curve_lines(curves, by_run, CurveView(span=(500, 520)), LIGHT)
    assert whole.lines["x"].between(500, 520).sum() < 20 * 100
    assert len(part.lines) == 21 * 100
    assert zoomed({"step": [520.0, 500.0]}, CurveView()) == (500.0, 520.0)
    assert zoomed({"tokens": [1.0, 2.0]}, CurveView()) is None


def test_groups_have_their_mean_and_range_over_the_runs_that_reach_a_place() -> None:
    curves, by_run = curves_of(4)
    short = curves[(curves["run"] != "r2") | (curves["step"] <= 10)]
    view = CurveView(log_x=False, grouped=True)
    drawn = curve_lines(short, by_run, view, DARK)
    ones = drawn.means[drawn.means["group"] == "1.00M"].set_index("x")  # r0 and r2
    assert ones.loc[8.0, ["mean", "low", "high", "runs"]].tolist() == pytest.approx([3.125, 2.125, 4.125, 2])
    assert ones.loc[800.0, ["mean", "low", "high", "runs"]].tolist() == pytest.approx([2.00125, 2.00125, 2.00125, 1])
    spec = checked(curves_chart(drawn, view, DARK))
    assert {layer["mark"]["type"] for layer in spec["layer"]} == {"area", "line", "rule"}
    rows, told = readout(drawn, view)
    assert [title for _, title in told] == ["Step", "1.00M", "2.00M"]
    assert rows.set_index("x").loc[8.0, "said0"] == "3.125, 2.125–4.125, 2 runs"


def test_the_cursor_reads_every_run() -> None:
    curves, by_run = curves_of(3)
    drawn = curve_lines(curves, by_run, CurveView(log_x=False), LIGHT)
    rows, told = readout(drawn, CurveView(log_x=False))
    assert [title for _, title in told] == ["Step", "r0", "r1", "r2"]
    assert rows.set_index("x").loc[800.0, ["said0", "said1", "said2"]].tolist() == ["2.001", "3.001", "4.001"]
    drawn = curve_lines(*curves_of(30), CurveView(log_x=False), LIGHT)
    rows, told = readout(drawn, CurveView(log_x=False))
    assert [title for _, title in told] == ["Step", "runs", "lowest", "median", "highest"]
    assert rows.set_index("x").loc[800.0, ["runs", "low", "middle", "high"]].tolist() == [
        30, "2.001 (r0)", "16.50", "31.00 (r29)",
    ]  # fmt: skip


@pytest.mark.parametrize("x", ["step", "tokens"])
def test_names_and_values_that_are_awkward(x: str) -> None:
    curves, by_run = curves_of(2, 5)
    curves["a.b[0]"] = [0, np.nan, -1, np.inf, 3] * 2
    curves["run"] = curves["run"].replace({"r0": "datum['x'] = 1", "r1": ""})
    for log_y in (True, False):
        view = CurveView(x, "a.b[0]", log_x=False, log_y=log_y, color="run")
        checked(curves_chart(curve_lines(curves, by_run, view, LIGHT), view, LIGHT), schema=False)
    view = CurveView(x, span=(1e9, 2e9))
    drawn = curve_lines(curves, by_run, view, LIGHT)
    assert drawn.lines.empty
    checked(curves_chart(drawn, view, LIGHT), schema=False)


def test_what_a_table_of_runs_offers() -> None:
    text = "run,step,params,loss,lr,batch\n" + "".join(
        f"{r},{s},{n},{3 - s / 10},{s},{b}\n" for r, n, b in (("a", 1e6, 8), ("b", 2e6, 16)) for s in (1, 2)
    )
    table = load([Upload("log.csv", text.encode())])
    assert along(table.curves) == ["step"]
    assert measured(table.curves) == ["loss", "lr"]
    settings = run_settings(table)
    assert list(settings["batch"]) == [8, 16]
    assert "lr" not in settings


def test_runs_of_one_name_in_several_files_are_lines_of_their_own() -> None:
    def log(name: str, n: float, steps: int) -> Upload:
        rows = (f"{run},{s},{n},{3 - s / 10}\n" for run in ("same", name) for s in range(1, steps + 1))
        return Upload(f"{name}.csv", f"run,step,params,loss\n{''.join(rows)}".encode())

    table = load([log("a", 1e6, 3), log("b", 2e6, 4)])
    settings = run_settings(table)
    assert dict(zip(settings["run"], settings["params"], strict=True)) == {
        "same (a.csv)": 1e6, "a": 1e6, "same (b.csv)": 2e6, "b": 2e6,
    }  # fmt: skip
    drawn = curve_lines(table.curves, settings, CurveView(log_x=False), LIGHT)
    assert drawn.lines.groupby("run").size().to_dict() == {"same (a.csv)": 3, "a": 3, "same (b.csv)": 4, "b": 4}
    assert drawn.lines.groupby("run")["group"].first()["same (b.csv)"] == "2.00M"


@pytest.mark.parametrize(
    ("reaches", "title", "ticks"),
    [
        (100.0, "Time (seconds)", [0.1, 1, 10, 100]),
        (7_200.0, "Time (minutes)", [60, 600, 6_000]),
        (1e6, "Time (days)", [8_640, 86_400, 864_000]),
    ],
)
def test_time_is_written_in_the_unit_that_suits_it(reaches: float, title: str, ticks: list[float]) -> None:
    curves, by_run = curves_of(2)
    curves["seconds"] = curves["step"] * reaches / STEPS
    view = CurveView("seconds")
    spec = checked(curves_chart(curve_lines(curves, by_run, view, LIGHT), view, LIGHT))
    x = spec["layer"][0]["encoding"]["x"]
    assert x["title"] == title
    assert x["axis"]["values"] == pytest.approx(ticks)


def test_names_with_numbers_stand_in_the_order_of_their_numbers() -> None:
    names = pd.DataFrame({"run": ["run 10", "run 9", "a", "run 1"]})
    assert group_by(names, "run", LIGHT).order == ["a", "run 1", "run 9", "run 10"]


def test_a_run_that_leaves_the_chart_is_said() -> None:
    step = np.tile(np.arange(1.0, 101), 3)
    curves = pd.DataFrame({"run": np.repeat(["a", "b", "c"], 100), "step": step, "loss": 2 - step / 1e3})
    curves.loc[150:152, "loss"] = [900.0, 1e6, 20.0]
    drawn = curve_lines(curves, curves[["run"]], CurveView(color="run"), LIGHT)
    said = beyond_text(drawn, CurveView(color="run"))
    assert said == "Beyond the chart, so that the others can be told apart: b to 1e6."
    curves.loc[150:152, "loss"] = 2.0
    assert beyond_text(curve_lines(curves, curves[["run"]], CurveView(), LIGHT), CurveView()) == ""
