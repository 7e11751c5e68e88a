"""A metric at the loss of a plan."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.planning import Scenario, basis_of_fit, plan
from scaling_core.planning.downstream import downstream
from scaling_core.runs import RunTable

EPSILON, K, GAMMA = 0.85, 2.08, 0.756  # near Gadre et al. 2024's error on C4: epsilon − k·exp(−gamma·L)


def with_accuracy(noise: float) -> RunTable:
    runs = chinchilla_runs(0.01)
    error = EPSILON - K * np.exp(-GAMMA * runs.frame["loss"])
    runs.frame["accuracy"] = 1 - error * np.exp(noise * np.random.default_rng(3).normal(size=len(error)))
    return runs


def test_accuracy_is_read_off_the_loss_of_the_plan() -> None:
    runs = with_accuracy(0.002)
    answer = plan(basis_of_fit(fitted(runs, objective="mse-log", resamples=80)), Scenario(1e22))
    mapping = fitted(runs.measured_by("accuracy"), "metric-exponential", "mse-log", 80)
    found = downstream(mapping, answer)
    truth = 1 - (EPSILON - K * np.exp(-GAMMA * answer.loss))
    assert found.value == pytest.approx(truth, abs=0.01)
    assert found.low < found.value < found.high
    assert found.low <= 1 - (EPSILON - K * np.exp(-GAMMA * answer.intervals["loss"][1])) + 0.01


def test_only_a_law_from_loss_to_metric_will_do() -> None:
    runs = chinchilla_runs(0.01)
    law = fitted(runs)
    with pytest.raises(UserError, match="does not read a loss"):
        downstream(law, plan(basis_of_fit(law), Scenario(1e22)))
