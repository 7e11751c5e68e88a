"""The pair bootstrap: which rows are drawn, how often, and that the answer is the same everywhere."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import fitted, noise, table

from scaling_core.fitting import Selection
from scaling_core.fitting.bootstrap import resample_counts

X = np.geomspace(1e7, 1e11, 20)
LOSS = 40 * X**-0.12 * noise(20, 0.03)
EACH_ALONE = np.arange(20)


def draws(seed: int = 0, resamples: int = 50, **rest) -> np.ndarray:
    return fitted(table(X, 7e9, LOSS), "power-n", "mse-log", resamples, seed=seed, **rest).draws


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=25), st.integers(1, 5), st.integers(0, 2**31))
def test_counts_draw_whole_groups_as_often_as_there_are_groups(groups: list[int], at_least: int, seed: int) -> None:
    labels = np.array(groups)
    distinct, first = np.unique(labels, return_index=True)
    counts = resample_counts(labels, 30, at_least, seed)
    assert counts.shape == (30, len(groups))
    by_group = counts[:, first]
    np.testing.assert_array_equal(counts, by_group[:, np.searchsorted(distinct, labels)])
    assert (by_group.sum(axis=1) == len(distinct)).all()
    assert (by_group >= 0).all()
    np.testing.assert_array_equal(by_group, np.rint(by_group))


def test_counts_of_runs_sum_to_the_number_of_runs_and_average_one() -> None:
    counts = resample_counts(EACH_ALONE, 4000, 3, 0)
    assert (counts.sum(axis=1) == 20).all()
    # a count is binomial(20, 1/20): its mean over 4,000 has a standard error of .0154
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=5 * 0.0154)
    assert counts.var() == pytest.approx(0.95, rel=0.05)


def test_thin_resamples_are_drawn_again() -> None:
    """Six groups hold five or more distinct ones in one draw of four."""
    six = np.arange(6)
    assert ((resample_counts(six, 500, 1, 0) > 0).sum(axis=1) < 5).any()
    assert ((resample_counts(six, 500, 5, 0) > 0).sum(axis=1) >= 5).all()
    # more than there are cannot be asked for: two groups, at least five
    assert ((resample_counts(np.array([0, 0, 1]), 50, 5, 0) > 0).all(axis=1)).all()


def test_counts_follow_the_seed() -> None:
    np.testing.assert_array_equal(resample_counts(EACH_ALONE, 9, 3, 5), resample_counts(EACH_ALONE, 9, 3, 5))
    assert (resample_counts(EACH_ALONE, 9, 3, 5) != resample_counts(EACH_ALONE, 9, 3, 6)).any()


def test_draws_follow_the_seed() -> None:
    assert draws(1).tolist() == draws(1).tolist()
    assert not np.isin(draws(1), draws(2)).any()


def test_draws_are_fits_to_the_resampled_runs() -> None:
    """A power law under squared error on ln L is weighted linear regression, which numpy solves exactly."""
    counts = resample_counts(EACH_ALONE, 50, 2, seed=3)
    expected = [np.polyfit(np.log(X), np.log(LOSS), 1, w=np.sqrt(row)) for row in counts]
    np.testing.assert_allclose(draws(3), [(np.exp(a), -b) for b, a in expected], rtol=1e-7)


def test_standard_errors_are_those_of_the_draws() -> None:
    result = fitted(table(X, 7e9, LOSS), "power-n", "mse-log", 400)
    # the textbook's standard error of a slope, which a pair bootstrap of 20 runs meets to 30%
    residual = np.log(LOSS) - np.polyval(np.polyfit(np.log(X), np.log(LOSS), 1), np.log(X))
    textbook = np.sqrt(residual @ residual / 18 / np.sum((np.log(X) - np.log(X).mean()) ** 2))
    assert result.standard_errors()["b"] == pytest.approx(textbook, rel=0.3)
    assert result.standard_errors()["b"] == pytest.approx(np.std(result.draws[:, 1], ddof=1))


def test_checkpoints_of_a_run_are_drawn_together() -> None:
    """Each run's only row five times over must not look like five times as many runs."""
    ends = np.tile([False] * 4 + [True], 20)
    repeated = {"run": np.repeat([f"r{i}" for i in range(20)], 5), "is_final": ends}
    five = table(np.repeat(X, 5), 7e9, np.repeat(LOSS, 5), **repeated)
    all_rows = fitted(five, "power-n", "mse-log", 50, selection=Selection(checkpoints="all"))
    assert all_rows.n_points == 100
    np.testing.assert_allclose(all_rows.draws, draws(0), rtol=1e-7)
    assert any("drawn together" in note for note in all_rows.notes)
    last = fitted(five, "power-n", "mse-log", 50)
    assert last.n_points == 20
    assert any("80 checkpoints" in note for note in last.notes)


def test_runs_of_one_name_in_two_files_are_not_one_run() -> None:
    names = {"run": np.tile([f"r{i}" for i in range(10)], 2), "file": np.repeat(["a.csv", "b.csv"], 10)}
    result = fitted(table(X, 7e9, LOSS, **names), "power-n", "mse-log", 50, selection=Selection(checkpoints="all"))
    np.testing.assert_array_equal(result.draws, draws(0))


@pytest.mark.parametrize("cores", [1, 7])
def test_the_number_of_cores_changes_no_digit(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    several_parts = 3500  # 3,000 resamples of 20 runs go to one thread
    expected = draws(0, several_parts)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert draws(0, several_parts).tolist() == expected.tolist()
    assert len(expected) == several_parts
