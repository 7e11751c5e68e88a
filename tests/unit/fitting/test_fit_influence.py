"""Which runs a fit hangs on: the path without the highest losses, and without each run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_runs import chinchilla_loss, chinchilla_runs, fitted, grid, noise, table

from scaling_core.errors import UserError
from scaling_core.fitting import Selection, get_objective, pose
from scaling_core.fitting.influence import drop_path, influence, influence_of
from scaling_core.fitting.refit import distinct_ends, refits
from scaling_core.fitting.solver import minimise_starts
from scaling_core.laws import get_law
from scaling_core.runs import RunTable, Upload, load

LAW, HUBER, MSE = get_law("chinchilla"), get_objective("huber-log"), get_objective("mse-log")
GOPHER = 5.76e23
#: The three of the Chinchilla points that share ranks 14 to 16 by loss.
TIED = (12, 30, 95)


@pytest.fixture(scope="module")
def points(reference: Path) -> RunTable:
    return load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])


def ratio(theta: np.ndarray) -> float:
    best = LAW.optimum(theta, np.array([GOPHER]))
    return float(best.tokens[0] / best.params[0])


def test_the_plan_moves_fourfold_with_the_fifteen_highest_losses(points: RunTable) -> None:
    path = drop_path(LAW, points, HUBER).set_index("k")
    assert list(path.index) == list(range(21))
    assert path["n"].tolist() == list(range(245, 224, -1))
    expected = {0: 6.8, 3: 14.7, 5: 17.9, 10: 19.9, 15: 26.0}
    assert path["tokens_per_param"][list(expected)].to_numpy() == pytest.approx(list(expected.values()), abs=0.05)
    assert path["value"][5] == pytest.approx(0.00101827401780060, rel=1e-9)
    assert (6 * path["params"] * path["tokens"]).to_numpy() == pytest.approx(np.full(21, GOPHER))


def test_a_cut_through_equal_losses_is_marked_and_each_choice_gives_another_plan(points: RunTable) -> None:
    path = drop_path(LAW, points, HUBER)
    assert path["k"][path["tied"]].tolist() == [6, 14, 15, 18]
    posed = pose(LAW, points, HUBER)
    loss = posed.rows["loss"].to_numpy()
    assert set(loss[list(TIED)]) == {3.1838780021322792}
    weights = np.repeat((loss < loss[TIED[0]])[None].astype(float), 3, axis=0)
    weights[range(3), TIED] = 1.0
    found = refits(posed.problem, posed.starts, weights)
    plans = [ratio(theta) for theta in posed.problem.working.to_natural(found.u)]
    assert plans == pytest.approx([22.457, 23.244, 26.043], abs=1e-3)


@pytest.mark.parametrize("objective", ["huber-log", "mse-log"])
def test_one_batch_equals_a_cold_fit_of_each(objective: str) -> None:
    runs = chinchilla_runs(0.02, sizes=5, lengths=4)
    path = drop_path(LAW, runs, get_objective(objective), ks=(0, 2, 7)).set_index("k")
    for k in (0, 2, 7):
        alone = fitted(runs, objective=objective, selection=Selection(drop_highest_loss=k))
        assert path.loc[k, list(LAW.parameter_names)].to_numpy(dtype=float) == pytest.approx(alone.theta, rel=1e-6)
        assert path["value"][k] == pytest.approx(alone.value, rel=1e-9)
        assert path["tokens_per_param"][k] == pytest.approx(ratio(alone.theta), rel=1e-6)


def test_what_the_selection_drops_does_not_matter_and_its_box_does() -> None:
    runs = chinchilla_runs(0.02)
    box = Selection.parse_box("params:1e8:1e10")
    plain = drop_path(LAW, runs, MSE, Selection(box=box), ks=(0, 4))
    assert plain["n"].tolist() == [24, 20]
    dropped = drop_path(LAW, runs, MSE, Selection(drop_highest_loss=3, box=box), ks=(4, 0, 4))
    assert dropped.equals(plain)


def test_a_path_stops_where_too_few_rows_are_left() -> None:
    runs = chinchilla_runs(0.01, sizes=3, lengths=3)
    assert drop_path(LAW, runs, MSE, ks=range(20))["k"].tolist() == [0, 1, 2, 3]


def test_a_law_without_a_best_split_continues_the_line_of_the_runs() -> None:
    C = np.geomspace(1e18, 1e21, 12)
    loss = 30 * C**-0.05 + 1.5
    path = drop_path(
        get_law("power-c-offset"), table(C**0.5 / 10, C**0.5 / 0.6, loss), HUBER, ks=(0, 1), target_flops=1e23
    )
    assert path["loss"].to_numpy() == pytest.approx(np.full(2, 30 * 1e23**-0.05 + 1.5), rel=1e-6)
    assert path["params"].to_numpy() == pytest.approx(np.full(2, 1e23**0.5 / 10), rel=1e-9)
    assert path["tokens_per_param"].to_numpy() == pytest.approx(np.full(2, 1 / 0.06), rel=1e-9)


def test_the_run_that_was_put_wrong_is_the_most_influential() -> None:
    N, D = grid()
    loss = chinchilla_loss(N, D) * noise(36, 0.002)
    loss[31] *= 1.1
    found = influence(LAW, table(N, D, loss), MSE)
    assert len(found) == 36
    assert found["run"][0] == "run 32"
    assert found["residual"][0] == pytest.approx(0.1, abs=0.03)
    assert abs(found["change"][0]) > 3 * abs(found["change"][1])


def test_influence_is_what_a_fit_without_the_run_says() -> None:
    runs = chinchilla_runs(0.02)
    found = influence(LAW, runs, MSE, quantity="alpha")
    whole = fitted(runs, objective="mse-log").parameters["alpha"]
    for at in (0, 20, 35):
        row = found.iloc[at]
        kept = runs.frame[runs.frame["run"] != row["run"]].reset_index(drop=True)
        without = fitted(table(kept["params"], kept["tokens"], kept["loss"]), objective="mse-log").parameters["alpha"]
        assert row["before"] == pytest.approx(whole, rel=1e-7)
        assert row["after"] == pytest.approx(without, rel=1e-6)
        assert row["change"] == pytest.approx(without / whole - 1, abs=1e-6)


def test_checkpoints_of_a_run_are_left_out_together() -> None:
    N, D = grid()
    runs = table(N, D, chinchilla_loss(N, D) * noise(36, 0.01), is_final=np.arange(36) % 3 == 2)
    runs.frame["run"] = [f"run {i // 3}" for i in range(36)]
    found = influence(LAW, runs, MSE, Selection(checkpoints="all"))
    assert len(found) == 12
    assert set(found["rows"]) == {3}
    assert sorted(found["line"] % 3) == [1] * 12  # the last of each three


def test_first_order_influence_picks_the_runs_that_matter(points: RunTable) -> None:
    posed = pose(LAW, points, HUBER, Selection(drop_highest_loss=5))
    u = distinct_ends(minimise_starts(posed.problem, posed.starts, posed.weights))[0]
    every, picked = influence_of(posed, u, GOPHER), influence_of(posed, u, GOPHER, most=20)
    assert (len(every), len(picked)) == (240, 20)
    assert picked["run"][:6].tolist() == every["run"][:6].tolist()
    assert every["run"][0] == "run 60"
    assert every["change"][0] == pytest.approx(-0.11666, abs=1e-4)


def test_a_quantity_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="gamma") as caught:
        influence(LAW, chinchilla_runs(0.01), HUBER, quantity="gamma")
    assert "tokens_per_param" in caught.value.fix
