"""A fit and what was found of it stay together in a file."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.errors import UserError
from scaling_core.fitting.finding import Finding
from scaling_core.fitting.judged import JudgedFit

FOUND = (Finding("far", "problem", "Far off.", 30.0, "Leave it out."), Finding("well", "good", "Well."))


def through_json(judged: JudgedFit) -> dict:
    return json.loads(json.dumps(judged.to_json()))


def test_findings_and_verdict_come_back_as_they_were() -> None:
    judged = JudgedFit(fitted(chinchilla_runs()), FOUND)
    back = JudgedFit.from_json(through_json(judged))
    assert back.findings == FOUND
    assert back.verdict == judged.verdict
    assert back.verdict.reasons == ("Far off.",)
    np.testing.assert_array_equal(back.fit.draws, judged.fit.draws)


def test_a_fit_without_findings_is_not_taken_for_one_that_has_none() -> None:
    fit = fitted(chinchilla_runs())
    assert JudgedFit.from_json(json.loads(json.dumps(fit.to_json()))).findings is None
    assert JudgedFit.from_json(through_json(JudgedFit(fit))).findings is None
    assert JudgedFit.from_json(through_json(JudgedFit(fit, ()))).findings == ()


@pytest.mark.parametrize("found", [3, ["far"], [{"name": "far"}], [{**asdict(FOUND[0]), "severity": "bad"}]])
def test_damaged_findings_are_refused_in_words(found: object) -> None:
    data = {**through_json(JudgedFit(fitted(chinchilla_runs()))), "findings": found}
    with pytest.raises(UserError, match="What was found of this fit cannot be read"):
        JudgedFit.from_json(data)


def test_the_verdict_is_judged_anew_from_what_was_found() -> None:
    """A verdict that was written into a file by hand does not stand against its findings."""
    data = {**through_json(JudgedFit(fitted(chinchilla_runs()), FOUND)), "verdict": {"grade": "good"}}
    assert JudgedFit.from_json(data).verdict.grade == "doubtful"
    cleared = replace(JudgedFit.from_json(data), findings=())
    assert cleared.verdict.grade == "good"
