"""What must hold for every law in the registry, whatever its form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_core.errors import UserError
from scaling_core.laws import LAWS, Array, Law, Working, get_law
from scaling_core.runs.schema import COLUMNS

LOSS_SCALE = 2.5
EVERY_LAW = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
#: Parameters that may be negative; every other one is a size or a rate.
SIGNED = {
    *(("multiplicative", name) for name in ("alpha", "beta", "gamma")),
    *((f"broken-{x}", "c1") for x in "cnd"),
    *((f"m4-{x}", "c") for x in "cnd"),
}


def runs(n: int = 9) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    params, tokens = np.exp(rng.uniform(math.log(1e7), math.log(1e10), (2, n)))
    return {
        "params": params, "tokens": 20 * tokens, "flops": 120 * params * tokens,
        "unique_tokens": 20 * tokens / rng.uniform(0.5, 12, n), "proxy_loss": np.linspace(2.2, 4.1, n),
    }  # fmt: skip


def bound(law: Law) -> Working:
    return law.working({name: runs()[name] for name in law.predictors}, LOSS_SCALE)


def points(law: Law) -> Array:
    """Working coordinates strictly inside the bounds, of any law: start points for made-up losses, (S, p)."""
    working = bound(law)
    u = working.starts(np.linspace(1.3, 0.8, 9))[::5]
    return np.clip(u, working.lower + 1e-3, working.upper - 1e-3)


def central(function, at: Array, i: int) -> Array:
    """Central difference of order four by coordinate ``i`` of the last axis of ``at``."""
    step = np.zeros(at.shape[-1])
    step[i] = 1.0
    h = 1e-4 * np.maximum(np.abs(at[..., i, None]), 1e-2)
    near = function(at + h * step) - function(at - h * step)
    far = function(at + 2 * h * step) - function(at - 2 * h * step)
    size = h.reshape(h.shape[:-1] + (1,) * (near.ndim - h.ndim + 1))
    return (8 * near - far) / (12 * size)


def assert_close(got: Array, expected: Array, relative: float) -> None:
    """Equal to so many digits of the largest entry: an entry near zero has no digits of its own."""
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= relative * np.abs(expected).max()


@EVERY_LAW
def test_law_says_who_it_is(law: Law) -> None:
    assert get_law(law.name) is law
    assert law.title
    assert "arXiv" in law.source
    assert set(law.predictors) <= set(COLUMNS)
    assert law.predictors


@EVERY_LAW
def test_every_parameter_has_a_meaning_and_bounds(law: Law) -> None:
    assert len(set(law.parameter_names)) == len(law.parameters) > 0
    for parameter in law.parameters:
        assert parameter.symbol
        assert len(parameter.meaning.split()) > 1
        assert parameter.unit in ("", "nats per token", "parameters", "tokens", "FLOPs")
        assert parameter.lower < parameter.upper
        assert (parameter.lower < 0) == ((law.name, parameter.name) in SIGNED)


@EVERY_LAW
def test_formula_holds_the_symbols_or_the_numbers(law: Law) -> None:
    numbers = {name: f"{i}.25" for i, name in enumerate(law.parameter_names, start=31)}
    assert all(p.symbol in law.formula() for p in law.parameters)
    written = law.formula(numbers)
    assert all(number in written for number in numbers.values())
    assert not any(p.symbol in written for p in law.parameters if p.symbol.startswith("\\"))
    for text in (law.formula(), written):
        assert text.count("{") == text.count("}")


@EVERY_LAW
def test_jacobian_is_the_derivative_of_predict(law: Law) -> None:
    x = runs()
    theta = bound(law).to_natural(points(law))
    jacobian = law.jacobian(theta, x)
    for i in range(len(law.parameters)):
        assert_close(jacobian[..., i], central(lambda t: law.predict(t, x), theta, i), 1e-8)


@EVERY_LAW
def test_working_gradient_is_the_derivative_of_value(law: Law) -> None:
    working, u = bound(law), points(law)
    gradient = working.at(u).gradient()
    assert gradient.shape == (len(u), len(law.parameters), 9)
    for i in range(len(law.parameters)):
        assert_close(gradient[:, i], central(lambda p: working.at(p).value, u, i), 1e-8)


@EVERY_LAW
def test_working_curvature_is_the_derivative_of_the_weighted_gradient(law: Law) -> None:
    working, u = bound(law), points(law)
    weights = np.random.default_rng(2).normal(size=(len(u), 9))  # of both signs: residuals are
    expected = np.stack(
        [
            central(lambda p: np.einsum("bpn,bn->bp", working.at(p).gradient(), weights), u, i)
            for i in range(u.shape[1])
        ],
        axis=-1,
    )
    curvature = working.at(u).curvature(weights)
    assert_close(curvature, expected, 1e-7)
    np.testing.assert_allclose(curvature, curvature.transpose(0, 2, 1), rtol=1e-12, atol=0)


@EVERY_LAW
def test_working_coordinates_come_back(law: Law) -> None:
    working, u = bound(law), points(law)
    np.testing.assert_allclose(working.from_natural(working.to_natural(u)), u, rtol=1e-12)


@EVERY_LAW
def test_a_coordinate_on_its_bound_is_no_parameter_beyond_it(law: Law) -> None:
    """ln of a bound and back may miss it by a rounding, and a fit read from a file must lie within."""
    working, u = bound(law), points(law)[:1]
    for i in np.flatnonzero(np.isfinite(working.upper)):
        at_bound = u.copy()
        at_bound[0, i] = working.upper[i]
        theta = working.to_natural(at_bound)[0]
        assert law.parameters[i].lower <= theta[i] <= law.parameters[i].upper


@EVERY_LAW
def test_working_value_is_the_prediction_over_the_loss_scale(law: Law) -> None:
    working, u = bound(law), points(law)
    np.testing.assert_allclose(working.at(u).value, law.predict(working.to_natural(u), runs()) / LOSS_SCALE, rtol=1e-12)


@EVERY_LAW
def test_starts_are_finite_distinct_and_inside_the_bounds(law: Law) -> None:
    working = bound(law)
    u = working.starts(np.linspace(1.3, 0.8, 9))
    assert len(np.unique(u, axis=0)) == len(u) >= 10
    assert ((u >= working.lower) & (u <= working.upper)).all()
    assert np.isfinite(working.at(u).value).all()
    assert (working.at(u).value > 0).all()


@EVERY_LAW
def test_leading_axes_of_theta_are_a_batch(law: Law) -> None:
    x = runs()
    theta = bound(law).to_natural(points(law))[:3]
    batch = np.stack([theta, theta[::-1]])
    assert law.predict(batch, x).shape == (2, len(theta), 9)
    assert law.jacobian(batch, x).shape == (2, len(theta), 9, len(law.parameters))
    for k, row in enumerate(theta):
        np.testing.assert_allclose(law.predict(batch, x)[0, k], law.predict(row, x), rtol=1e-14)
        np.testing.assert_allclose(law.jacobian(batch, x)[0, k], law.jacobian(row, x), rtol=1e-14)


@EVERY_LAW
def test_predictors_may_meet_the_leading_axes_of_theta(law: Law) -> None:
    """Each parameter vector at runs of its own, as the search for a best split asks."""
    theta = bound(law).to_natural(points(law))[:3]
    x = {name: np.stack([values, values[::-1] * 1.1, values * 0.9])[: len(theta)] for name, values in runs().items()}
    together = law.predict(theta, x)
    assert together.shape == (len(theta), 9)
    for k, row in enumerate(theta):
        np.testing.assert_allclose(together[k], law.predict(row, {n: v[k] for n, v in x.items()}), rtol=1e-14)


def test_an_unknown_law_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        get_law("chinchila")
    assert "chinchila" in caught.value.what
    assert all(name in caught.value.fix for name in LAWS)


@pytest.mark.parametrize(
    ("law", "theta", "x", "loss"),
    [
        # github.com/nikhilsardana/beyond-chinchilla, README: N = 70e9, D = 1e12 gives 1.947
        ("chinchilla", (1.69, 406.4, 410.7, 0.336, 0.283), {"params": 70e9, "tokens": 1e12}, 1.947273),
        # Kaplan et al. 2020, arXiv 2001.08361, eq. 1.1 at 1e9 parameters: (8.8e13/N)^0.076
        ("power-n", (8.8e13**0.076, 0.076), {"params": 1e9}, 2.37564),
        # Brown et al. 2020, arXiv 2005.14165, figure 3.1, at GPT-3's 3640 PF-days: 2.57·C^−0.048
        ("power-c", (2.57, 0.048), {"flops": 3640.0}, 1.7338),
        # Dey et al. 2023, arXiv 2304.03208, eq. 1, at Cerebras-GPT 13B: (C/5.984e22)^−0.0737 + 0.5066
        ("power-c-offset", (5.984e22**0.0737, 0.0737, 0.5066), {"flops": 2.3e22}, 1.5796),
    ],
)
def test_published_laws_give_their_published_losses(
    law: str, theta: tuple[float, ...], x: dict[str, float], loss: float
) -> None:
    got = get_law(law).predict(theta, {name: np.array([value]) for name, value in x.items()})
    assert got[0] == pytest.approx(loss, abs=0.6 * 10.0 ** -len(str(loss).split(".")[1]))
