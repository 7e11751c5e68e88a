"""A law is one class and one line of the registry: what is added so is fitted, planned with and read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted

from scaling_core.fitting import FitResult
from scaling_core.laws import LAWS, Array, Parameter
from scaling_core.laws.formula import FormulaLaw
from scaling_core.laws.jet import exp


class OneExponent(FormulaLaw):
    """What a file of a new law holds: here the Chinchilla law with one exponent, written as a formula."""

    name = "one-exponent"
    title = "One exponent"
    latex = r"L = {E} + {A} N^{{-{alpha}}} + {B} D^{{-{alpha}}}"
    predictors = ("params", "tokens")
    parameters = (
        Parameter("E", "E", "irreducible loss", "nats per token"),
        Parameter("A", "A", "size of the parameter term", "nats per token", log=True),
        Parameter("B", "B", "size of the data term", "nats per token", log=True),
        Parameter("alpha", r"\alpha", "how fast both fall", "", upper=3.0),
    )
    source = "arXiv 2203.15556"
    linear = ("E", "A", "B")
    centring: Mapping[str, Any] = {"A": (("alpha", "params"),), "B": (("alpha", "tokens"),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        return p["E"] + p["A"] * exp(-p["alpha"] * z["params"]) + p["B"] * exp(-p["alpha"] * z["tokens"])


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> FitResult:
    monkeypatch.setitem(LAWS, "one-exponent", OneExponent())
    return fitted(chinchilla_runs(0.01), "one-exponent", resamples=20)


def test_it_is_fitted_like_the_law_that_was_there(added: FitResult) -> None:
    there = fitted(chinchilla_runs(0.01), "chinchilla-tied")
    np.testing.assert_allclose(added.theta, there.theta, rtol=1e-7)
    assert added.value == pytest.approx(there.value, rel=1e-12)
    assert added.certificate.starts_agreeing >= 3
    assert len(added.draws) == 20


def test_its_best_split_is_searched_without_a_line_of_its_own(added: FitResult) -> None:
    flops = np.array([1e20, 1e23])
    best = added.law.optimum(added.draws, flops)
    closed = LAWS["chinchilla-tied"].optimum(added.draws, flops)
    np.testing.assert_allclose(np.log(best.params), np.log(closed.params), atol=1e-6)
    np.testing.assert_allclose(best.loss, closed.loss, rtol=1e-13)


def test_it_is_written_and_read_back(added: FitResult) -> None:
    again = FitResult.from_json(added.to_json())
    assert again.law is added.law
    np.testing.assert_array_equal(again.theta, added.theta)
