"""The sentence of a plan, for a loss and for another metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_runs import chinchilla_runs, fitted

from scaling_core.laws import get_law
from scaling_core.planning import Basis, Scenario, basis_of_fit, basis_of_published, get_published, plan
from scaling_core.planning.words import sentence
from scaling_core.runs.metrics import LOSS, Metric

ACCURACY = Metric("acc", "accuracy", True, 1.0)
WER = Metric("wer", "word errors", False, 0.1)
BESIROGLU = basis_of_published(get_published("besiroglu"))
THETA = np.array([0.1, 400.0, 2000.0, 0.34, 0.36])


def law_of(metric: Metric) -> Basis:
    draws = np.stack([THETA * np.array([k, 1, 1, 1, 1]) for k in np.linspace(0.9, 1.1, 21)])
    return Basis("made", get_law("chinchilla"), THETA, draws, {}, {}, (), "made", metric=metric)


def test_a_basis_carries_the_metric_of_its_fit() -> None:
    runs = chinchilla_runs()
    basis = basis_of_fit(fitted(runs))
    assert (basis.metric, BESIROGLU.metric) == (LOSS, LOSS)
    by_errors = fitted(
        replace(runs, frame=runs.frame.assign(wer=runs.frame["loss"] + 0.1)).measured_by("wer:lower:0.1")
    )
    assert basis_of_fit(by_errors).metric == Metric("wer", "wer", False, 0.1)


def test_a_metric_is_shown_as_itself_with_the_low_end_first() -> None:
    basis = law_of(ACCURACY)
    answer = plan(basis, Scenario(1e24))
    low, high = (1 - end for end in reversed(answer.intervals["loss"]))
    assert sentence(Scenario(1e24), answer, metric=basis.metric).endswith(
        f", accuracy {1 - answer.loss:.4f} ({low:.4f}–{high:.4f})."
    )
    wer = sentence(Scenario(1e24), answer, metric=WER)
    assert f"word errors {0.1 + answer.loss:.4f}" in wer
    assert "loss" not in wer


def test_a_goal_of_a_metric_is_shown_as_the_metric() -> None:
    asked = Scenario(loss=0.2)
    assert sentence(asked, plan(law_of(ACCURACY), asked), metric=ACCURACY).startswith("Reaching accuracy 0.8000 takes")


def test_a_loss_reads_as_before() -> None:
    answer = plan(BESIROGLU, Scenario(1e22))
    assert sentence(Scenario(1e22), answer).endswith(f", loss {answer.loss:.3f}.")
    asked = Scenario(loss=2.2)
    assert sentence(asked, plan(BESIROGLU, asked)).startswith("A loss of 2.200 takes")
