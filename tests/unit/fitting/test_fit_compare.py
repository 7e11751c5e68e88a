"""Laws side by side: ranked by what they foretold, scored by likelihoods that can be checked in closed form."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from made_runs import chinchilla_runs, fitted, table
from scipy import integrate, optimize

from scaling_core.errors import UserError
from scaling_core.fitting import Selection, get_objective, pose
from scaling_core.fitting.backtest import hold_out
from scaling_core.fitting.compare import compare
from scaling_core.fitting.criteria import information_criteria, log_likelihood
from scaling_core.laws import LAWS, get_law

HUBER, SQUARED = get_objective("huber-log"), get_objective("mse-log")
NOISY = chinchilla_runs(0.01, seed=3)
GOPHER = 5.76e23
FEW = [get_law(name) for name in ("power-n", "chinchilla", "power-c-offset", "power-d")]


def test_no_law_is_dropped() -> None:
    """Six runs are too few for most laws, and say nothing of repeated data or of accuracy."""
    found = compare(chinchilla_runs(0.002, sizes=3, lengths=2), SQUARED, target_flops=GOPHER)
    assert sorted(c.law.name for c in found) == sorted(LAWS)
    assert all(c.fitted or c.reason for c in found)
    unfitted = [not c.fitted for c in found]
    assert 0 < sum(unfitted) < len(found)
    assert unfitted == sorted(unfitted)  # those come last


def test_best_is_what_foretold_best() -> None:
    names = ("power-n-offset", "log-d", "kaplan", "chinchilla", "power-c-offset", "multiplicative", "chinchilla-tied")
    found = compare(chinchilla_runs(0.002, seed=1), SQUARED, laws=[get_law(name) for name in names])
    errors = [c.held_out_error for c in found]
    assert errors == sorted(errors)
    place = {c.law.name: i for i, c in enumerate(found)}
    assert place["chinchilla"] < place["power-c-offset"] < place["power-n-offset"]
    best = found[place["chinchilla"]]
    assert best.held_out_error < 0.004  # twice the noise
    assert best.certificate.grade == "good"


def test_a_comparison_says_what_a_fit_and_a_backtest_say() -> None:
    found = {c.law.name: c for c in compare(NOISY, HUBER, laws=FEW, above=1e21, target_flops=GOPHER)}
    for name, c in found.items():
        full = fitted(NOISY, name)
        assert list(c.parameters.values()) == pytest.approx(list(full.theta), rel=1e-5)
        assert c.full.total == pytest.approx(full.value, rel=1e-8)
        assert (c.certificate.grade, c.certificate.reasons) == (full.certificate.grade, full.certificate.reasons)
        assert c.in_sample_error == pytest.approx(np.log1p(full.points["residual"]).abs().mean(), rel=1e-5)
        alone = hold_out(pose(get_law(name), NOISY, HUBER), above=1e21)
        assert c.held_out_error == pytest.approx(alone.error, rel=1e-6)
        assert c.held_out.bias == pytest.approx(alone.bias, rel=1e-5)
        assert (c.held_out.n_train, c.held_out.n_test, c.n) == (alone.n_train, alone.n_test, len(NOISY.frame))
    best = get_law("chinchilla").optimum(fitted(NOISY).theta, np.array([GOPHER]))
    assert found["chinchilla"].target.params == pytest.approx(best.params[0], rel=1e-5)
    assert found["chinchilla"].target.loss == pytest.approx(best.loss[0], rel=1e-6)
    assert math.isnan(found["power-c-offset"].target.tokens_per_param)
    assert found["power-c-offset"].target.loss > 1


def test_criteria_count_parameters_and_runs() -> None:
    found = {c.law.name: c for c in compare(NOISY, SQUARED, laws=FEW, above=1e21)}
    n = len(NOISY.frame)
    for name, k in (("chinchilla", 6), ("power-n", 3)):  # one more for the scale
        c = found[name]
        residuals = np.log1p(fitted(NOISY, name, "mse-log").points["residual"].to_numpy())
        variance = np.mean(residuals**2)
        minus_two = n * math.log(2 * math.pi * variance) + n  # the normal distribution, variance by maximum likelihood
        assert c.criteria.free == k
        assert c.criteria.aic == pytest.approx(minus_two + 2 * k, rel=1e-6)
        assert c.criteria.aicc == pytest.approx(minus_two + 2 * k + 2 * k * (k + 1) / (n - k - 1), rel=1e-6)
        assert c.criteria.bic == pytest.approx(minus_two + k * math.log(n), rel=1e-6)
    assert found["chinchilla"].criteria.aicc < found["power-c-offset"].criteria.aicc < found["power-n"].criteria.aicc


def residuals(seed: int = 0) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_t(3, size=50)


def test_the_likelihood_of_absolute_errors_is_laplace() -> None:
    r = residuals()
    objective = get_objective("mae-log")
    scale = np.abs(r).mean()
    expected = -len(r) * (math.log(2 * scale) + 1)
    assert log_likelihood(objective, float(objective.cost(r).sum()), len(r)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("delta", [1e-3, 1e-2])
def test_the_likelihood_of_huber_is_a_density(delta: float) -> None:
    """Against quadrature of exp(−ρ/τ) and a search for the best τ."""
    r = residuals(1)
    objective = HUBER.with_delta(delta)
    total = float(objective.cost(r).sum())

    def negative(log_tau: float) -> float:
        tau = math.exp(log_tau)
        weight = lambda x: math.exp(-float(objective.cost(np.array(x))) / tau)  # noqa: E731
        inside = integrate.quad(weight, -delta, delta)[0]
        outside = 2 * integrate.quad(weight, delta, np.inf, epsabs=0)[0]
        return len(r) * math.log(inside + outside) + total / tau

    centre = math.log(total / len(r))
    best = optimize.minimize_scalar(
        negative, bounds=(centre - 2, centre + 2), method="bounded", options={"xatol": 1e-9}
    )
    assert log_likelihood(objective, total, len(r)) == pytest.approx(-best.fun, rel=1e-7)


def test_criteria_where_there_is_nothing_to_divide_by() -> None:
    assert information_criteria(SQUARED, 1.0, 6, 4).aicc == math.inf
    exact = information_criteria(SQUARED, 0.0, 20, 3)
    assert math.isfinite(exact.aic)
    assert exact.aic < information_criteria(SQUARED, 1e-9, 20, 3).aic


def test_a_law_with_too_few_runs_below_the_cut_is_fitted_but_not_judged() -> None:
    N = np.array([1e7, 1e8, 1e9, 3e7, 3e8, 3e9, 1e8, 1e9])
    D = np.array([1e9, 2e9, 3e9, 9e9, 5e9, 8e9, 2e10, 4e10])
    few = table(N, D, 1.8 + 400 / N**0.34 + 2000 / D**0.36)
    found = compare(few, SQUARED, laws=FEW, above=1e19)
    place = {c.law.name: i for i, c in enumerate(found)}
    split = found[place["chinchilla"]]
    assert split.fitted
    assert split.held_out is None
    assert "Below 1e19 FLOPs" in split.reason
    assert place["power-c-offset"] < place["chinchilla"] == 3  # judged laws come first


def test_a_law_that_reads_what_only_some_runs_have_says_so() -> None:
    tokens = NOISY.frame["tokens"].to_numpy().copy()
    tokens[3:5] = np.nan
    runs = table(NOISY.frame["params"], tokens, NOISY.frame["loss"], NOISY.frame["flops"])
    found = {c.law.name: c for c in compare(runs, SQUARED, laws=FEW)}
    assert "Only 34 of 36 runs" in found["chinchilla"].reason
    assert found["power-n"].reason == ""


def test_figures_become_json() -> None:
    for c in compare(NOISY, HUBER, laws=[*FEW, get_law("data-constrained")], above=1e21):
        data = json.loads(json.dumps(c.to_json()))
        assert data["law"] == c.law.name
        if not c.fitted:
            assert "unique_tokens" in data["error"]
            continue
        assert data["held_out_error"] == c.held_out_error
        assert data["certificate"]["grade"] == c.certificate.grade
        assert {"held_out_bias", "in_sample_error", "aicc", "bic", "parameters", "params", "tokens",
                "tokens_per_param", "loss", "n_train", "n_test"} <= set(data)  # fmt: skip


def test_runs_without_loss_or_compute_are_refused() -> None:
    nothing = table(1e8, 1e10, np.full(9, np.nan))
    with pytest.raises(UserError, match="no loss"):
        compare(nothing, HUBER)
    with pytest.raises(UserError, match="held out by their compute"):
        compare(table(1e8, 1e10, np.ones(9), flops=np.nan), HUBER)
    with pytest.raises(UserError, match="compute"):
        compare(NOISY, HUBER, Selection(box=Selection.parse_box("flops:1e30:1e31")))
