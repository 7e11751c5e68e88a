"""The verdict takes the certificate of a solve and the findings about its fit together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scaling_core.fitting import Selection, fit, get_objective
from scaling_core.fitting.diagnostics import diagnose
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.verdict import Verdict, judge
from scaling_core.laws import get_law
from scaling_core.runs import Upload, load
from tests.made_runs import chinchilla_runs

HUBER = get_objective("huber-log")
DOUBT = Finding("far off", "doubt", "One run lies far off.")


@pytest.fixture(scope="module")
def exact() -> Verdict:
    runs = chinchilla_runs()
    found = fit(get_law("chinchilla"), runs, HUBER, resamples=0)
    return judge(found.certificate, diagnose(runs, found))


def test_exact_runs_are_certified_and_not_doubted(exact: Verdict) -> None:
    assert (exact.grade, exact.certified, exact.reasons) == ("good", True, ())
    assert exact.fit == "Nothing that was looked at counts against the fit."
    assert exact.to_json()["grade"] == "good"


def test_a_finding_makes_a_certified_solve_a_doubtful_fit() -> None:
    found = fit(get_law("chinchilla"), chinchilla_runs(), HUBER, resamples=0)
    good, info = Finding("a", "good", "Well."), Finding("b", "info", "By the way.")
    verdict = judge(found.certificate, (DOUBT, info, good))
    assert found.certificate.grade == "good"
    assert (verdict.grade, verdict.certified, verdict.reasons) == ("doubtful", True, ("One run lies far off.",))
    assert verdict.solve.startswith("The solve is certified (scaled gradient ")
    assert verdict.fit == "The fit is doubted: One run lies far off."
    assert judge(found.certificate, (info, good)).grade == "good"


def test_a_doubt_of_the_certificate_is_said_once_and_counted() -> None:
    found = fit(get_law("chinchilla"), chinchilla_runs(), HUBER, resamples=0).certificate
    doubted = replace(found, grade="doubtful", reasons=(DOUBT.text, "Another."))
    verdict = judge(doubted, (DOUBT,))
    assert verdict.reasons == ("One run lies far off.", "Another.")
    assert verdict.fit.endswith("One run lies far off. 1 more point against it.")


def test_a_solve_without_an_optimum_has_failed_and_is_not_certified() -> None:
    found = fit(get_law("chinchilla"), chinchilla_runs(), HUBER, resamples=0).certificate
    failed = replace(found, gradient_norm=0.01, grade="failed", reasons=("The solver did not reach an optimum.",))
    verdict = judge(failed, ())
    assert (verdict.grade, verdict.certified) == ("failed", False)
    assert verdict.solve.startswith("The solve is not certified (scaled gradient 1e-02")
    lonely = judge(replace(found, starts_agreeing=1), ())
    assert not lonely.certified


def test_as_few_runs_as_a_law_can_stand_are_judged() -> None:
    runs = chinchilla_runs(0.01, sizes=2, lengths=3)
    found = fit(get_law("chinchilla"), runs, HUBER, resamples=0)
    verdict = judge(found.certificate, diagnose(runs, found))
    assert verdict.grade == "doubtful"
    assert "Only 1 more runs than parameters: almost any law would pass through them." in verdict.reasons


def test_the_published_240_points_are_solved_and_doubted(reference: Path) -> None:
    """Their five outliers decide the plan: 18.7 or 8.27 tokens per parameter at ten times the largest run."""
    runs = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    found = fit(get_law("chinchilla"), runs, HUBER, Selection(drop_highest_loss=5), resamples=0)
    verdict = judge(found.certificate, diagnose(runs, found))
    assert (found.certificate.grade, verdict.grade, verdict.certified) == ("good", "doubtful", True)
    assert "8.27 tokens per parameter rather than 18.7" in verdict.reasons[0]
