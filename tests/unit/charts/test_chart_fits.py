"""What says how far a fit can be trusted: laws ranked, approaches, draws, outliers and profiles."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from charts_helpers import checked, fields, grid_fit, marks, parts, strings, valid_and_differ_by_colour_only
from made_runs import chinchilla_runs

from scaling_core.charts.approaches import approaches_chart
from scaling_core.charts.corner import corner_chart
from scaling_core.charts.figure import Figure
from scaling_core.charts.influence import drop_path_chart, influence_chart
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.charts.profile import interval_text, profile_chart
from scaling_core.charts.ranking import ranking_chart, ranking_rows
from scaling_core.fitting import get_objective
from scaling_core.fitting.compare import Comparison, compare
from scaling_core.fitting.corner import corner
from scaling_core.laws import get_law

NASTY = "<b>a</b> {signal: 'x'} datum.loss \"']"
RANKED = ["law", "title", "held_out_error", "held_out_error_se", "in_sample_error", "grade", "tokens_per_param",
          "target_flops", "reason"]  # fmt: skip


def ranked(count: int = 3) -> pd.DataFrame:
    """A law that is good, one that is doubtful and does not split budgets, and one that was not judged."""
    rows = [
        ("a", "First L(N, D)", 0.0078, 0.0010, 0.0047, "good", 24.2, 5.76e23, ""),
        ("b", "Second L(C)", 0.0095, 0.0091, 0.0104, "doubtful", math.nan, 5.76e23, ""),
        ("c", NASTY, math.nan, math.nan, 0.0104, "failed", 18.0, 5.76e23, "Too few runs below the cut."),
    ]
    return pd.DataFrame((rows * 9)[:count], columns=RANKED)


@cache
def ranking(palette: Palette = LIGHT) -> Figure:
    return ranking_chart(ranked(), palette)


def three_approaches() -> pd.DataFrame:
    nan = math.nan
    rows = [
        ("Lowest loss", 0.5216, 0.4685, 0.5538, -0.0226, ""),
        ("IsoFLOP", 0.4911, nan, nan, -0.0012, ""),
        ("Law", nan, nan, nan, nan, "No law is fitted."),
    ]
    return pd.DataFrame(rows, columns=["title", "a", "a_low", "a_high", "bias", "reason"])


def approaches_figure(palette: Palette = LIGHT) -> Figure:
    return approaches_chart(three_approaches(), palette, 0.9)


@cache
def corner_figure(palette: Palette = LIGHT) -> Figure:
    cloud = corner(grid_fit())
    return corner_chart(
        cloud.draws, cloud.pairs, grid_fit().law.parameter_names, palette, estimate=grid_fit().parameters
    )


#: What the 245 points say without their k highest losses, in short.
PATH = pd.DataFrame({"k": [0, 1, 5, 10], "n": [245, 244, 240, 235], "tokens_per_param": [6.816, 10.06, 17.92, 19.93],
                     "loss": [1.9, 1.95, 1.97, 1.98]})  # fmt: skip


def path_figure(palette: Palette = LIGHT) -> Figure:
    return drop_path_chart(PATH, palette, now=5, target_flops=5.76e23)


def influence_figure(palette: Palette = LIGHT) -> Figure:
    runs = pd.DataFrame({"run": [NASTY, "b", "c"], "loss": [5.0, 3.2, 2.3], "after": [10.1, 5.9, 6.2],
                         "change": [0.476, -0.129, -0.0974]})  # fmt: skip
    return influence_chart(runs, "Tokens per parameter", palette)


def valley(low: float = 0.3, high: float = 0.4) -> pd.DataFrame:
    value = np.linspace(low, high, 31)
    return pd.DataFrame({"value": value, "rise": ((value - 0.35) / 0.01) ** 2})


def profile_figure(palette: Palette = LIGHT) -> Figure:
    return profile_chart(valley(), "alpha", 3.84, (0.3304, 0.3696), palette, level=0.95)


FIGURES: dict[str, Callable[[Palette], Figure]] = {
    "ranking": ranking,
    "approaches": approaches_figure,
    "corner": corner_figure,
    "path": path_figure,
    "influence": influence_figure,
    "profile": profile_figure,
}


@pytest.mark.parametrize("name", FIGURES)
def test_charts_are_valid_in_light_and_differ_from_it_in_the_dark_by_colour_only(name: str) -> None:
    valid_and_differ_by_colour_only(FIGURES[name](LIGHT), FIGURES[name](DARK))


@pytest.mark.parametrize("name", ["ranking", "influence"])
def test_names_are_data_and_never_code(name: str) -> None:
    spec = FIGURES[name](LIGHT).spec()
    assert not any(NASTY in value for _, value in strings(spec))
    assert not any(NASTY in field for part, _ in parts(spec) for field in fields(part.get("encoding", {})))


# Laws ranked


def test_ranked_laws_say_their_errors_in_percent_and_how_they_split_a_budget() -> None:
    rows = ranking().frames.by_name["laws"]
    assert rows["name"].tolist()[:2] == ["1  First L(N, D)", "2  Second L(C)"]
    assert rows["held_out_error_text"].tolist() == ["0.780%", "0.950%", "not judged"]
    assert rows["ratio"].tolist() == ["24 tokens per parameter", "", "18 tokens per parameter"]
    np.testing.assert_allclose(rows[["low", "high"]].head(1), [[0.68, 0.88]])
    assert rows["low"].iloc[1] > 0  # one error less would leave nothing for a log axis
    np.testing.assert_allclose(np.diff(rows["at_dot"]), 1)


def test_a_certificate_has_a_shape_and_a_colour_and_its_legend_only_where_they_differ() -> None:
    dots = [m for m in marks(ranking().spec(), "point") if "shape" in m["encoding"]]
    scale = dots[0]["encoding"]["shape"]["scale"]
    assert scale == {"domain": ["good", "doubtful", "failed"], "range": ["circle", "triangle-up", "cross"]}
    assert dots[0]["encoding"]["color"]["scale"]["range"] == [LIGHT.categories[2], LIGHT.warning, LIGHT.ground]
    assert dots[0]["encoding"]["shape"]["legend"]["orient"] == "top"
    (alone,) = (m for m in marks(ranking_chart(ranked(1), LIGHT).spec(), "point") if "shape" in m["encoding"])
    assert alone["encoding"]["shape"]["legend"] is None


def test_a_chart_of_many_laws_shows_the_best_and_grows_with_their_number() -> None:
    few, many = ranking_chart(ranked(3), LIGHT), ranking_chart(ranked(27), LIGHT, most=20)
    assert len(many.frames.by_name["laws"]) == 20
    assert many.spec()["height"] - few.spec()["height"] == 17 * 42


def test_rows_of_a_comparison_are_its_figures() -> None:
    laws = [get_law(name) for name in ("chinchilla", "power-c-offset", "data-constrained")]
    found = compare(chinchilla_runs(0.01), get_objective("mse-log"), laws=laws, target_flops=1e23)
    rows = ranking_rows(found)
    assert list(rows) == RANKED
    assert set(rows["law"]) == {"chinchilla", "power-c-offset"}  # the third reads unique tokens
    by_law: dict[str, Comparison] = {c.law.name: c for c in found}
    for row in rows.to_dict("records"):
        c = by_law[row["law"]]
        assert row["held_out_error"] == c.held_out_error
        assert row["in_sample_error"] == c.in_sample_error
        assert c.certificate is not None
        assert row["grade"] == c.certificate.grade
    assert rows["held_out_error"].is_monotonic_increasing
    checked(ranking_chart(rows, LIGHT), schema=False)


# Three approaches


def test_exponents_are_written_with_their_intervals_and_less_their_bias() -> None:
    rows = approaches_figure().frames.by_name["approaches"]
    assert rows["text"].tolist() == ["0.522  (0.469–0.554)", "0.491  (no interval)", "not found"]
    assert rows["unbiased"].iloc[0] == pytest.approx(0.5216 + 0.0226)
    assert rows["unbiased"].iloc[1:].isna().all()  # too small to mark, and unknown
    assert rows["bias_text"].tolist() == ["−0.023", "−0.001", "not known"]


def test_the_axis_holds_every_interval_and_the_equal_split() -> None:
    spec = approaches_chart(three_approaches().assign(a=0.9, a_low=0.8, a_high=1.0, bias=0.0), LIGHT).spec()
    low, high = marks(spec, "rule")[0]["encoding"]["x"]["scale"]["domain"]
    assert low < 0.5
    assert high > 1.0
    assert marks(spec, "rule")[0]["encoding"]["x"]["title"] == ["Exponent a of N ∝ C^a"]


# Draws


@cache
def seven() -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """600 draws of seven parameters, with names that are no identifiers."""
    rng = np.random.default_rng(0)
    names = [f"p {k}.x'" for k in range(7)]
    wide = pd.DataFrame(np.exp(rng.normal(size=(600, 7)) @ rng.normal(size=(7, 7))), columns=names).rename_axis("draw")
    draws = wide.stack().rename("value").rename_axis(["draw", "parameter"]).reset_index()
    r = wide.corr()
    pairs = pd.DataFrame(
        [(a, b, r.loc[a, b], 0.0) for i, a in enumerate(names) for b in names[i + 1 :]],
        columns=["first", "second", "r", "r_centred"],
    )
    return draws, pairs, names


def test_a_corner_has_a_histogram_for_each_a_cloud_and_a_number_for_each_pair() -> None:
    figure = corner_figure()
    frames, spec = figure.frames.by_name, figure.spec()
    assert len(marks(spec, "circle")) == 10
    draws = grid_fit().draws
    for k in range(5):
        assert frames[f"bars_{k}"]["count"].sum() == len(draws)
    expected = np.corrcoef(draws.T)
    written = {(row.across, row.down): row.text for row in frames["correlations"].itertuples()}
    assert len(written) == 10
    for i in range(5):
        for j in range(i + 1, 5):
            assert written[j + 0.5, i + 0.5] == f"{expected[i, j]:+.2f}".replace("-", "−")
    assert frames["titles"]["text"].tolist() == list(grid_fit().law.parameter_names)
    assert (frames["at_3_1"]["x"].item(), frames["at_3_1"]["y"].item()) == (
        grid_fit().parameters["A"], grid_fit().parameters["alpha"],
    )  # fmt: skip


def test_every_cell_has_its_share_of_the_view_so_that_it_fits_any_screen() -> None:
    spec = corner_figure().spec()
    assert "layer" in spec
    cell = marks(spec, "circle")[1]["encoding"]  # row 2, column 0
    assert [end["expr"] for end in cell["x"]["scale"]["range"]] == ["width * 0 / 5 + 5", "width * 1 / 5 - 5"]
    assert [end["expr"] for end in cell["y"]["scale"]["range"]] == ["height * 3 / 5 - 5", "height * 2 / 5 + 5"]
    assert spec["resolve"]["scale"] == {"x": "independent", "y": "independent"}
    axes = [m["encoding"]["x"]["axis"] is not None for m in marks(spec, "circle")]
    assert sum(axes) == 4  # the last row of clouds


def test_seven_parameters_stay_small() -> None:
    draws, pairs, names = seven()
    figure = corner_chart(draws, pairs, names, LIGHT, titles={names[0]: "first"})
    spec = checked(figure, schema=False)
    assert len(marks(spec, "circle")) == 21
    assert 200 <= len(figure.frames.by_name["draws"]) < 600
    assert sum(map(len, figure.frames.by_name.values())) < 1000
    assert len(json.dumps({k: v for k, v in spec.items() if k != "datasets"})) < 60_000
    assert figure.frames.by_name["titles"]["text"].tolist() == ["first", *names[1:]]
    scales = {m["encoding"]["x"]["scale"]["type"] for m in marks(spec, "circle")}
    assert scales == {"log"}  # they span decades


def test_centred_draws_come_with_their_own_correlations() -> None:
    cloud = corner(grid_fit())
    figure = corner_chart(cloud.draws, cloud.pairs, ["A", "alpha"], LIGHT, column="centred")
    (r,) = cloud.pairs.query("first == 'A' and second == 'alpha'")["r_centred"]
    assert figure.frames.by_name["correlations"]["text"].tolist() == [f"{r:+.2f}".replace("-", "−")]


def test_a_parameter_that_does_not_vary_is_drawn() -> None:
    draws = pd.DataFrame({"draw": [0, 0, 1, 1], "parameter": ["a", "b"] * 2, "value": [1.0, 2.0, 1.0, 3.0]})
    pairs = pd.DataFrame({"first": ["a"], "second": ["b"], "r": [np.nan], "r_centred": [np.nan]})
    figure = corner_chart(draws, pairs, ["a", "b"], LIGHT)
    checked(figure, schema=False)
    assert figure.frames.by_name["correlations"]["text"].tolist() == ["none"]


# What a fit hangs on


def test_the_path_writes_its_ends_and_where_the_fit_stands() -> None:
    figure = path_figure()
    assert figure.frames.by_name["written_first"]["text"].tolist() == ["6.82"]
    assert figure.frames.by_name["written_later"]["text"].tolist() == ["17.9", "19.9"]
    assert figure.frames.by_name["now"]["k"].tolist() == [5]
    first, later = (m["mark"]["dy"] for m in marks(figure.spec(), "text"))
    assert first > 0 > later  # the path rises: below its start and above its end there is room
    falling = drop_path_chart(PATH.assign(tokens_per_param=[20.0, 10.0, 9.0, 8.0]), LIGHT)
    assert marks(falling.spec(), "text")[0]["mark"]["dy"] < 0
    assert falling.frames.by_name["now"].empty


def test_a_law_that_does_not_split_budgets_is_followed_by_its_loss() -> None:
    figure = drop_path_chart(PATH.assign(tokens_per_param=np.nan), LIGHT, target_flops=1e23)
    (line,) = marks(checked(figure, schema=False), "line")
    assert line["encoding"]["y"]["field"] == "loss"
    assert line["encoding"]["y"]["title"] == ["Foretold loss", "at 1e23 FLOPs"]


def test_a_path_of_one_point_is_drawn() -> None:
    checked(drop_path_chart(PATH.head(1), LIGHT), schema=False)


def test_influence_is_signed_percents_in_the_order_given() -> None:
    rows = influence_figure().frames.by_name["runs"]
    assert rows["run"].tolist() == [NASTY, "b", "c"]
    assert rows["text"].tolist() == ["+48%", "−13%", "−9.7%"]
    np.testing.assert_allclose(np.diff(rows["at_dot"]), 1)
    many = pd.DataFrame({"run": [f"r{i}" for i in range(30)], "loss": 2.0, "after": 3.0, "change": 0.1})
    assert len(influence_chart(many, "Loss", LIGHT).frames.by_name["runs"]) == 10


def test_runs_of_one_name_are_told_apart_by_size_tokens_and_line() -> None:
    runs = pd.DataFrame({
        "run": ["a", "a", "b", "b"], "params": [1e9, 2e9, 7e7, 7e7], "tokens": [2e10, 2e10, 1e9, 1e9],
        "line": [2, 3, 4, 5], "loss": 2.0, "after": 3.0, "change": 0.1,
    })  # fmt: skip
    labels = influence_chart(runs, "Loss", LIGHT).frames.by_name["runs"]["run"].tolist()
    assert len(set(labels)) == 4
    assert labels[0].startswith("a (1B, 20B tokens") or labels[0].startswith("a (1.00B, 20.0B tokens")
    assert [label.endswith(f", line {n})") for label, n in zip(labels, runs["line"], strict=True)] == [
        False, False, True, True,
    ]  # fmt: skip


# Profiles


def test_a_profile_shades_its_interval_and_ends_above_its_threshold() -> None:
    figure = profile_figure()
    ground = figure.frames.by_name["interval"].iloc[0]
    assert (ground["low"], ground["high"]) == (0.3304, 0.3696)
    (line,) = marks(figure.spec(), "line")
    assert line["encoding"]["y"]["scale"]["domain"] == [0.0, 4 * 3.84]
    assert line["mark"]["clip"] is True
    assert line["encoding"]["x"]["title"] == ["alpha", "95% interval: 0.330 to 0.370"]
    assert line["encoding"]["x"]["scale"]["type"] == "linear"
    assert figure.frames.by_name["best"]["value"].item() == pytest.approx(0.35)
    assert figure.frames.by_name["threshold"]["rise"].item() == 3.84


def test_an_open_interval_reaches_the_edge_and_says_so() -> None:
    wide = pd.DataFrame({"value": np.geomspace(1, 1000, 9), "rise": [9, 4, 1, 0, 0, 0, 0, 0, 0.0]})
    figure = profile_chart(wide, "R", 3.84, (6.0, math.inf), LIGHT, estimate=95.0)
    ground = figure.frames.by_name["interval"].iloc[0]
    (line,) = marks(figure.spec(), "line")
    assert line["encoding"]["x"]["scale"]["type"] == "log"
    assert ground["high"] == line["encoding"]["x"]["scale"]["domain"][1]
    assert line["encoding"]["x"]["title"] == ["R", "interval: above 6.00, no upper end"]
    assert figure.frames.by_name["best"]["value"].tolist() == [95.0]


@pytest.mark.parametrize(
    ("interval", "text"),
    [((0.3, 0.4), "90% interval: 0.300 to 0.400"), ((math.nan, 0.4), "90% interval: below 0.400, no lower end"),
     ((-math.inf, math.inf), "The runs do not limit it")],
)  # fmt: skip
def test_intervals_in_words(interval: tuple[float, float], text: str) -> None:
    assert interval_text(interval, 0.9) == text
