"""What a run is judged by: direction and range, said or guessed, and the cost that a law is fitted to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import table

from scaling_core.errors import UserError
from scaling_core.runs.metrics import LOSS, Metric, metric_of

LOSSES = np.linspace(3.0, 2.0, 6)


def frame(**columns: list[float]) -> pd.DataFrame:
    return table(1e8, np.geomspace(1e9, 1e11, 6), LOSSES, **columns).frame


SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


@pytest.mark.parametrize(
    ("name", "values", "higher", "best"),
    [
        ("accuracy", SHARES, True, 1.0),
        ("val_acc", [10, 20, 30, 40, 50, 60], True, 100.0),
        ("core_average", SHARES, True, 1.0),
        ("hellaswag", SHARES, True, 1.0),
        ("mmlu_5shot", SHARES, True, 1.0),
        ("pass@1", SHARES, True, 1.0),
        ("arc_easy_loss", SHARES, False, 0.0),
        ("perplexity", [20, 18, 15, 12, 11, 10], False, 0.0),
        ("top1_error", SHARES[::-1], False, 0.0),
        ("wer", SHARES[::-1], False, 0.0),
        ("skill", SHARES, True, 1.0),  # unknown, but it rises as loss falls
        ("skill", SHARES[::-1], False, 0.0),
        ("seconds", [1, 2, 3, 4, 5, 6], False, 0.0),  # rises, but is no share
    ],
)
def test_direction_and_range_are_guessed(name: str, values: list[float], higher: bool, best: float) -> None:
    assert metric_of(frame(**{name: values}), name) == Metric(name, name, higher, best)


@pytest.mark.parametrize(
    ("text", "higher", "best"),
    [
        ("x", True, 1.0),
        ("x:lower", False, 0.0),
        ("x:lower:0.05", False, 0.05),
        ("x:higher", True, 1.0),
        ("x:higher:0.75", True, 0.75),
        ("x:higher:100", True, 100.0),
    ],
)
def test_what_is_said_is_not_guessed(text: str, higher: bool, best: float) -> None:
    runs = frame(x=SHARES)
    metric = metric_of(runs, text)
    assert (metric.column, metric.higher_is_better, metric.best) == ("x", higher, best)
    assert metric_of(runs, metric.text) == metric


def test_a_colon_may_belong_to_the_column() -> None:
    runs = frame(**{"arc:higher": SHARES})
    assert metric_of(runs, "arc:higher").column == "arc:higher"
    assert metric_of(runs, "arc:higher:lower").text == "arc:higher:lower:0"


def test_the_loss_is_the_loss() -> None:
    assert metric_of(frame(), "loss") is metric_of(frame(), "loss:lower") is LOSS
    assert LOSS.text == "loss"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x:higher:0.5", "0.6"),
        ("x:lower:0.2", "0.1"),
        ("x:higher:much", "much"),
        ("x:higher:nan", "nan"),
        ("loss:higher", "loss"),
        ("absent", "absent"),
        ("run", "run"),
        ("score", "score:higher:1000"),
        ("x:upwards", "x:upwards"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(text: str, word: str) -> None:
    runs = frame(x=SHARES, score=[0, 100, 200, 300, 400, 450])
    with pytest.raises(UserError) as caught:
        metric_of(runs, text)
    assert word in caught.value.line()
    assert caught.value.fix


@given(st.booleans(), st.floats(-10, 100), st.lists(st.floats(-10, 100), min_size=1, max_size=5))
def test_the_metric_comes_back_from_its_cost(higher: bool, best: float, values: list[float]) -> None:
    metric = Metric("x", "x", higher, best)
    np.testing.assert_allclose(metric.shown(metric.cost(np.array(values))), values, atol=1e-12)


def test_cost_grows_as_runs_get_worse() -> None:
    assert Metric("acc", "acc", True, 1.0).cost(np.array([0.8, 0.6])).tolist() == pytest.approx([0.2, 0.4])
    assert Metric("wer", "wer", False, 0.05).cost(np.array([0.1, 0.3])).tolist() == pytest.approx([0.05, 0.25])
    assert Metric("acc", "acc", True, 1.0).cost_title == "1 − acc"
    assert Metric("wer", "wer", False, 0.05).cost_title == "wer − 0.05"
    assert Metric("wer", "wer").cost_title == "wer"


def test_runs_are_judged_by_another_column_and_back() -> None:
    runs = table(1e8, np.geomspace(1e9, 1e11, 6), LOSSES, accuracy=SHARES, wer=SHARES[::-1])
    judged = runs.measured_by("accuracy")
    assert judged.frame["loss"].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert judged.frame["proxy_loss"].tolist() == LOSSES.tolist()
    assert judged.metric.text == "accuracy:higher:1"
    assert "distance from 1, since higher is better" in judged.notes[-1].text
    other = judged.measured_by("wer")
    assert other.frame["loss"].tolist() == SHARES[::-1]
    assert other.frame["proxy_loss"].tolist() == LOSSES.tolist()
    back = other.measured_by("loss")
    pd.testing.assert_frame_equal(back.frame, runs.frame)
    assert back.metric is LOSS


def test_rows_at_the_best_value_are_noted() -> None:
    judged = table(1e8, np.geomspace(1e9, 1e11, 6), LOSSES, accuracy=[*SHARES[:4], 1.0, 1.0]).measured_by("accuracy")
    assert "2 rows reach the best value 1" in judged.notes[-1].text
    assert judged.notes[-1].severity == "warning"
