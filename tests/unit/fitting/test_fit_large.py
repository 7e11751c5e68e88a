"""Many runs are summed over in blocks, and their starts race on a sample: neither may show in the result."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import chinchilla_loss, chinchilla_runs, fitted, grid, noise, noisy_fit, table

from scaling_core.fitting.solver import sample


@pytest.mark.parametrize("times", [60, 130], ids=["blocks", "blocks and a race"])
@pytest.mark.parametrize("objective", ["huber-log", "mse"])
def test_runs_given_many_times_over_give_the_same_law(times: int, objective: str) -> None:
    one = chinchilla_runs(0.01).frame
    again = np.repeat(np.arange(len(one)), times)
    many = fitted(table(*(one[c].to_numpy()[again] for c in ("params", "tokens", "loss"))), objective=objective)
    alone = noisy_fit("chinchilla", objective)
    np.testing.assert_allclose(many.theta, alone.theta, rtol=1e-6)
    assert many.value == pytest.approx(alone.value * (times if objective == "huber-log" else 1), rel=1e-9)
    assert many.certificate.starts_agreeing > 20


def test_checkpoints_of_few_runs_are_sampled_without_their_rhythm() -> None:
    """Each of 60 places in a run is met about equally often, and the same ones every time."""
    kept = sample(240_000)
    met = np.bincount(np.flatnonzero(kept) % 60, minlength=60)
    assert kept.sum() == 4000
    assert met.min() > 35
    assert (kept == sample(240_000)).all()
    assert sample(3000).all()


def test_a_bootstrap_of_many_rows_is_as_wide_as_the_scatter_says() -> None:
    """Squared error on ln L: the draws spread like the covariance of the linearised law, s²(JᵀJ)⁻¹."""
    N, D = (np.tile(v, 50) for v in grid())
    result = fitted(table(N, D, chinchilla_loss(N, D) * noise(len(N), 0.01)), objective="mse-log", resamples=150)
    x = {"params": N, "tokens": D}
    jac = result.law.jacobian(result.theta, x) / result.law.predict(result.theta, x)[:, None]
    expected = 0.01 * np.sqrt(np.diag(np.linalg.inv(jac.T @ jac)))
    found = np.array(list(result.standard_errors().values()))
    np.testing.assert_allclose(found[[0, 3, 4]], expected[[0, 3, 4]], rtol=0.25)
