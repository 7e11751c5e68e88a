"""What runs cannot tell is said and held; what a law is not about is refused."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import fitted, grid, noise, table

from scaling_core.errors import UserError
from scaling_core.fitting.curves import family
from scaling_core.fitting.options import Constraint
from scaling_core.laws import get_law
from scaling_core.runs import RunTable

N, D = grid()
LOSS = 30 * N**-0.06 * D**-0.04


def two_digits(values: np.ndarray) -> np.ndarray:
    return np.array([float(f"{v:.1e}") for v in values])


@pytest.mark.parametrize(
    "flops", [None, two_digits(6 * N * D), 2 * 7.3 * N**0.97 * D], ids=["6ND", "rounded", "another rule"]
)
def test_compute_that_follows_from_n_and_d_has_no_exponent_of_its_own(flops: np.ndarray | None) -> None:
    result = fitted(table(N, D, LOSS, flops=flops), "multiplicative")
    assert result.parameters["gamma"] == 0
    np.testing.assert_allclose(result.theta[:3], [30, -0.06, -0.04], rtol=1e-7)
    assert any("gamma is held at 0" in note for note in result.notes)
    assert result.certificate.grade == "good"
    assert result.constraints == ()  # a person set none


def test_held_parameters_stay_put_in_every_draw() -> None:
    result = fitted(table(N, D, LOSS * noise(36, 0.01)), "multiplicative", resamples=30)
    assert (result.draws[:, 3] == 0).all()
    assert (result.draws[:, 1].std() > 0).all()


def test_compute_of_its_own_is_fitted() -> None:
    flops = 6 * N * D * np.random.default_rng(1).uniform(0.5, 2, 36)
    result = fitted(table(N, D, LOSS * flops**-0.03, flops=flops), "multiplicative")
    np.testing.assert_allclose(result.theta, [30, -0.06, -0.04, -0.03], rtol=1e-7)
    assert not any("held" in note for note in result.notes)


def test_a_person_who_fixes_an_exponent_settles_it() -> None:
    """With beta fixed at 0, gamma is what is left of tokens: D^−.04 = (C/6N)^−.04."""
    result = fitted(table(N, D, LOSS), "multiplicative", constraints=(Constraint("beta", 0.0, 0.0),))
    assert not any("held" in note for note in result.notes)
    np.testing.assert_allclose(result.theta, [30 * 6**0.04, -0.02, 0.0, -0.04], rtol=1e-6)


def test_few_rows_are_refused_by_the_parameters_that_are_left() -> None:
    assert fitted(table(N[:20:5], D[[0, 12, 6, 30]], LOSS[:20:5]), "multiplicative").n_points == 4
    with pytest.raises(UserError) as caught:
        fitted(table(N[:3], D[[0, 12, 6]], LOSS[:3]), "multiplicative")
    assert "3 are chosen" in caught.value.what


def with_accuracy() -> RunTable:
    loss = np.linspace(2.1, 4.0, 12)
    accuracy = 1 - (0.85 - 2.1 * np.exp(-0.76 * loss))
    return table(np.geomspace(1e8, 1e10, 12), np.geomspace(1e10, 1e12, 12), loss, accuracy=accuracy)


def test_a_metric_is_fitted_by_its_loss() -> None:
    result = fitted(with_accuracy().measured_by("accuracy"), "metric-exponential")
    np.testing.assert_allclose(result.theta, [0.85, 2.1, 0.76], rtol=1e-6)
    assert result.ranges["proxy_loss"] == (2.1, 4.0)


@pytest.mark.parametrize("law", ["metric-exponential", "metric-logistic"])
def test_a_law_of_a_metric_asks_for_one(law: str) -> None:
    with pytest.raises(UserError) as caught:
        fitted(with_accuracy(), law)
    assert "the loss itself" in caught.value.what
    assert "another column" in caught.value.fix


def test_the_law_of_repeated_data_asks_for_unique_tokens() -> None:
    with pytest.raises(UserError) as caught:
        fitted(table(N, D, LOSS), "data-constrained")
    assert "unique_tokens" in caught.value.what


def test_without_unique_tokens_every_token_is_new() -> None:
    """And the law is Chinchilla's, where there are no more parameters than so many tokens are best spent on."""
    theta = np.array([1.8, 400.0, 2000.0, 0.34, 0.36, 15.0, 5.0])
    x = {"params": N, "tokens": 1000 * N}
    expected = get_law("chinchilla").predict(theta[:5], x)
    np.testing.assert_allclose(get_law("data-constrained").predict(theta, x), expected, rtol=1e-13)


def test_curves_of_the_law_of_repeated_data_take_every_token_as_new() -> None:
    theta = np.array([1.8, 400.0, 2000.0, 0.34, 0.36, 15.0, 5.0])
    unique = D / np.random.default_rng(0).uniform(1, 20, 36)
    loss = get_law("data-constrained").predict(theta, {"params": N, "tokens": D, "unique_tokens": unique})
    result = fitted(table(N, D, loss, unique_tokens=unique), "data-constrained", "mse-log")
    np.testing.assert_allclose(result.theta, theta, rtol=1e-6)
    curves = family(result, "flops")
    expected = get_law("data-constrained").predict(theta, {c: curves[c].to_numpy() for c in ("params", "tokens")})
    np.testing.assert_allclose(curves["loss"], expected, rtol=1e-6)


def test_a_break_has_runs_on_both_sides() -> None:
    """A fit whose break would stand beyond all runs but one ends on the edge and says so."""
    x = np.geomspace(1e7, 1e11, 24)
    loss = 30 * x**-0.1
    loss[-1] *= 0.8
    result = fitted(table(x, 1e9, loss), "piecewise-n", "mse-log")
    assert result.certificate.on_bound == ("d",)
    assert np.sum(x > result.parameters["d"]) == 2
