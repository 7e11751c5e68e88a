"""Fits of typed formulas: the same optimum as the laws that are built in, and what becomes of them afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_runs import CHINCHILLA, chinchilla_runs, fitted, grid, noise, noisy_fit, table

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, Selection, parse_constraints
from scaling_core.runs import Upload, load

FORMULA = "custom:E + A/N**alpha + B/D**beta"
ORDER = ["E", "A", "B", "alpha", "beta"]


def ordered(result: FitResult) -> np.ndarray:
    return np.array([result.parameters[name] for name in ORDER])


def test_the_240_points_of_chinchilla(reference: Path) -> None:
    """The optimum of the fitting notes, on which independent solvers agree."""
    runs = load([Upload.from_path(reference / "runs" / "chinchilla_245.csv")])
    result = fitted(runs, FORMULA, selection=Selection(drop_highest_loss=5))
    assert result.n_points == 240
    assert result.value == pytest.approx(0.00101827401780060, rel=1e-9)
    assert ordered(result) == pytest.approx([1.817218, 477.826, 2143.417, 0.347310, 0.367172], rel=1e-5 / 2)
    assert result.certificate.grade == "good"
    assert result.certificate.starts_agreeing == result.certificate.starts == 36


def test_noiseless_runs_are_recovered() -> None:
    result = fitted(chinchilla_runs(), FORMULA)
    np.testing.assert_allclose(ordered(result), CHINCHILLA, rtol=1e-6)
    assert result.certificate.grade == "good"


@pytest.mark.parametrize("objective", ["mse-log", "huber"])
def test_every_objective_finds_what_the_law_that_is_built_in_finds(objective: str) -> None:
    result = fitted(chinchilla_runs(0.01), FORMULA, objective)
    assert result.value == pytest.approx(noisy_fit("chinchilla", objective).value, rel=1e-9)


@pytest.mark.parametrize(
    ("formula", "law"),
    [
        ("E + (A/N^alpha + B/D^beta)^gamma", "gamma"),
        ("a*(6*N*D)^-b + c", "power-c-offset"),
        ("a - b*log(C)", "log-c"),
        ("E + A*exp(-alpha*log(N)) + B*exp(-beta*log(D))", "chinchilla"),
    ],
)
def test_other_forms_find_what_the_laws_that_are_built_in_find(formula: str, law: str) -> None:
    result = fitted(chinchilla_runs(0.01), f"custom:{formula}")
    assert result.value == pytest.approx(noisy_fit(law).value, rel=1e-9)
    assert result.certificate.gradient_norm < 1e-8


def test_bounds_and_fixed_parameters_hold() -> None:
    limits = parse_constraints("alpha=0.3;E=1:1.7")
    result, known = (fitted(chinchilla_runs(0.01), law, constraints=limits) for law in (FORMULA, "chinchilla"))
    assert result.parameters["alpha"] == 0.3
    assert result.parameters["E"] <= 1.7
    assert result.value == pytest.approx(known.value, rel=1e-9)
    np.testing.assert_allclose(ordered(result), known.theta, rtol=1e-6)


def test_a_bootstrap_spreads_as_that_of_the_law_that_is_built_in() -> None:
    """The same resamples by the same seed, solved in other coordinates."""
    typed, known = (fitted(chinchilla_runs(0.01), law, "mse-log", 60, seed=3) for law in (FORMULA, "chinchilla"))
    assert len(typed.draws) == len(known.draws) == 60
    for name in ORDER:
        assert typed.standard_errors()[name] == pytest.approx(known.standard_errors()[name], rel=1e-4)


def test_a_column_of_the_runs_is_read_and_the_fit_comes_back_from_json() -> None:
    N, _ = grid()
    devices = np.exp(np.random.default_rng(1).uniform(0, 6, 36)).round()
    loss = (1.5 + 30 * N**-0.2 + 0.4 * devices**-0.5) * noise(36, 0.002)
    result = fitted(table(N, 1e10, loss, devices=devices), "custom:E + A/N^alpha + B/devices^b", "mse-log", 10)
    assert result.law.predictors == ("params", "devices")
    assert result.parameters["b"] == pytest.approx(0.5, abs=0.05)
    assert any("devices" in note for note in result.notes)
    again = FitResult.from_json(json.loads(json.dumps(result.to_json())))
    assert again.law is result.law
    x = {"params": np.array([1e8, 3e9]), "devices": np.array([2.0, 64.0])}
    for mine, theirs in zip(again.predict(x), result.predict(x), strict=True):
        assert mine.tolist() == theirs.tolist()


def test_a_size_that_should_vanish_ends_on_its_bound_and_is_named() -> None:
    x = np.geomspace(1e7, 1e11, 14)
    result = fitted(table(x, 7e9, 40 * x**-0.15 + 1), "custom:a*(N + d)**(-b) + c")
    assert result.certificate.on_bound == ("d",)
    assert result.certificate.grade == "doubtful"
    assert result.parameters["b"] == pytest.approx(0.15, rel=1e-3)


@pytest.mark.parametrize("formula", ["log(-a*N)", "a*exp(exp(N))", "E + log(1 - N)*a"])
def test_a_formula_without_a_value_at_the_runs_is_refused(formula: str) -> None:
    with pytest.raises(UserError, match="no value at these runs"):
        fitted(chinchilla_runs(), f"custom:{formula}")
