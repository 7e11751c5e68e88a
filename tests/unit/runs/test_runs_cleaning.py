"""Rows that look wrong, each with its reason, on runs made with one fault each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scaling_core.errors import UserError
from scaling_core.runs import CHECKS, flags, load, samples
from scaling_core.runs.cleaning import flagged
from scaling_core.runs.seeds import repeats, seed_summary


def law(n, d):
    """Chinchilla's law with the constants of Besiroglu et al. 2024, table 1."""
    return 1.8172 + 482.01 / n**0.3478 + 2085.43 / d**0.3658


def runs(n, d, loss, **more) -> pd.DataFrame:
    n, d, loss = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(d, dtype=float), loss)
    names = [f"r{i}" for i in range(len(n))]
    columns = {"run": names, "params": n, "tokens": d, "flops": 6 * n * d, "loss": loss, "file": "a.csv"}
    return pd.DataFrame({**columns, "is_final": True, **more})


def grid() -> pd.DataFrame:
    """Three budgets with seven sizes from a fifth to five times the best; the noise of seeds is .1%."""
    budgets = np.repeat([1e18, 1e19, 1e20], 7)
    best = (0.3478 * 482.01 / (0.3658 * 2085.43)) ** (1 / 0.7136) * (budgets / 6) ** (0.3658 / 0.7136)
    n = best * np.tile(np.geomspace(0.2, 5, 7), 3)
    d = budgets / (6 * n)
    noise = 1 + 0.001 * np.random.default_rng(1).standard_normal(21)
    return runs(n, d, law(n, d) * noise)


def found(frame: pd.DataFrame, check: str) -> dict[int, str]:
    rows = flags(frame, [check])
    return dict(zip(rows["row"], rows["reason"], strict=True))


def test_a_clean_grid_and_the_samples_have_no_flags() -> None:
    assert flags(grid()).empty
    for sample in samples():
        assert flags(load(sample.uploads(), sample.overrides).frame).empty, sample.name


def test_a_row_with_the_numbers_of_another_is_a_duplicate_and_one_alike_to_rounding_nearly() -> None:
    frame = runs([1e8, 2e8, 1e8, 2.00001e8], [1e9, 2e9, 1e9, 2e9], [3.0, 2.8, 3.0, 2.80001])
    assert found(frame, "duplicate") == {2: "Same N, D, C and loss as “r0”."}
    assert list(found(frame, "near-duplicate")) == [3]
    assert "“r1”" in found(frame, "near-duplicate")[3]


def test_another_seed_is_no_duplicate() -> None:
    frame = runs([1e8, 1e8, 1e8], 1e9, [3.0, 3.003, 2.996])
    assert flags(frame).empty


def test_what_the_tracker_says_is_said() -> None:
    frame = runs([1e8, 2e8, 4e8], 1e9, [3.0, 2.8, 2.7], State=["finished", "crashed", "running"])
    assert found(frame, "failed") == {1: "The tracker marks it as crashed.", 2: "The tracker marks it as running."}


def test_a_run_above_a_smaller_one_on_less_data_went_astray() -> None:
    frame = grid()
    frame.loc[17, "loss"] *= 1.3
    assert list(found(frame, "diverged")) == [17]
    assert "no more parameters and tokens" in found(frame, "diverged")[17]


def test_a_seed_that_is_too_good_does_not_make_the_others_look_bad() -> None:
    frame = runs(np.full(4, 1e8), 1e9, [3.0, 3.01, 2.99, 2.5])
    assert found(frame, "diverged") == {}
    assert list(found(frame, "seed")) == [3]
    assert "below the median of its seeds" in found(frame, "seed")[3]
    frame.loc[1, "loss"] = 3.5
    assert list(found(frame, "diverged")) == [1]


def test_a_run_that_ends_above_its_own_best_diverged() -> None:
    steps = np.arange(1.0, 11.0)
    frame = runs(np.full(10, 1e8), steps * 1e8, law(1e8, steps * 1e8), step=steps)
    frame["run"], frame["is_final"] = "a", steps == 10
    assert found(frame, "diverged") == {}
    frame.loc[9, "loss"] = frame.loc[8, "loss"] * 1.2
    assert list(found(frame, "diverged")) == [9]


def test_a_spike_on_the_way_is_found_and_the_fall_at_the_start_is_none() -> None:
    steps = np.arange(1.0, 61.0)
    loss = law(1e8, steps * 1e7) * (1 + 0.003 * np.random.default_rng(2).standard_normal(60))
    frame = runs(np.full(60, 1e8), steps * 1e7, loss, step=steps)
    frame["run"], frame["is_final"] = "a", steps == 60
    assert found(frame, "spike") == {}
    frame.loc[30, "loss"] *= 1.25
    assert list(found(frame, "spike")) == [30]
    assert "around step 31" in found(frame, "spike")[30]


def test_a_size_far_from_the_best_of_its_budget_is_off_centre() -> None:
    n = 1.2e8 * np.array([1 / 20, 0.3, 0.6, 1.0, 1.8, 3.0])
    d = 1e18 / (6 * n)
    reasons = found(runs(n, d, law(n, d)), "off-centre")
    assert list(reasons) == [0]
    assert "smaller than" in reasons[0]


@pytest.mark.parametrize("factor", [1.03, 0.97])
def test_a_run_off_the_parabola_of_its_budget_is_found_alone(factor: float) -> None:
    frame = grid()
    frame.loc[10, "loss"] *= factor
    reasons = found(frame, "curvature")
    assert list(reasons) == [10]
    assert ("above" if factor > 1 else "below") in reasons[10]


def test_flags_mark_rows_and_unknown_checks_are_refused() -> None:
    frame = grid()
    frame.loc[10, "loss"] *= 1.03
    assert np.flatnonzero(flagged(frame, ["curvature", "duplicate"])).tolist() == [10]
    assert not flagged(frame, []).any()
    with pytest.raises(UserError, match="no check"):
        flagged(frame, ["ugly"])


def test_another_metric_is_fitted_but_runs_are_judged_by_their_loss() -> None:
    frame = grid()
    wild = frame.assign(proxy_loss=frame["loss"], loss=np.random.default_rng(3).uniform(0.1, 0.9, 21))
    assert flags(wild).empty
    assert not flags(wild.drop(columns="proxy_loss")).empty


def test_tables_without_sizes_or_losses_have_no_flags() -> None:
    frame = runs([1e8, 2e8], 1e9, [3.0, 2.8])
    for column in ("params", "tokens", "flops", "loss"):
        assert flags(frame.assign(**{column: np.nan})).empty, column
    assert flags(frame.iloc[:0]).empty
    assert {c.name for c in CHECKS.values()} == set(CHECKS)


def test_seeds_are_counted_and_have_mean_and_spread() -> None:
    frame = runs([1e8, 1e8, 2e8, 1e8, np.nan], [1e9, 1e9, 1e9, 1e9, 1e9], [3.0, 3.02, 2.8, 3.04, 3.1])
    assert repeats(frame).tolist() == [3, 3, 1, 3, 1]
    (row,) = seed_summary(frame).to_dict("records")
    assert row["runs"] == 3
    assert row["loss"] == pytest.approx(3.02)
    assert (row["loss_low"], row["loss_high"]) == pytest.approx((3.0, 3.04))  # a standard deviation of .02
