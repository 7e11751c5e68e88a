"""Lines of the runs in N, D and D/N against C, and curves to draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_runs import chinchilla_runs, fitted, noise, noisy_fit, table
from scipy import stats

from scaling_core.fitting import Line
from scaling_core.fitting.curves import MAX_CURVES, family, line
from scaling_core.fitting.recipe import fit_line, fit_lines

C = np.geomspace(1e18, 1e22, 9)
N = 0.1 * C**0.48 * noise(9, 0.1, seed=6)


def test_line_is_linear_regression_in_logs() -> None:
    got = fit_line(C, N)
    expected = stats.linregress(np.log(C), np.log(N))
    assert got is not None
    assert got.slope == pytest.approx(expected.slope, rel=1e-12)
    assert got.intercept == pytest.approx(expected.intercept, rel=1e-10)
    at = np.array([1e19, 1e25])
    np.testing.assert_allclose(got.value(at), np.exp(expected.intercept + expected.slope * np.log(at)), rtol=1e-10)


def test_fewer_than_three_budgets_make_no_line() -> None:
    assert fit_line(np.array([1e18, 1e18, 1e19, 1e19]), np.array([1.0, 2, 3, 4])) is None
    assert fit_line(np.array([1e18, 1e19, 1e20]), np.array([1.0, 2, 3])) is not None


def test_runs_have_a_line_for_each_of_n_d_and_their_ratio() -> None:
    runs = table(N, C / 6 / N, 1 / N).frame
    lines = {name: Line(**numbers) for name, numbers in fit_lines(runs).items()}
    assert set(lines) == {"params", "tokens", "tokens_per_param"}
    at = np.array([1e24])
    # ln N + ln D = ln(C/6) for every run, so for the lines too
    assert 6 * lines["params"].value(at) * lines["tokens"].value(at) == pytest.approx(at, rel=1e-9)
    assert lines["tokens"].value(at) / lines["params"].value(at) == pytest.approx(
        lines["tokens_per_param"].value(at), rel=1e-9
    )
    assert lines["params"].slope == pytest.approx(0.48, abs=0.03)


def test_rows_that_lack_one_of_n_d_and_c_are_not_on_the_line() -> None:
    frame = table(N, C / 6 / N, 1 / N).frame
    whole = fit_lines(frame)
    spoilt = pd.concat([frame, frame.assign(params=1.0, tokens=np.nan)], ignore_index=True)
    assert fit_lines(spoilt) == whole
    assert fit_lines(frame.assign(flops=np.nan)) == {}


def test_curve_of_a_law_in_one_predictor() -> None:
    x = np.geomspace(1e7, 1e10, 12)
    result = fitted(table(x, 7e9, 40 * x**-0.12 * noise(12, 0.01)), "power-n", "mse-log", 50)
    curve = line(result, beyond=30.0, level=0.9)
    assert curve["params"].is_monotonic_increasing
    assert (curve["params"].min(), curve["params"].max()) == pytest.approx((x[0] / 2, x[-1] * 30))
    inside = curve[curve["inside"]]
    assert (inside["params"].min(), inside["params"].max()) == (x[0], x[-1])  # solid to the very ends
    band = result.predict({"params": curve["params"].to_numpy()}, 0.9)
    for name, values in zip(("loss", "loss_low", "loss_high"), band, strict=True):
        np.testing.assert_array_equal(curve[name], values)


@pytest.mark.parametrize(("x", "fixed", "moving"), [("flops", "params", "tokens"), ("tokens", "params", "tokens"),
                                                    ("params", "tokens", "params")])  # fmt: skip
def test_family_is_a_curve_for_each_size(x: str, fixed: str, moving: str) -> None:
    result = noisy_fit()
    curves = family(result, x)
    assert sorted(curves["level"].unique()) == pytest.approx(sorted(result.points[fixed].unique()))
    assert (curves[fixed] == curves["level"]).all()
    np.testing.assert_allclose(curves["flops"], 6 * curves["params"] * curves["tokens"])
    by_law = result.predict({c: curves[c].to_numpy() for c in ("params", "tokens")}).value
    np.testing.assert_array_equal(curves["loss"], by_law)
    low, high = result.ranges[moving]
    assert (curves["inside"] == curves[moving].between(low, high)).all()
    assert {low, high} <= set(curves[moving])


def test_family_has_few_curves_and_the_smallest_and_largest_among_them() -> None:
    sizes = np.geomspace(1e7, 1e10, 40)
    D = np.geomspace(1e9, 1e12, 40)[np.random.default_rng(0).permutation(40)]
    levels = family(fitted(table(sizes, D, 2 + 400 / sizes**0.3 + 2000 / D**0.35), objective="mse-log"), "flops")[
        "level"
    ]
    assert levels.nunique() <= MAX_CURVES
    assert {levels.min(), levels.max()} == {sizes[0], sizes[-1]}
    assert set(levels) <= set(sizes)


def test_family_counts_compute_as_the_runs_do() -> None:
    runs = chinchilla_runs(0.01)
    runs.frame["flops"] *= 1.2  # say, with attention counted
    curves = family(fitted(runs, objective="mse-log"), "flops")
    np.testing.assert_allclose(curves["flops"], 1.2 * 6 * curves["params"] * curves["tokens"])
