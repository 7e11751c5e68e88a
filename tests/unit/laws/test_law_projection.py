"""Non-negative least squares, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear, nnls

from scaling_core.laws.projection import mixed_least_squares, nonnegative_least_squares

KINDS = ("independent", "collinear", "zero column", "all negative")


def problem(kind: str, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    basis, target = rng.normal(size=(12, m)), rng.normal(size=12)
    if kind == "collinear":
        basis[:, -1] = 3 * basis[:, 0]
    if kind == "zero column":
        basis[:, 0] = 0
    if kind == "all negative":
        basis, target = -np.abs(basis), np.abs(target)
    return basis, target


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_reaches_the_least_squares_of_scipy(kind: str, m: int) -> None:
    for seed in range(8):
        basis, target = problem(kind, m, seed)
        expected, distance = nnls(basis, target)
        found = nonnegative_least_squares(basis[None], target)[0]
        assert (found >= 0).all()
        assert np.linalg.norm(basis @ found - target) == pytest.approx(distance, rel=1e-9)
        if kind == "independent":
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_scales_of_columns_do_not_matter() -> None:
    basis, target = problem("independent", 3, 7)
    wide = basis * np.array([1e-12, 1.0, 1e12])
    found = nonnegative_least_squares(wide[None], target)[0] * np.array([1e-12, 1.0, 1e12])
    np.testing.assert_allclose(found, nnls(basis, target)[0], rtol=1e-8, atol=1e-10)


def test_problems_of_a_batch_do_not_meet() -> None:
    batch = np.stack([problem("independent", 3, seed)[0] for seed in range(5)])
    target = problem("independent", 3, 0)[1]
    together = nonnegative_least_squares(batch, target)
    for basis, row in zip(batch, together, strict=True):
        np.testing.assert_allclose(nonnegative_least_squares(basis[None], target)[0], row, rtol=1e-12)


@pytest.mark.parametrize("kind", ["independent", "collinear", "all negative"])
def test_many_coefficients_come_near_to_scipy(kind: str) -> None:
    for seed in range(4):
        basis, target = problem(kind, 8, seed)
        found = nonnegative_least_squares(basis[None], target)[0]
        assert (found >= 0).all()
        assert np.linalg.norm(basis @ found - target) == pytest.approx(nnls(basis, target)[1], rel=1e-3)


@pytest.mark.parametrize("signed", [(), (0,), (1, 3), (0, 1, 2, 3)])
def test_some_coefficients_may_have_either_sign(signed: tuple[int, ...]) -> None:
    free = np.isin(np.arange(4), signed)
    for seed in range(6):
        basis, target = problem("independent", 4, seed)
        expected = lsq_linear(basis, target, (np.where(free, -np.inf, 0.0), np.full(4, np.inf)), tol=1e-14).x
        found = mixed_least_squares(basis[None], target, free)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
