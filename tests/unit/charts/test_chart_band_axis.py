"""Axes of a line with a band, and what stands in place of intervals that there are none of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scaling_core.charts.axes import domain_of
from scaling_core.charts.band_axis import domain_with_band
from scaling_core.charts.palette import LIGHT
from scaling_core.charts.plan import CONTINUED, plan_chart
from scaling_core.planning import budgets, frontier
from scaling_core.planning.basis import Basis, basis_of_published
from scaling_core.planning.published import get_published

LINE = pd.DataFrame({"loss": [4.0, 2.0, 1.0]})


def test_a_band_is_inside_its_axis() -> None:
    rows = LINE.assign(loss_low=[3.9, 1.8, 0.8], loss_high=[4.1, 2.2, 1.2])
    low, high = domain_with_band(rows, "loss", log=True, pad=0.0)
    assert low == pytest.approx(0.8, rel=0.03)
    assert high == pytest.approx(4.1, rel=0.03)


@pytest.mark.parametrize(("log", "low"), [(True, 0.5), (False, -0.5)])
def test_a_band_without_end_leaves_the_line_half_the_axis(log: bool, low: float) -> None:
    """The line spans a factor of four, or three: half of that below it is a factor of two, or 1.5."""
    rows = LINE.assign(loss_low=[1e-9 if log else -1e9] * 3, loss_high=LINE["loss"])
    assert domain_with_band(rows, "loss", log=log, pad=0.0)[0] == pytest.approx(low, abs=0.03)


def test_without_a_band_the_axis_is_that_of_the_line() -> None:
    rows = LINE.assign(loss_low=np.nan, loss_high=np.nan)
    assert domain_with_band(rows, "loss", log=True, pad=0.06) == domain_of(LINE["loss"], log=True, pad=0.06)


def read_out(basis: Basis, said: str = "no interval") -> pd.Series:
    rows = frontier(basis, budgets(1e20, 1e21, 1e20))
    return plan_chart(rows, 1e20, 0.9, LIGHT, said).frames.by_name["frontier"].iloc[0]


def test_a_published_split_has_no_interval_and_no_runs_that_it_continues() -> None:
    basis = basis_of_published(get_published("deepseek"))
    assert not basis.continues_the_runs
    assert read_out(basis)[["params_interval", "tokens_interval"]].tolist() == ["no interval"] * 2


def test_only_sizes_continue_the_runs() -> None:
    """A loss without an interval is not continued: it comes from the law."""
    here = read_out(basis_of_published(get_published("besiroglu")), CONTINUED)
    assert here["params_interval"] == CONTINUED
    assert here["loss_interval"] == "no interval"
