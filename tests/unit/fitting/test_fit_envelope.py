"""The lowest loss at each compute, on curves whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from iso_runs import A_TRUE, B_TRUE, best_params, curves, isoflop_runs
from made_runs import chinchilla_loss, table

from scaling_core.errors import UserError
from scaling_core.fitting import Selection
from scaling_core.fitting.envelope import envelope
from scaling_core.runs import Upload, load


def test_curves_give_the_true_exponents() -> None:
    """Tolerance 0.02: sizes stand 1.9 times apart, and which of them wins changes by steps."""
    found = envelope(curves(), resamples=0)
    assert found.curves
    assert found.params.exponent == pytest.approx(A_TRUE, abs=0.02)
    assert found.tokens.exponent == pytest.approx(B_TRUE, abs=0.02)
    finer = envelope(curves(sizes=40), resamples=0)
    assert finer.params.exponent == pytest.approx(A_TRUE, abs=0.005)


def test_the_winner_is_the_lowest_of_the_curves() -> None:
    runs = curves(sizes=6)
    found = envelope(runs, resamples=0)
    sizes = np.unique(runs.frame["params"])
    for row in found.frontier.iloc[5::40].to_dict("records"):
        tokens = row["flops"] / 6 / sizes
        there = (tokens >= sizes * (1 - 1e-9)) & (tokens <= 400 * sizes * (1 + 1e-9))
        loss = np.where(there, chinchilla_loss(sizes, tokens), np.inf)
        assert row["params"] == pytest.approx(sizes[loss.argmin()])
        assert row["loss"] == pytest.approx(loss.min(), rel=2e-3)  # straight lines between checkpoints
        assert row["tokens"] == pytest.approx(row["flops"] / 6 / row["params"], rel=1e-6)
        others = np.flatnonzero(there)
        assert row["bracketed"] == (others.min() < loss.argmin() < others.max())


def test_the_ends_of_a_ladder_do_not_count() -> None:
    found = envelope(curves(), resamples=0)
    won = found.frontier[found.frontier["bracketed"]]
    assert 0 < len(won) < len(found.frontier)
    assert found.params.n == len(won)
    factor = won["params"] / best_params(won["flops"])
    assert factor.between(1 / 1.6, 1.6).all()  # within a step of the best


def test_intervals_come_from_whole_runs() -> None:
    runs = curves(checkpoints=12, noise_size=0.001)
    found = envelope(runs, resamples=300, seed=2)
    low, high = found.params.interval(0.9)
    assert low < A_TRUE < high
    assert 0.02 < high - low < 0.5
    again = envelope(runs, resamples=300, seed=2)
    assert again.params.interval() == found.params.interval()
    twice = envelope(curves(checkpoints=24, noise_size=0.001), resamples=300, seed=2)
    width = np.diff(twice.params.interval(0.9))[0]
    assert width == pytest.approx(high - low, rel=0.25)  # more checkpoints of the same runs tell no more


def test_runs_without_curves_meet_at_their_budgets() -> None:
    found = envelope(isoflop_runs(sizes=15), resamples=50)
    assert not found.curves
    assert len(found.frontier) == 7
    assert found.frontier["bracketed"].all()
    assert found.params.exponent == pytest.approx(A_TRUE, abs=0.002)
    assert "no curves" in {f.name for f in found.findings}


def test_the_step_between_sizes_is_told() -> None:
    (finding,) = [f for f in envelope(curves(sizes=8), resamples=0).findings if f.name == "steps"]
    won = envelope(curves(sizes=8), resamples=0).frontier.query("bracketed")["flops"]
    step = 3000 ** (1 / 7)
    assert f"{step:.2g} times apart" in finding.text
    assert finding.number == pytest.approx(np.log(step) / 2 / np.log(won.max() / won.min()), rel=1e-6)
    assert envelope(curves(sizes=8), resamples=0).params.exponent == pytest.approx(A_TRUE, abs=finding.number)


def test_too_few_winners_give_no_exponent() -> None:
    found = envelope(curves(sizes=4))
    assert found.params is None
    assert found.tokens is None
    assert len(found.frontier) > 0
    assert found.findings[0].name == "few winners"
    assert found.findings[0].severity == "problem"


def test_nothing_to_compare_is_refused() -> None:
    N = np.geomspace(1e8, 1e10, 8)
    with pytest.raises(UserError, match="neither checkpoints"):
        envelope(table(N, 20 * N, chinchilla_loss(N, 20 * N)))


def test_the_best_runs_of_chinchilla(reference: Path) -> None:
    """Hoffmann et al. 2022, table 2: approach 1 gives a = 0.50 from curves that are not public; from ends, near it."""
    points = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    found = envelope(points, Selection(drop_highest_loss=5))
    low, high = found.params.interval(0.9)
    assert found.params.exponent == pytest.approx(0.50, abs=0.03)
    assert low < 0.50 < high


def test_an_interval_that_the_draws_cannot_tell_is_not_made_up() -> None:
    """Of eight sizes most draws lack a winner; those that keep all of them repeat the exponent, and are no evidence."""
    found = envelope(curves(sizes=8, noise_size=0.002), resamples=400)
    assert found.params.exponent == pytest.approx(A_TRUE, abs=0.06)
    assert not len(found.params.draws)
    assert not len(found.tokens.draws)
    assert np.isnan(found.params.interval()).all()
    (said,) = [f for f in found.findings if f.name == "no interval"]
    assert said.severity == "doubt"
    assert 0 < said.number < 0.5
    assert "of 400 draws leave sizes enough" in said.text


def test_no_interval_has_no_width(reference: Path) -> None:
    """The 47 runs of Sardana et al. give 3 winners; 43 of 1,000 draws keep them all, and agree to the last digit."""
    runs = load([Upload.from_path(reference / "runs" / "inference_aware_47.csv")])
    found = envelope(runs)
    assert found.params.exponent == pytest.approx(0.4277, abs=1e-4)
    assert np.isnan(found.params.interval()).all()
    assert "43 of 1,000 draws" in next(f.text for f in found.findings if f.name == "no interval")
