"""Three approaches to one answer, and what each gets wrong on the very runs it is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from iso_runs import A_TRUE, B_TRUE, best_params, curves, isoflop_runs
from made_runs import chinchilla_loss, chinchilla_runs, fitted, table

from scaling_core.fitting.approaches import approaches, law_exponents
from scaling_core.runs import RunTable

GOPHER = 5.76e23


def rows(frame: pd.DataFrame) -> dict[str, dict]:
    assert list(frame["approach"]) == ["envelope", "isoflop", "parametric"]
    return {row["approach"]: row for row in frame.to_dict("records")}


def both(noise: float = 0.0) -> RunTable:
    """Curves, and runs that end on an isoFLOP grid: something for each approach."""
    curved, ended = curves(noise_size=noise).frame, isoflop_runs(noise).frame
    frame = pd.concat([curved, ended.assign(run=[f"end {i}" for i in range(len(ended))])], ignore_index=True)
    return table(frame["params"], frame["tokens"], frame["loss"], run=frame["run"], is_final=frame["is_final"])


@pytest.fixture(scope="module")
def exact() -> dict[str, dict]:
    runs = both()
    return rows(approaches(runs, fitted(runs, objective="mse-log"), target_flops=GOPHER, resamples=50))


@pytest.mark.parametrize(("approach", "size"), [("envelope", 0.02), ("isoflop", 0.001), ("parametric", 1e-4)])
def test_all_three_recover_the_truth(exact: dict[str, dict], approach: str, size: float) -> None:
    """Tolerances: steps between sizes; a law that is no parabola; the solver."""
    row = exact[approach]
    assert row["a"] == pytest.approx(A_TRUE, abs=size)
    assert row["b"] == pytest.approx(B_TRUE, abs=size)
    assert row["reason"] == ""
    best = best_params(GOPHER)
    assert row["params"] == pytest.approx(best, rel=0.25 if approach == "envelope" else 0.02)
    assert row["tokens"] == pytest.approx(GOPHER / 6 / best, rel=0.25 if approach == "envelope" else 0.02)


def test_bias_is_what_an_approach_gets_wrong_when_the_law_is_true(exact: dict[str, dict]) -> None:
    """These runs do lie on a law, so what each gets wrong of it is all that it gets wrong."""
    for name in ("envelope", "isoflop"):
        assert exact[name]["bias"] == pytest.approx(exact[name]["a"] - A_TRUE, abs=1e-4)
    assert exact["parametric"]["bias"] == 0


def test_a_grid_whose_centre_drifts_is_foretold_to_be_wrong() -> None:
    """Wide grids centred ever further above N*: the vertex drifts with them, and so does the exponent."""
    runs = isoflop_runs(noise_size=0.0005, half_width=8.0, off=np.linspace(-0.7, 0.7, 7))
    found = rows(approaches(runs, fitted(runs), resamples=50))["isoflop"]
    assert found["bias"] > 0.015
    assert found["a"] - A_TRUE == pytest.approx(found["bias"], abs=0.005)
    assert found["a_low"] > A_TRUE  # no interval tells of it


def test_intervals_are_those_of_the_draws() -> None:
    runs = chinchilla_runs(0.005)
    fit = fitted(runs, resamples=60)
    row = rows(approaches(runs, fit, level=0.8, resamples=10))["parametric"]
    alpha, beta = fit.draws[:, 3], fit.draws[:, 4]
    expected = np.quantile(beta / (alpha + beta), [0.1, 0.9])
    assert [row["a_low"], row["a_high"]] == pytest.approx(list(expected), rel=1e-6)
    assert row["n"] == len(runs.frame)


def test_a_missing_row_says_why() -> None:
    N = np.geomspace(1e8, 1e10, 12)
    runs = table(N, 20 * N ** np.linspace(0.97, 1.03, 12), chinchilla_loss(N, 20 * N))
    found = rows(approaches(runs))
    assert "neither checkpoints" in found["envelope"]["reason"]
    assert "no isoFLOP profile" in found["isoflop"]["reason"]
    assert found["parametric"]["reason"] == "No law is fitted."
    assert all(np.isnan(row["a"]) and row["n"] == 0 for row in found.values())
    few = rows(approaches(isoflop_runs(budgets=4, off=2.0), fitted(chinchilla_runs(0.01), "power-c")))
    assert "0 of 4 budgets show a minimum" in few["isoflop"]["reason"]
    assert "does not say how to split compute" in few["parametric"]["reason"]


def test_exponents_of_a_law_are_its_own() -> None:
    fit = fitted(chinchilla_runs(0.01))
    params, tokens = law_exponents(fit, 1e18, 1e22)
    alpha, beta = fit.theta[3:]
    assert params.exponent == pytest.approx(beta / (alpha + beta), rel=1e-9)
    assert tokens.exponent == pytest.approx(alpha / (alpha + beta), rel=1e-9)
    best = fit.law.optimum(fit.theta, np.array([GOPHER]))
    assert params.predict([GOPHER]).value == pytest.approx(best.params, rel=1e-9)
    assert law_exponents(fitted(chinchilla_runs(0.01), "power-c"), 1e18, 1e22) is None
