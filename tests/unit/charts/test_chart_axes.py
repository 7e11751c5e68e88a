"""Ticks, domains, titles and colour groups."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from charts_helpers import some_runs
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.charts.axes import (
    MAX_GROUPS,
    column_title,
    domain_of,
    format_value,
    group_by,
    log_ticks,
    position_scale,
    x_channel,
)
from scaling_core.charts.palette import DARK, LIGHT, spread

POSITIVE = st.floats(1e-30, 1e30)
ANY = st.floats(-1e30, 1e30).map(lambda v: v if abs(v) > 1e-30 else 0.0)
HEX_DIGITS = set("0123456789ABCDEF")


def brightness(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@settings(max_examples=100, deadline=None)
@given(st.lists(POSITIVE, min_size=1, max_size=5))
def test_log_ticks_lie_inside_the_domain_of_any_values(values: list[float]) -> None:
    low, high = domain_of(values, log=True)
    ticks = log_ticks((low, high))
    assert all(low <= t <= high for t in ticks)
    assert ticks == sorted(set(ticks))
    assert 2 <= len(ticks) <= 70


@pytest.mark.parametrize(
    ("domain", "ticks"),
    [
        ((1e18, 1e22), [1e18, 1e19, 1e20, 1e21, 1e22]),
        ((2e18, 4e20), [3e18, 1e19, 3e19, 1e20, 3e20]),
        ((1.5e9, 6e10), [2e9, 5e9, 1e10, 2e10, 5e10]),
        ((2.0, 3.4), [2.0, 2.25, 2.5, 2.75, 3.0, 3.25]),
        ((1.9, 2.6), [2.0, 2.2, 2.4, 2.6]),
    ],
)
def test_ticks_are_round(domain: tuple[float, float], ticks: list[float]) -> None:
    assert log_ticks(domain) == pytest.approx(ticks)


@settings(max_examples=80, deadline=None)
@given(st.lists(ANY | st.just(math.nan) | st.just(math.inf), max_size=6), st.booleans(), st.floats(0, 0.3))
def test_domain_holds_every_value_that_can_be_drawn(values: list[float], log: bool, pad: float) -> None:
    low, high = domain_of(values, log=log, pad=pad)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high
    assert low > 0 or not log
    assert all(low <= v <= high for v in values if math.isfinite(v) and (v > 0 or not log))


def test_domain_has_a_margin_of_its_extent() -> None:
    assert domain_of([0.0, 10.0], log=False, pad=0.1) == pytest.approx((-1, 11))
    assert domain_of([1.0, 100.0], log=True, pad=0.5) == pytest.approx((0.1, 1000))


@pytest.mark.parametrize(
    ("name", "title"),
    [("params", "Parameters N"), ("flops", "Training compute C (FLOPs)"), ("loss", "Loss L (nats per token)"),
     ("step", "Step"), ("eval/acc", "eval/acc")],
)  # fmt: skip
def test_titles_name_symbol_and_unit(name: str, title: str) -> None:
    assert column_title(name) == title


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("params", 7.02e9, "7.02B"), ("tokens", 1.4e12, "1.40T"), ("flops", 5.76e23, "5.76e23"),
     ("loss", 2.34567, "2.346"), ("lr", 3e-4, "0.0003000"),
     ("loss", math.nan, "unknown"), ("params", math.inf, "unknown")],
)  # fmt: skip
def test_values_are_written_as_the_field_writes_them(name: str, value: float, text: str) -> None:
    assert format_value(name, value) == text


@pytest.mark.parametrize("log", [True, False])
def test_a_position_stands_on_exactly_its_domain(log: bool) -> None:
    scale = position_scale((2.0, 3.0), log=log).to_dict()
    assert scale["domain"] == [2.0, 3.0]
    assert scale["nice"] is False
    assert scale["type"] == ("log" if log else "linear")
    channel = x_channel("flops", log=log, domain=(1e18, 1e22)).to_dict()
    assert ("values" in channel["axis"]) is log
    assert channel["title"] == column_title("flops")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_small_is_light(palette) -> None:
    groups = group_by(some_runs(5, params=[4e9, 1e8, 2e8, 8e9, 1e9]), "params", palette)
    assert groups.order == ["100M", "200M", "1.00B", "4.00B", "8.00B"]
    assert groups.labels.tolist() == ["4.00B", "100M", "200M", "8.00B", "1.00B"]
    shades = [brightness(c) for c in groups.colours]
    assert shades == sorted(shades, reverse=True)
    assert len(set(groups.colours)) == 5
    assert (groups.colours[0], groups.colours[-1]) == (palette.sequence[0], palette.sequence[-1])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_palettes_can_be_read(palette) -> None:
    shades = [brightness(c) for c in palette.sequence]
    assert shades == sorted(shades, reverse=True)
    assert len(set(palette.sequence)) == len(palette.sequence) >= MAX_GROUPS
    assert len(set(palette.categories)) == len(palette.categories)
    ground = brightness(palette.background)
    for colour in (palette.ink, palette.muted, palette.accent, palette.warning):
        lighter, darker = sorted((ground, brightness(colour)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, colour  # WCAG 2.2, 1.4.3: contrast of text
    for colour in (*palette.categories, *palette.sequence, palette.ground):
        assert colour[0] == "#"
        assert set(colour[1:]) <= HEX_DIGITS


def test_spread_takes_both_ends() -> None:
    colours = tuple("abcdefghij")
    assert spread(colours, 2) == ["a", "j"]
    assert spread(colours, 10) == list(colours)
    assert len(spread(colours, 1)) == 1
    assert spread(colours, 0) == spread(colours, 1)


NUMBERS = st.floats(allow_nan=True, allow_infinity=False, width=32)
NAMES = st.none() | st.sampled_from([f"name {i}" for i in range(30)])


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=40) | st.lists(NAMES, min_size=1, max_size=60))
def test_groups_are_few_and_every_row_is_in_one(values: list[float | str | None]) -> None:
    groups = group_by(pd.DataFrame({"x": values}), "x", LIGHT)
    assert set(groups.labels) == set(groups.order)
    assert len(groups.order) == len(set(groups.order)) == len(groups.colours)
    numbers = pd.api.types.is_numeric_dtype(pd.Series(values))
    assert len(groups.order) <= MAX_GROUPS + numbers  # and one for what is unknown
    missing = pd.Series(values).isna().to_numpy()
    if "unknown" in groups.order or missing.any():
        kept = groups.labels[missing].isin(["unknown"]) | groups.labels[missing].str.endswith("others")
        assert kept.all()


def test_numbers_of_a_group_are_neighbours() -> None:
    values = np.geomspace(1e7, 1e11, 500)
    labels = group_by(pd.DataFrame({"params": values}), "params", LIGHT).labels
    assert (labels != labels.shift()).sum() == MAX_GROUPS  # sorted values change group no more often than that


def test_numbers_that_three_digits_do_not_tell_apart_stay_apart() -> None:
    groups = group_by(pd.DataFrame({"params": [1.0001e9, 1.0002e9]}), "params", LIGHT)
    assert len(groups.order) == 2


def test_the_most_frequent_names_are_kept_and_the_others_counted() -> None:
    values = [f"run {i:03}" for i in range(500)] + ["often"] * 3
    groups = group_by(pd.DataFrame({"run": values}), "run", LIGHT)
    assert len(groups.order) == len(set(groups.colours)) == len(LIGHT.categories)
    assert "often" in groups.order
    assert groups.order[-1] == "495 others"


def test_infinite_numbers_are_unknown_and_do_not_spoil_the_others() -> None:
    groups = group_by(pd.DataFrame({"x": [*range(1, 15), math.inf, -math.inf, math.nan]}), "x", LIGHT)
    assert groups.order.count("unknown") == 1
    assert groups.labels.tolist()[-3:] == ["unknown"] * 3
    assert len(groups.order) > 5


def test_true_and_false_are_names() -> None:
    assert group_by(pd.DataFrame({"x": [True, False]}), "x", LIGHT).order == ["False", "True"]
