"""Goals as people say them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaling_core.errors import UserError
from scaling_core.planning import Scenario, basis_of_published, get_published, plan
from scaling_core.planning.goal import loss_of, read_goal
from scaling_core.runs.metrics import Metric

SARDANA = basis_of_published(get_published("devries_sardana"))


def test_the_loss_of_a_model_is_the_published_one() -> None:
    """github.com/nikhilsardana/beyond-chinchilla, README: 70B parameters on 1T tokens give 1.947."""
    assert loss_of(SARDANA, 70e9, 1e12) == pytest.approx(1.947273, abs=6e-7)


@pytest.mark.parametrize("text", ["70B on 1T", "as good as 70B on 1T", "70B/1T", " 70e9 / 1e12 ", "70B on 1T tokens"])
def test_a_model_is_a_goal(text: str) -> None:
    assert read_goal(text, SARDANA) == pytest.approx(1.947273, abs=6e-7)


def test_a_loss_is_a_goal() -> None:
    assert read_goal("2.1", SARDANA) == 2.1


def test_as_good_as_a_model_is_never_dearer_than_that_model() -> None:
    answer = plan(SARDANA, Scenario(loss=read_goal("70B on 1T", SARDANA)))
    assert answer.flops < 6 * 70e9 * 1e12
    assert answer.loss == pytest.approx(1.947273, abs=6e-7)


@pytest.mark.parametrize("text", ["good", "70B on", "on 1T", "-2", "0 on 1T", "7B at 1T"])
def test_what_says_nothing_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_goal(text, SARDANA)
    assert "70B on 1.4T" in caught.value.fix


def test_a_law_without_n_and_d_knows_no_model() -> None:
    with pytest.raises(UserError, match="does not say the loss of a model"):
        loss_of(basis_of_published(get_published("llama3")), 7e9, 1e12)


ACCURACY = replace(SARDANA, metric=Metric("core_average", "core_average", True, 1.0))
IN_PERCENT = replace(SARDANA, metric=Metric("acc", "accuracy", True, 100.0))


@pytest.mark.parametrize(
    "text", ["0.55", "accuracy 0.55", "core_average 0.55", "core average: 0.55", "55%", " Acc=0.55"]
)
def test_a_goal_of_a_metric_is_in_the_metric(text: str) -> None:
    assert read_goal(text, ACCURACY) == pytest.approx(0.45)


def test_a_percent_of_a_metric_up_to_100_is_itself() -> None:
    assert read_goal("55%", IN_PERCENT) == pytest.approx(45.0)
    assert read_goal("loss 2.1", SARDANA) == pytest.approx(2.1)


@pytest.mark.parametrize(
    ("text", "said"), [("loss 2.1", "“loss” is not what this law is of"), ("1.2", "the best there")]
)
def test_what_is_no_value_of_the_metric_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read_goal(text, ACCURACY)
    assert "core_average, 0.55 say" in caught.value.fix


def test_an_accuracy_out_of_reach_is_refused_as_an_accuracy() -> None:
    law = replace(ACCURACY, theta=ACCURACY.theta * [0.3 / ACCURACY.theta[0], 1, 1, 1, 1])
    with pytest.raises(UserError, match=r"core_average of 0\.8000 cannot be reached: .* comes above 0\.7000") as caught:
        plan(law, Scenario(loss=read_goal("0.8", law)))
    assert "lower core_average" in caught.value.fix
