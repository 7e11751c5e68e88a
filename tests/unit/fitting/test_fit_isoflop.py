"""IsoFLOP profiles: minima where they are known, and a word wherever a profile cannot be believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from iso_runs import A_TRUE, B_TRUE, best_params, isoflop_grid, isoflop_runs
from made_runs import chinchilla_loss, table
from scipy.interpolate import Akima1DInterpolator

from scaling_core.errors import UserError
from scaling_core.fitting import Selection
from scaling_core.fitting.isoflop import FLAGS, IsoflopProfiles, isoflop_profiles
from scaling_core.fitting.minimum import akima_curve, akima_lowest, akima_slopes, parabola
from scaling_core.runs import RunTable, Upload, load

FLOPS = 1e20


def one_budget(share: list[float] | np.ndarray, loss: np.ndarray) -> RunTable:
    """Runs of one budget at shares of a billion parameters."""
    N = 1e9 * np.asarray(share, dtype=float)
    return table(N, FLOPS / 6 / N, loss, flops=FLOPS)


def names(found: IsoflopProfiles) -> set[str]:
    return {f.name for f in found.findings}


def off_by(found: IsoflopProfiles) -> np.ndarray:
    """ln of N* over the true one."""
    return np.log(found.profiles["params"] / best_params(found.profiles["flops"])).to_numpy()


def test_a_parabola_gives_back_its_own_vertex() -> None:
    share = np.geomspace(0.3, 4, 7)
    loss = 2.5 + 0.07 * (np.log(share) - 0.2) ** 2
    (row,) = isoflop_profiles(one_budget(share, loss)).profiles.to_dict("records")
    assert row["params"] == pytest.approx(1e9 * np.exp(0.2), rel=1e-9)
    assert row["tokens"] == pytest.approx(FLOPS / 6e9 * np.exp(-0.2), rel=1e-9)
    assert row["loss"] == pytest.approx(2.5, rel=1e-12)
    assert row["curvature"] == pytest.approx(0.14, rel=1e-9)
    assert (row["n"], row["sizes"], row["flags"], row["used"]) == (7, 7, (), True)


@pytest.mark.parametrize(("method", "size", "exponent"), [("parabola", 0.01, 1e-6), ("akima", 0.002, 1e-6)])
def test_a_good_grid_gives_the_true_exponents(method: str, size: float, exponent: float) -> None:
    """Tolerances: 1% and 0.2% of N*, since a law is no parabola; every grid is alike, so exponents are exact."""
    found = isoflop_profiles(isoflop_runs(), method=method, resamples=0)
    assert np.abs(off_by(found)).max() < size
    assert found.params.exponent == pytest.approx(A_TRUE, abs=exponent)
    assert found.tokens.exponent == pytest.approx(B_TRUE, abs=exponent)
    assert found.params.n == 7
    assert found.findings == ()
    assert found.notes == ()
    best = best_params(found.profiles["flops"])
    loss = chinchilla_loss(best, found.profiles["flops"] / 6 / best)
    assert found.profiles["loss"].to_numpy() == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize(
    ("grid", "finding", "least"),
    [
        ({"half_width": 16.0, "off": 0.2}, "wide grid", 0.02),
        ({"half_width": 8.0, "off": 0.7}, "off-centre", 0.08),
        ({"half_width": 6.0, "off": -0.7}, "off-centre", 0.04),
    ],
)
def test_a_grid_that_biases_a_parabola_is_named(grid: dict[str, float], finding: str, least: float) -> None:
    found = isoflop_profiles(isoflop_runs(**grid), resamples=0)
    assert finding in names(found)
    assert np.abs(off_by(found)).min() > least  # it is really off
    spline = isoflop_profiles(isoflop_runs(**grid), method="akima", resamples=0)
    assert not names(spline) & {"wide grid", "off-centre"}
    assert np.abs(off_by(spline)).max() < 0.01


@pytest.mark.parametrize("grid", [{}, {"half_width": 2.5, "off": 0.6}, {"half_width": 6.0}, {"off": -0.3}])
def test_a_grid_that_does_not_is_not(grid: dict[str, float]) -> None:
    found = isoflop_profiles(isoflop_runs(**grid), resamples=0)
    assert names(found) == set()
    assert np.abs(off_by(found)).max() < 0.02


def test_a_minimum_outside_the_sizes_is_not_used() -> None:
    off = np.array([0, 0, 2.5, 0, 0, 0, -2.5])
    found = isoflop_profiles(isoflop_runs(off=off), resamples=0)
    assert found.profiles["used"].tolist() == (off == 0).tolist()
    assert [("not bracketed" in flags) for flags in found.profiles["flags"]] == (off != 0).tolist()
    assert found.params.exponent == pytest.approx(A_TRUE, abs=1e-6)
    assert found.params.n == 5
    (finding,) = [f for f in found.findings if f.name == "not bracketed"]
    assert finding.severity == "problem"
    assert finding.text.startswith("At 2 of 7 budgets")


def test_a_profile_that_bends_the_wrong_way_has_no_minimum() -> None:
    share = np.geomspace(0.3, 4, 7)
    (row,) = isoflop_profiles(one_budget(share, 2.5 - 0.1 * np.log(share) ** 2)).profiles.to_dict("records")
    assert row["flags"] == ("no minimum",)
    assert np.isnan([row["params"], row["tokens"], row["loss"], row["params_low"]]).all()
    assert not row["used"]


def test_a_bend_that_noise_might_have_made_is_weak() -> None:
    share = np.geomspace(0.3, 4, 7)
    wiggle = 0.01 * np.array([1, -1, 1, -1, 1, -1, 1])
    flat = isoflop_profiles(one_budget(share, 2.5 + 0.002 * np.log(share) ** 2 + wiggle))
    assert "weak curvature" in flat.profiles["flags"][0]
    deep = isoflop_profiles(one_budget(share, 2.5 + 0.2 * np.log(share) ** 2 + wiggle))
    assert deep.profiles["flags"][0] == ()


def test_three_sizes_are_shown_and_not_used() -> None:
    share = np.array([0.4, 1.0, 2.5])
    found = isoflop_profiles(one_budget(share, 2.5 + 0.1 * np.log(share) ** 2))
    assert found.profiles["flags"][0] == ("few sizes",)
    assert found.profiles["params"][0] == pytest.approx(1e9)
    assert found.params is None
    assert found.tokens is None
    assert {"few sizes", "few budgets"} <= names(found)


def test_strays_are_left_out_and_counted() -> None:
    clean = isoflop_runs()
    N, D = np.append(clean.frame["params"], [3e8, 4e8]), np.append(clean.frame["tokens"], [2e9, 7e10])
    found = isoflop_profiles(table(N, D, chinchilla_loss(N, D)), resamples=0)
    assert len(found.profiles) == 7
    assert found.notes[0].startswith("2 runs lie at no budget")
    assert found.params.exponent == pytest.approx(A_TRUE, abs=1e-6)


def test_budgets_that_are_met_to_some_percent_only() -> None:
    """Compute that is missed by up to 4% moves losses by as much as sizes do; that is taken out."""
    found = isoflop_profiles(isoflop_runs(jitter=0.04), resamples=0)
    assert found.profiles["n"].tolist() == [9] * 7
    assert np.abs(off_by(found)).max() < 0.02
    assert found.params.exponent == pytest.approx(A_TRUE, abs=0.002)
    tight = isoflop_profiles(isoflop_runs(jitter=0.04), tolerance=0.02, resamples=0)
    assert tight.profiles["n"].max() < 9


def test_counted_flops_give_the_tokens_that_were_trained() -> None:
    """Compute that grows slower than 6ND with size: D* is not C/(6N*)."""
    N, _ = isoflop_grid()
    C = np.repeat(np.geomspace(1e18, 1e21, 7), 9)
    D = C / (6 * N * (N / 1e9) ** -0.05)
    found = isoflop_profiles(table(N, D, chinchilla_loss(N, D), flops=C), resamples=0)
    at = found.profiles
    assert at["tokens"].to_numpy() == pytest.approx(at["flops"] / (6 * at["params"] ** 0.95 * 1e9**0.05), rel=1e-6)


def test_runs_of_one_size_are_averaged_for_a_spline() -> None:
    clean = isoflop_runs()
    N, D, L = (np.tile(clean.frame[name], 2) for name in ("params", "tokens", "loss"))
    L = L * np.repeat([1.001, 0.999], len(clean.frame))
    found = isoflop_profiles(table(N, D, L), method="akima", resamples=0)
    assert found.profiles["n"].tolist() == [18] * 7
    assert found.profiles["sizes"].tolist() == [9] * 7
    assert found.params.exponent == pytest.approx(A_TRUE, abs=1e-6)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Over 600 ladders they do in 87 to 90%: of 50, fewer than 36 would be as rare as one in a thousand."""
    inside = 0
    for seed in range(50):
        found = isoflop_profiles(isoflop_runs(0.003, seed, budgets=5, sizes=6), resamples=200, seed=seed)
        low, high = found.params.interval(0.9)
        inside += low <= A_TRUE <= high
    assert inside >= 36


def test_intervals_shrink_with_noise_and_repeat_with_the_seed() -> None:
    quiet, loud = (isoflop_profiles(isoflop_runs(size), seed=1) for size in (0.0003, 0.003))
    widths = [np.diff(found.params.interval())[0] for found in (quiet, loud)]
    assert 5 < widths[1] / widths[0] < 20  # ten times the noise
    assert loud.params.interval() == isoflop_profiles(isoflop_runs(0.003), seed=1).params.interval()
    assert loud.params.interval() != isoflop_profiles(isoflop_runs(0.003), seed=2).params.interval()
    at = loud.profiles
    assert ((at["params_low"] < at["params"]) & (at["params"] < at["params_high"])).all()
    band = loud.params.predict(at["flops"])
    assert ((band.low < band.value) & (band.value < band.high)).all()
    nothing = isoflop_profiles(isoflop_runs(), resamples=0)
    assert np.isnan(nothing.params.interval()).all()
    assert nothing.profiles["params_low"].isna().all()


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_curves_to_draw_go_through_the_minimum(method: str) -> None:
    found = isoflop_profiles(isoflop_runs(), method=method, resamples=0)
    for row in found.profiles.to_dict("records"):
        curve = found.curves[found.curves["flops"] == row["flops"]]
        assert curve["params"].agg(["min", "max"]).tolist() == pytest.approx([row["params_min"], row["params_max"]])
        assert curve["loss"].min() == pytest.approx(row["loss"], rel=1e-4)
    assert found.points.groupby("budget").size().tolist() == [9] * 7
    assert found.points["loss_at_budget"].to_numpy() == pytest.approx(found.points["loss"].to_numpy(), rel=1e-6)


def test_akima_is_akima() -> None:
    """Against SciPy's spline, and its derivative at the points."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 5, 8))
    y = rng.normal(size=(3, 8))
    at = np.linspace(x[0], x[-1], 200)
    for row in y:
        spline = Akima1DInterpolator(x, row)
        assert akima_slopes(x, row[None])[0] == pytest.approx(spline(x, 1), rel=1e-9)
        assert akima_curve(x, row, at) == pytest.approx(spline(at), rel=1e-9, abs=1e-12)
    valley = (x - 2.2) ** 2 + 0.1 * np.sin(3 * x)
    fine = np.linspace(x[0], x[-1], 200_001)
    lowest, loss = akima_lowest(x, np.stack([valley, x]))
    assert lowest[0] == pytest.approx(fine[Akima1DInterpolator(x, valley)(fine).argmin()], abs=1e-3)
    assert loss[0] == pytest.approx(Akima1DInterpolator(x, valley)(fine).min(), abs=1e-5)
    assert np.isnan([lowest[1], loss[1]]).all()  # lowest at an end


def test_parabolas_are_least_squares() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(18, 22, 9), rng.normal(size=9)
    ours = parabola(x, y)
    c, covariance = np.polyfit(x - x.mean(), y, 2, cov=True)
    assert ours.coefficients == pytest.approx(c[::-1], rel=1e-9)
    assert ours.curvature_error == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_the_published_exponents_of_chinchilla(reference: Path) -> None:
    """Hoffmann et al. 2022, table 2, approach 2: a = 0.49, b = 0.51, from nine budgets of these very runs."""
    points = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    found = isoflop_profiles(points, Selection(drop_highest_loss=5))
    assert len(found.profiles) == 9
    assert found.profiles["flops"].to_numpy() == pytest.approx(
        [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21], rel=0.11
    )
    assert found.params.exponent == pytest.approx(0.49, abs=0.01)
    assert found.tokens.exponent == pytest.approx(0.51, abs=0.01)
    low, high = found.params.interval(0.9)
    assert low < 0.49 < high


def test_runs_without_a_profile_are_refused() -> None:
    N = np.geomspace(1e8, 1e10, 8)
    with pytest.raises(UserError, match="no isoFLOP profile"):
        isoflop_profiles(table(N, 20 * N, chinchilla_loss(N, 20 * N)))
    with pytest.raises(UserError, match="no loss"):
        isoflop_profiles(table(N, 20 * N, np.full(8, np.nan)))
    with pytest.raises(UserError, match="no row with parameters"):
        isoflop_profiles(table(N, np.full(8, np.nan), np.ones(8)))
    with pytest.raises(UserError, match="“spline”"):
        isoflop_profiles(isoflop_runs(), method="spline")


def test_every_flag_says_what_and_what_to_do() -> None:
    assert all(len(text) > 20 and fix.endswith(".") for text, fix in FLAGS.values())


def _with_outlier(place: int, factor: float = 1.05) -> IsoflopProfiles:
    """Seven budgets of nine sizes, one run of the fourth off by ``factor``."""
    runs = isoflop_runs(0.002, seed=1)
    frame = runs.frame.copy()
    frame.loc[3 * 9 + place, "loss"] *= factor
    return isoflop_profiles(replace(runs, frame=frame), resamples=0)


@pytest.mark.parametrize("place", [0, 2, 7, 8])
def test_a_run_that_pulls_a_minimum_aside_is_flagged(place: int) -> None:
    found = _with_outlier(place)
    pulled = found.profiles["params"] / best_params(found.profiles["flops"])
    assert abs(np.log(pulled[3])) > np.log(1.1)
    assert ["outlier" in flags for flags in found.profiles["flags"]] == [k == 3 for k in range(7)]
    (said,) = [f for f in found.findings if f.name == "outlier"]
    assert said.text.startswith("At 1 of 7 budgets (3.2e19 FLOPs) one run lies far off the parabola")


def test_noise_alone_is_no_outlier() -> None:
    flags = [
        flag
        for seed in range(5)
        for flags in isoflop_profiles(isoflop_runs(0.003, seed=seed), resamples=0).profiles["flags"]
        for flag in flags
    ]
    assert "outlier" not in flags


def test_the_vertex_without_a_run_is_that_of_a_fit_without_it() -> None:
    x = np.array([-1.0, -0.4, 0.1, 0.8, 1.5])
    loss = np.array([3.2, 3.01, 3.0, 3.09, 3.3])
    without = parabola(x, loss).lowest_without()
    for i in range(5):
        c2, c1, _ = np.polyfit(np.delete(x, i), np.delete(loss, i), 2)
        assert without[i] == pytest.approx(-c1 / (2 * c2), rel=1e-9)
