"""A metric at the loss of a plan."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.planning import Scenario, basis_of_fit, basis_of_published, get_published, plan
from scaling_core.planning.downstream import downstream, loss_for
from scaling_core.planning.goal import read_goal
from scaling_core.runs import RunTable

BESIROGLU = basis_of_published(get_published("besiroglu"))
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


@pytest.fixture(scope="module")
def mapping() -> FitResult:
    """A mapping to 0.85 − 2.08·exp(−0.756·L), and the truth of what loss has an error of 0.4: ln(2.08/0.45)/0.756."""
    return fitted(with_accuracy(0.0).measured_by("accuracy"), "metric-exponential", "mse-log", 20)


def test_the_loss_of_an_accuracy_is_where_the_mapping_says_it(mapping: FitResult) -> None:
    wanted = np.log(K / (EPSILON - 0.4)) / GAMMA
    assert loss_for(mapping, 0.4) == pytest.approx(wanted, rel=1e-4)
    back = mapping.law.predict(mapping.theta, {"proxy_loss": np.array([loss_for(mapping, 0.4)])})
    assert back[0] == pytest.approx(0.4, rel=1e-9)


@pytest.mark.parametrize(("cost", "said"), [(0.9, "knows nothing"), (-1.5, "no question of the loss")])
def test_what_no_loss_decides_is_refused(mapping: FitResult, cost: float, said: str) -> None:
    with pytest.raises(UserError, match=said):
        loss_for(mapping, cost)


@pytest.mark.parametrize("text", ["accuracy 60%", "60%", "acc 0.6", "accuracy: 0.6"])
def test_a_goal_of_a_mapped_metric_is_a_loss(mapping: FitResult, text: str) -> None:
    assert read_goal(text, BESIROGLU, [mapping]) == pytest.approx(loss_for(mapping, 0.4), rel=1e-9)


def test_a_loss_is_still_a_loss_beside_a_mapping(mapping: FitResult) -> None:
    assert read_goal("2.1", BESIROGLU, [mapping]) == 2.1
    assert read_goal("loss 2.1", BESIROGLU, [mapping]) == 2.1


@pytest.mark.parametrize(("text", "fix"), [("60%", "first fit it from the loss"), ("accuracy 60%", "keep that fit")])
def test_without_a_mapping_a_percentage_is_no_loss(text: str, fix: str) -> None:
    with pytest.raises(UserError) as caught:
        read_goal(text, BESIROGLU)
    assert fix in caught.value.fix
