"""Intervals hold the truth as often as they say, over 300 simulated sets of 240 runs.

Sizes and budgets are those of Hoffmann et al. 2022, figure 4, noise is as heavy-tailed as the residuals of their
points. Of 300 sets, 90% ± 1.7% of the intervals of 90% should hold the truth.
"""

from __future__ import annotations

import pytest

from benchmarks.coverage import PROFILED, QUANTITIES, Experiment, coverage, profile_coverage, simulate
from scaling_core.fitting import DEFAULT_METHOD

#: Few resamples, which the ends of an interval of 90% need no more of for this; `benchmarks.coverage` draws 199.
DATASETS, RESAMPLES = 300, 79


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return simulate(DATASETS)


def test_the_default_method_holds_the_truth(experiment: Experiment) -> None:
    shares = coverage(experiment, DEFAULT_METHOD, RESAMPLES)
    assert set(QUANTITIES) >= {"E", "alpha", "beta", "loss at 10x"}
    assert len(experiment.optima) >= 300
    assert shares == {name: pytest.approx(0.9, abs=0.05) for name in QUANTITIES}


def test_the_normal_approximation_holds_the_truth(experiment: Experiment) -> None:
    assert coverage(experiment, "laplace", RESAMPLES) == {name: pytest.approx(0.9, abs=0.05) for name in QUANTITIES}


def test_profiles_hold_the_truth(experiment: Experiment) -> None:
    assert profile_coverage(experiment) == {name: pytest.approx(0.9, abs=0.05) for name in PROFILED}


def test_an_interval_of_half_holds_it_half_the_time(experiment: Experiment) -> None:
    """The level is obeyed, and not only the one that was looked at."""
    shares = coverage(experiment, "laplace", RESAMPLES, level=0.5)
    assert shares == {name: pytest.approx(0.5, abs=0.1) for name in QUANTITIES}
