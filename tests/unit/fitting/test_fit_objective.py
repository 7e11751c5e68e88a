"""Costs of residuals and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.errors import UserError
from scaling_core.fitting import OBJECTIVES, Objective, get_objective

EVERY = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
R = np.array([-0.5, -2e-3, -7e-4, -1e-5, 0.0, 3e-5, 9e-4, 1.5e-3, 2.0])  # off Huber's kink at 1e-3
H = 1e-7


@EVERY
def test_slope_and_bend_are_derivatives_of_the_cost(objective: Objective) -> None:
    slope = (objective.cost(R + H) - objective.cost(R - H)) / (2 * H)
    bend = (objective.slope(R + H) - objective.slope(R - H)) / (2 * H)
    np.testing.assert_allclose(objective.slope(R), slope, atol=1e-8)
    np.testing.assert_allclose(objective.bend(R), bend, atol=1e-6)


@EVERY
def test_secant_is_slope_over_residual(objective: Objective) -> None:
    apart = R[R != 0]
    np.testing.assert_allclose(objective.secant(apart), objective.slope(apart) / apart)
    assert (objective.secant(R) > 0).all()


def test_huber_is_as_published() -> None:
    """Huber 1964: r²/2 up to delta, delta(|r| − delta/2) beyond; Hoffmann et al. 2022 take delta = 1e-3 on ln L."""
    huber = get_objective("huber-log")
    assert (huber.space, huber.delta) == ("log", 1e-3)
    np.testing.assert_allclose(huber.cost(np.array([5e-4, 1e-3, -0.1])), [1.25e-7, 5e-7, 9.95e-5], rtol=1e-12)


def test_huber_is_quoted_as_a_sum_and_squared_error_as_a_mean() -> None:
    assert get_objective("huber-log").reported(3.0, 10, 2.0) == 3.0
    assert get_objective("mse-log").reported(3.0, 10, 2.0) == pytest.approx(0.6)
    assert get_objective("mse").reported(3.0, 10, 2.0) == pytest.approx(2.4)


def test_an_unknown_objective_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        get_objective("rmse")
    assert "rmse" in caught.value.what
    assert all(name in caught.value.fix for name in OBJECTIVES)
