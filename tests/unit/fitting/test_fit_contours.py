"""Lines of equal loss, curves at fixed compute, and the curves of a backtest, against the law written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import CHINCHILLA, chinchilla_loss, noisy_fit

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.fitting.curves import MAX_CONTOURS, chain_curves, contours, family
from scaling_core.laws import get_law


def exact() -> FitResult:
    """The made law itself, without noise and without a solver."""
    return replace(noisy_fit(), theta=CHINCHILLA)


def test_a_line_of_equal_loss_is_where_the_closed_form_says() -> None:
    E, A, B, alpha, beta = CHINCHILLA
    found = contours(exact())
    left = found["loss_level"] - E - A / found["params"] ** alpha
    np.testing.assert_allclose(found["tokens"], (B / left) ** (1 / beta), rtol=1e-6)


@pytest.mark.parametrize("law", ["gamma", "multiplicative"])
def test_every_law_in_n_and_d_has_its_lines(law: str) -> None:
    fit = noisy_fit(law)
    found = contours(fit, np.array([2.5, 3.0]))
    assert sorted(found["loss_level"].unique()) == [2.5, 3.0]
    x = {name: found[name].to_numpy() for name in ("params", "tokens")}
    x["flops"] = 6 * x["params"] * x["tokens"]
    np.testing.assert_allclose(fit.predict({name: x[name] for name in fit.law.predictors}).value, found["loss_level"])


def test_a_line_is_followed_where_it_is_steep_and_where_it_is_flat() -> None:
    (_, line), *_ = contours(exact(), np.array([2.4])).groupby("loss_level")
    assert (np.diff(line["params"]) > 0).all()
    assert (np.diff(line["tokens"]) < 0).all()
    steps = np.hypot(np.diff(np.log(line["params"])), np.diff(np.log(line["tokens"])))
    assert steps.max() < 0.35  # of the 8 e-folds of its window
    low, high = exact().ranges["tokens"]
    assert line["tokens"].iloc[0] > 2 * high  # up to the window's end, 4 times beyond the largest
    assert line["params"].iloc[-1] > 2 * exact().ranges["params"][1]
    assert low / 2 <= line["tokens"].min()


def test_a_line_touches_its_equal_compute_line_at_the_best_split() -> None:
    fit, budget = exact(), np.array([1e20])
    best = fit.law.optimum(fit.theta, budget)
    assert best is not None
    line = contours(fit, best.loss)
    cheapest = line.loc[(line["params"] * line["tokens"]).idxmin()]
    assert 6 * cheapest["params"] * cheapest["tokens"] == pytest.approx(1e20, rel=2e-3)
    assert cheapest["params"] == pytest.approx(best.params[0], rel=0.1)


def test_default_levels_are_few_and_round() -> None:
    levels = np.unique(contours(exact())["loss_level"])
    assert 5 <= len(levels) <= MAX_CONTOURS
    assert all(float(f"{v:.3g}") == v for v in levels)


def test_inside_is_where_runs_are_in_n_and_d_and_c() -> None:
    fit = exact()
    found = contours(fit)
    (n_low, n_high), (d_low, d_high), (_, c_high) = (fit.ranges[k] for k in ("params", "tokens", "flops"))
    n, d = found["params"], found["tokens"]
    assert (found["inside"] == ((n >= n_low) & (n <= n_high) & (d >= d_low) & (d <= d_high))).all()  # a full grid
    smaller = replace(fit, ranges={**fit.ranges, "flops": (1e17, c_high / 100)})
    inside = contours(smaller)["inside"]
    assert (found["inside"] & ~inside).any()
    assert (6 * n * d)[inside].max() <= c_high / 100 * (1 + 1e-9)


def test_a_law_that_does_not_read_n_and_d_has_no_lines() -> None:
    with pytest.raises(UserError, match="no law in N and D"):
        contours(noisy_fit("power-c-offset"))


@pytest.mark.parametrize("x", ["params", "tokens"])
def test_a_curve_at_fixed_compute_is_the_law_there_and_lowest_at_the_best_split(x: str) -> None:
    fit = exact()
    found = family(fit, x, fixed="flops", levels=np.array([1e19, 1e20]))
    np.testing.assert_allclose(6 * found["params"] * found["tokens"], found["level"])
    np.testing.assert_allclose(found["loss"], chinchilla_loss(found["params"], found["tokens"]))
    best = fit.law.optimum(fit.theta, np.array([1e19, 1e20]))
    assert best is not None
    lowest = found.loc[found.groupby("level")["loss"].idxmin()]
    np.testing.assert_allclose(lowest[x], best.params if x == "params" else best.tokens, rtol=0.08)  # of the grid
    other = "tokens" if x == "params" else "params"
    assert (found["inside"] == found[x].between(*fit.ranges[x]) & found[other].between(*fit.ranges[other])).all()
    assert (found[other] >= fit.ranges[other][0] / 2.01).all()
    assert (found[other] <= fit.ranges[other][1] * 2.01).all()


def test_fixed_compute_takes_a_few_budgets_of_the_runs() -> None:
    found = family(exact(), "params", fixed="flops")
    runs = exact().points["flops"].to_numpy()
    for level in found["level"].unique():
        assert np.abs(runs / level - 1).min() < 1e-12


def test_a_fit_from_a_file_has_its_lines_without_its_runs() -> None:
    fit = noisy_fit()
    saved = FitResult.from_json(fit.to_json())
    pd.testing.assert_frame_equal(contours(saved), contours(fit))
    levels = np.array([1e19])
    pd.testing.assert_frame_equal(
        family(saved, "params", fixed="flops", levels=levels), family(fit, "params", fixed="flops", levels=levels)
    )


def chain(law: str = "chinchilla") -> pd.DataFrame:
    """Two fits of a law as rows; one parameter bears a name that says that it is one, as where the name is taken."""
    fit = noisy_fit(law)
    first, *_ = fit.law.parameter_names
    rows = pd.DataFrame([fit.parameters, {name: 1.1 * value for name, value in fit.parameters.items()}])
    return rows.rename(columns={first: f"parameter_{first}"}).assign(cut=[1e20, np.inf])


def thetas(rows: pd.DataFrame) -> list[np.ndarray]:
    return list(rows.drop(columns="cut").to_numpy())


def test_curves_of_a_backtest_are_the_best_each_fit_says() -> None:
    rows = chain()
    law = get_law("chinchilla")
    found = chain_curves(law, rows, 1e18, 1e22)
    for cut, theta in zip(rows["cut"], thetas(rows), strict=True):
        one = found[found["cut"] == cut]
        best = law.optimum(theta, one["flops"].to_numpy())
        assert best is not None
        np.testing.assert_allclose(one["loss"], best.loss)
        assert (one["inside"] == (one["flops"] <= cut)).all()
    ends = found[found["inside"]].groupby("cut")["flops"].max()
    assert ends.tolist() == pytest.approx([1e20, 1e22])  # solid exactly up to the cut


def test_a_law_in_compute_is_its_own_curve_and_one_in_size_has_none() -> None:
    law = get_law("power-c-offset")
    rows = chain("power-c-offset")
    found = chain_curves(law, rows, 1e18, 1e22)
    first = found[found["cut"] == 1e20]
    theta = thetas(rows)[0]
    np.testing.assert_allclose(first["loss"], law.predict(theta, {"flops": first["flops"].to_numpy()}))
    none = chain_curves(get_law("power-n-offset"), chain("power-n-offset"), 1e18, 1e22)
    assert none.empty
    assert list(none) == list(found)
