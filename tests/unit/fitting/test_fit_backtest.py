"""Held-out runs: what a law foretells is what a fit of the others alone would say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from iso_runs import isoflop_runs
from made_runs import CHINCHILLA, chinchilla_loss, chinchilla_runs, table

from scaling_core.errors import UserError
from scaling_core.fitting import Constraint, FitResult, Objective, Selection, fit, get_objective, pose
from scaling_core.fitting.backtest import forward_chain, hold_out, leave_one_size_out
from scaling_core.fitting.levels import budgets, default_cut
from scaling_core.fitting.split import split
from scaling_core.fitting.subsets import fit_subsets
from scaling_core.laws import get_law
from scaling_core.runs import RunTable, Upload, load

LAW = get_law("chinchilla")
HUBER, SQUARED = get_objective("huber-log"), get_objective("mse-log")
NOISY = chinchilla_runs(0.01, seed=3)
GOPHER = 5.76e23


def refit(runs: RunTable, below: float, law: str = "chinchilla", objective: str = "huber-log") -> FitResult:
    box = Selection(box=Selection.parse_box(f"flops:0:{np.nextafter(below, 0):.17g}"))
    return fit(get_law(law), runs, get_objective(objective), box, resamples=0)


def test_an_exact_law_foretells_exactly() -> None:
    found = hold_out(pose(LAW, chinchilla_runs(), SQUARED), above=1e20)
    assert found.error < 1e-9
    assert abs(found.bias) < 1e-9
    assert found.theta == pytest.approx(CHINCHILLA, rel=1e-4)
    flops = chinchilla_runs().frame["flops"]
    assert (found.n_train, found.n_test) == ((flops < 1e20).sum(), (flops >= 1e20).sum())
    assert found.beyond == pytest.approx(flops.max() / flops[flops < 1e20].max())


def test_holding_out_is_fitting_the_others_alone() -> None:
    found = hold_out(pose(LAW, NOISY, HUBER), above=1e20)
    alone = refit(NOISY, 1e20)
    assert found.theta == pytest.approx(alone.theta, rel=1e-6)
    assert found.parameters == pytest.approx(alone.parameters, rel=1e-6)
    tested = alone.points[alone.points["flops"] >= 1e20]
    off = np.log(tested["loss"] / tested["predicted"])
    assert found.error == pytest.approx(off.abs().mean(), rel=1e-6)
    assert found.bias == pytest.approx(off.mean(), rel=1e-6)
    assert found.error_se == pytest.approx(off.abs().std() / np.sqrt(len(off)), rel=1e-6)
    assert found.in_sample_error == pytest.approx(np.log1p(alone.points["residual"])[alone.points["flops"] < 1e20]
                                                  .abs().mean(), rel=1e-6)  # fmt: skip
    assert found.certificate.grade == alone.certificate.grade == "good"
    assert list(found.rows["role"].value_counts().reindex(["fitted", "held out"])) == [found.n_train, found.n_test]


def test_a_positive_bias_says_that_runs_came_out_worse() -> None:
    runs = chinchilla_runs()
    high = runs.frame["flops"] >= 1e20
    raised = table(runs.frame["params"], runs.frame["tokens"], runs.frame["loss"] * np.where(high, 1.02, 1.0))
    found = hold_out(pose(LAW, raised, SQUARED), above=1e20)
    assert found.bias == pytest.approx(np.log(1.02), rel=1e-6)
    assert found.error == pytest.approx(np.log(1.02), rel=1e-6)


@pytest.fixture(scope="module")
def points(reference: Path) -> RunTable:
    return load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])


@pytest.mark.parametrize(
    ("above", "train", "test", "error", "beyond", "ratio"),
    [(1e20, 136, 104, 0.00889, 130, 2.6), (1e21, 217, 23, 0.0105, 13, 8.6)],
)
def test_what_the_small_runs_of_chinchilla_foretell(
    points: RunTable, above: float, train: int, test: int, error: float, beyond: float, ratio: float
) -> None:
    """A good forecast of loss beside a wrong split: known from independent solvers on the same 240 points."""
    selection = Selection(drop_highest_loss=5)
    found = hold_out(pose(LAW, points, HUBER, selection), above=above)
    assert (found.n_train, found.n_test) == (train, test)
    assert found.error == pytest.approx(error, abs=0.5 * 10.0 ** -len(f"{error}".split(".")[1]))
    assert found.beyond == pytest.approx(beyond, rel=0.01)
    row, last = forward_chain(LAW, points, HUBER, selection, [above], GOPHER).to_dict("records")
    assert (row["n_train"], row["n_test"], row["cut"]) == (train, test, above)
    assert row["error"] == pytest.approx(found.error, rel=1e-9)
    assert row["tokens_per_param"] == pytest.approx(ratio, abs=0.05)
    assert last["tokens_per_param"] == pytest.approx(17.9, abs=0.05)


def test_each_row_of_a_chain_is_a_fit_of_the_runs_up_to_there() -> None:
    chain = forward_chain(LAW, NOISY, HUBER, cuts=[1e21, 1e20], target_flops=GOPHER)
    assert list(chain["cut"]) == [1e20, 1e21, np.inf]
    for row in chain.to_dict("records"):
        alone = refit(NOISY, min(row["cut"], 1e30))
        assert row["n_train"] == alone.n_points
        assert [row[name] for name in LAW.parameter_names] == pytest.approx(list(alone.theta), rel=1e-5)
        best = LAW.optimum(alone.theta, np.array([GOPHER]))
        assert row["params_at_target"] == pytest.approx(best.params[0], rel=1e-5)
        assert row["tokens_at_target"] == pytest.approx(best.tokens[0], rel=1e-5)
        assert row["loss_at_target"] == pytest.approx(best.loss[0], rel=1e-6)
    assert chain["n_test"].iloc[-1] == 0
    assert chain["error"].isna().tolist() == [False, False, True]


def test_default_cuts_ascend_and_leave_runs_on_both_sides() -> None:
    chain = forward_chain(LAW, NOISY, HUBER)
    cuts = chain["cut"].iloc[:-1]
    assert 5 <= len(cuts) <= 12
    assert cuts.is_monotonic_increasing
    assert (chain["n_train"] > len(LAW.parameters)).all()
    assert (chain["n_test"].iloc[:-1] > 0).all()
    assert (chain["n_train"] + chain["n_test"] == len(NOISY.frame)).all()


def test_a_law_that_does_not_split_budgets_foretells_loss_only() -> None:
    chain = forward_chain(get_law("power-c-offset"), NOISY, HUBER, target_flops=1e22)
    assert chain[["params_at_target", "tokens_at_target", "tokens_per_param"]].isna().all(axis=None)
    last = chain.iloc[-1]
    assert last["loss_at_target"] == pytest.approx(last["a"] * 1e22 ** -last["b"] + last["c"], rel=1e-9)


@pytest.mark.parametrize(
    ("law", "objective"), [("chinchilla", HUBER), ("gamma", SQUARED), ("shifted-n", SQUARED)], ids=lambda v: str(v)[:9]
)
def test_the_promising_starts_find_what_all_starts_find(law: str, objective: Objective) -> None:
    posed = pose(get_law(law), NOISY, objective)
    train = np.array([split(posed, cut)[0] for cut in (1e20, 1e22)])
    few = fit_subsets(posed, train)
    every = fit_subsets(posed, train, followed=len(posed.starts))
    for one, other in zip(few, every, strict=True):
        assert one.total == pytest.approx(other.total, rel=1e-8)


def test_a_run_held_out_shows_none_of_its_checkpoints() -> None:
    sizes, lengths = np.geomspace(1e8, 3e9, 8), np.geomspace(0.1, 1, 4)
    N, D = np.repeat(sizes, 4), np.tile(lengths, 8) * np.repeat(np.geomspace(1e10, 1e11, 8)[::-1] ** 1.1, 4)
    runs = table(N, D, chinchilla_loss(N, D), run=np.repeat([f"r{i}" for i in range(8)], 4),
                 is_final=np.tile([False, False, False, True], 8))  # fmt: skip
    every = Selection(checkpoints="all")
    above = float(runs.frame.loc[runs.frame["is_final"], "flops"].quantile(0.7))
    found = hold_out(pose(get_law("power-c"), runs, SQUARED, every), above)
    held = set(found.rows.loc[found.rows["role"] == "held out", "run"])
    assert held
    assert not held & set(found.rows.loc[found.rows["role"] == "fitted", "run"])
    assert "unusable" in set(found.rows["role"])  # their earlier checkpoints lie below the cut


def test_leaving_a_size_out_is_fitting_the_others_alone() -> None:
    frame = leave_one_size_out(LAW, NOISY, HUBER)
    assert frame["params"].to_numpy() == pytest.approx(np.geomspace(1e7, 1e10, 6), rel=1e-9)
    assert frame["n_test"].sum() == len(NOISY.frame)
    assert frame["inside"].tolist() == [False, True, True, True, True, False]
    for row in frame.iloc[[2, 5]].to_dict("records"):
        others = NOISY.frame[~np.isclose(NOISY.frame["params"], row["params"])]
        alone = fit(LAW, table(others["params"], others["tokens"], others["loss"]), HUBER, resamples=0)
        assert [row[name] for name in LAW.parameter_names] == pytest.approx(list(alone.theta), rel=1e-4)
        own = NOISY.frame[np.isclose(NOISY.frame["params"], row["params"])]
        predicted = chinchilla_loss(own["params"], own["tokens"], alone.theta)
        assert row["error"] == pytest.approx(np.abs(np.log(own["loss"] / predicted)).mean(), rel=1e-4)


def test_a_formula_names_its_own_parameters_where_a_size_is_left_out() -> None:
    """A name that is a column of the runs is no parameter, which only the runs tell."""
    runs = table(NOISY.frame["params"], NOISY.frame["tokens"], NOISY.frame["loss"], width=NOISY.frame["params"] / 7)
    frame = leave_one_size_out(get_law("custom:E + A/width^a + B/D^b"), runs, HUBER)
    assert {"E", "A", "a", "B", "b"} <= set(frame.columns)
    assert "width" not in frame.columns
    inner = frame[frame["inside"]]
    assert (inner["error"] < 0.02).all()


def test_constraints_hold_in_every_subset() -> None:
    chain = forward_chain(LAW, NOISY, HUBER, cuts=[1e20], constraints=(Constraint("alpha", 0.3, 0.3),))
    assert chain["alpha"].to_numpy() == pytest.approx([0.3, 0.3])
    assert chain["beta"].nunique() == 2


def test_the_default_cut_never_goes_through_a_budget() -> None:
    flops = isoflop_runs(jitter=0.03).frame["flops"].to_numpy()
    cut = default_cut(flops)
    assert (flops >= cut).sum() == 9  # the last of seven budgets of nine sizes
    assert default_cut(np.full(5, 1e20)) is None
    assert 0.1 <= (np.geomspace(1e18, 1e21, 50) >= default_cut(np.geomspace(1e18, 1e21, 50))).mean() <= 0.3


def test_budgets_are_found_among_strays() -> None:
    rng = np.random.default_rng(0)
    clean = np.repeat([1e19, 1e20, 1e21], 6) * rng.uniform(0.97, 1.03, 18)
    flops = rng.permutation(np.concatenate([clean, [3e18, 4e19, 5e20]]))
    groups = budgets(flops, 0.1, fewest=3)
    assert [np.round(np.log10(flops[g].mean()), 1) for g in groups] == [19.0, 20.0, 21.0]
    assert [g.sum() for g in groups] == [6, 6, 6]


@pytest.mark.parametrize(
    ("above", "says"), [(1e30, "No run has 1e30 FLOPs or more"), (1e17, "Below 1e17 FLOPs"), (2e17, "Below 2e17")]
)
def test_a_cut_that_leaves_nothing_is_refused(above: float, says: str) -> None:
    with pytest.raises(UserError) as caught:
        hold_out(pose(LAW, NOISY, HUBER), above=above)
    assert says in caught.value.what
    assert caught.value.fix


def test_runs_of_one_compute_or_one_size_are_refused() -> None:
    same = table(*(v := np.geomspace(1e8, 1e10, 12), 1e20 / 6 / v), np.linspace(3, 2, 12), flops=1e20)
    with pytest.raises(UserError, match="do not differ"):
        hold_out(pose(get_law("power-n"), same, HUBER))
    with pytest.raises(UserError, match="No cut in compute"):
        forward_chain(get_law("power-n"), same, HUBER)
    one = table(1e9, np.geomspace(1e9, 1e11, 12), np.linspace(3, 2, 12))
    with pytest.raises(UserError, match="two known sizes"):
        leave_one_size_out(get_law("power-d"), one, HUBER)


def test_rows_whose_compute_is_unknown_are_neither_fitted_nor_tested() -> None:
    flops = NOISY.frame["flops"].to_numpy().copy()
    flops[:2] = np.nan
    runs = table(NOISY.frame["params"], NOISY.frame["tokens"], NOISY.frame["loss"], flops)
    found = hold_out(pose(LAW, runs, HUBER), above=1e20)
    assert found.n_train + found.n_test == len(flops) - 2
    assert isinstance(found.rows, pd.DataFrame)
    assert list(found.rows["role"][:2]) == ["unusable", "unusable"]
