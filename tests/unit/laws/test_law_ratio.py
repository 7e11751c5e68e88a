"""The power law in the ratio of two columns."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import fitted, noise, table

from scaling_core.errors import UserError
from scaling_core.laws import get_law
from scaling_core.runs import RunTable


def runs(exponent: float, size: float = 0.0) -> RunTable:
    """Runs with cost .7·(accuracy_data/devices)^exponent + .2."""
    rng = np.random.default_rng(3)
    data, devices = np.exp(rng.uniform(5, 12, 40)), np.exp(rng.uniform(0, 5, 40)).round()
    cost = 0.7 * (data / devices) ** exponent + 0.2
    return table(1e8, 1e9, cost * noise(40, size), accuracy_data=data, devices=devices)


@pytest.mark.parametrize("exponent", [-0.3, 0.15])
def test_runs_made_by_the_law_are_recovered_whatever_the_sign(exponent: float) -> None:
    result = fitted(runs(exponent), "ratio:accuracy_data/devices")
    np.testing.assert_allclose(result.theta, [0.7, exponent, 0.2], rtol=1e-6)
    assert result.certificate.grade == "good"


def test_only_the_ratio_counts() -> None:
    law, theta = get_law("ratio:accuracy_data/devices"), np.array([0.7, -0.3, 0.2])
    x = {"accuracy_data": np.array([1e3, 1e5]), "devices": np.array([2.0, 7.0])}
    np.testing.assert_allclose(law.predict(theta, x), 0.7 * np.array([500, 1e5 / 7]) ** -0.3 + 0.2, rtol=1e-14)
    np.testing.assert_allclose(law.predict(theta, {c: 3 * v for c, v in x.items()}), law.predict(theta, x), rtol=1e-14)


def test_it_is_the_typed_formula() -> None:
    noisy = runs(-0.3, 0.01)
    ratio, typed = (
        fitted(noisy, law) for law in ("ratio:accuracy_data/devices", "custom:a*(accuracy_data/devices)^b+c")
    )
    assert ratio.value == pytest.approx(typed.value, rel=1e-12)
    np.testing.assert_allclose(ratio.theta, typed.theta, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "name", "predictors"),
    [
        ("accuracy_data/devices", "ratio:accuracy_data/devices", ("accuracy_data", "devices")),
        ("D/N", "ratio:tokens/params", ("tokens", "params")),
        (" [tokens/s] / my devices ", "ratio:[tokens/s]/my devices", ("tokens/s", "my devices")),
    ],
)
def test_columns_are_named_by_letter_or_word(text: str, name: str, predictors: tuple[str, str]) -> None:
    law = get_law(f"ratio:{text}")
    assert (law.name, law.predictors) == (name, predictors)
    assert get_law(law.name).predictors == predictors


def test_latex_names_the_columns() -> None:
    law = get_law("ratio:accuracy_data/N")
    assert law.formula() == r"L = a \, \left(\frac{\mathrm{accuracy\_data}}{N}\right)^{b} + c"
    assert "-0.3" in law.formula({"a": "0.7", "b": "-0.3", "c": "0.2"})


@pytest.mark.parametrize("text", ["", "a", "a/", "/b", "a/b/c", "[a/b", "D/tokens", "x/x"])
def test_what_names_no_two_columns_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        get_law(f"ratio:{text}")


def test_columns_must_be_there() -> None:
    with pytest.raises(UserError, match="accuracy_data"):
        fitted(table(1e8, 1e9, np.linspace(3, 2, 9)), "ratio:accuracy_data/devices")
