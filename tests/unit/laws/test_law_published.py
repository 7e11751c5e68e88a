"""Published laws give their published numbers, to the digits printed."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.laws import get_law
from scaling_core.laws.data_constrained import _effective

#: Constants by source; E, A, B, alpha, beta.
HOFFMANN_PRINTED = (1.69, 406.4, 410.7, 0.34, 0.28)  # arXiv 2203.15556, appendix D.2
HOFFMANN = (1.69337368, 406.401018, 410.722827, 0.33917084, 0.2849083)  # the same, from its TeX source
DE_VRIES = (1.69, 406.4, 410.7, 0.336, 0.283)  # De Vries 2023, as in Sardana et al., arXiv 2401.00448
BESIROGLU = (1.8172, 482.01, 2085.43, 0.3478, 0.3658)  # arXiv 2404.10102
#: arXiv 2305.16264, with the digits of huggingface/datablations: E, A and B by their logarithms (they are printed as
#: 1.86914, 520.825 and 1487.716), then R_D* and R_N*.
MUENNIGHOFF = (*np.exp((0.6254804, 6.255414, 7.3049974)), 0.3526596, 0.3526596)
DATABLATIONS = (*MUENNIGHOFF, 15.387756, 5.309743)
GADRE_C4 = (1.5083, 141.28, 189.52, 0.12124)  # arXiv 2403.08540: E, a, b, eta, re-fitted with mlfoundations/scaling
GADRE_REDPAJAMA = (1.8366, 212.24, 366.69, 0.13643)
GADRE_REFINEDWEB = (1.7345, 157.12, 246.21, 0.12720)
KAPLAN = (8.8e13, 5.4e13, 0.076, 0.095)  # arXiv 2001.08361: N_c, D_c, alpha_N, alpha_D


def _split(flops: float, ratio: float) -> tuple[float, float]:
    """N and D with C = 6ND and D/N = ratio."""
    return (flops / 6 / ratio) ** 0.5, (flops / 6 * ratio) ** 0.5


@pytest.mark.parametrize(
    ("theta", "flops", "params", "tokens", "ratio", "loss"),
    [
        (HOFFMANN_PRINTED, 1e19, 2.27956e08, 7.31136e09, 32.0736, 2.985741),
        (HOFFMANN_PRINTED, 1e21, 1.82422e09, 9.13634e10, 50.0836, 2.328883),
        (HOFFMANN_PRINTED, 5.76e23, 3.21899e10, 2.98231e12, 92.6474, 1.930748),
        (HOFFMANN_PRINTED, 1e25, 1.16823e11, 1.42666e13, 122.1215, 1.845320),
        (HOFFMANN, 1e19, 2.70835e08, 6.1538e09, 22.7216, 2.921836),
        (HOFFMANN, 1e21, 2.21695e09, 7.51782e10, 33.9106, 2.295491),
        (HOFFMANN, 5.76e23, 4.03609e10, 2.37854e12, 58.9317, 1.918412),
        (HOFFMANN, 1e25, 1.48546e11, 1.12199e13, 75.5314, 1.838024),
        (DE_VRIES, 1e19, 2.77898e08, 5.99741e09, 21.5813, 2.983339),
        (DE_VRIES, 1e21, 2.28173e09, 7.30441e10, 32.0127, 2.327502),
        (DE_VRIES, 5.76e23, 4.17156e10, 2.3013e12, 55.1664, 1.930125),
        (DE_VRIES, 1e25, 1.53822e11, 1.0835e13, 70.4385, 1.844889),
        (BESIROGLU, 1e19, 2.62168e08, 6.35724e09, 24.2487, 2.927103),
        (BESIROGLU, 1e21, 2.77846e09, 5.99853e10, 21.5894, 2.305529),
        (BESIROGLU, 5.76e23, 7.22487e10, 1.32874e12, 18.3912, 1.974441),
        (BESIROGLU, 1e25, 3.1207e11, 5.34068e12, 17.1137, 1.911729),
        (MUENNIGHOFF, 1e19, 2.91509e08, 5.71738e09, 19.6130, 2.947050),
        (MUENNIGHOFF, 1e21, 2.91509e09, 5.71738e10, 19.6130, 2.347687),
        (MUENNIGHOFF, 5.76e23, 6.99622e10, 1.37217e12, 19.6130, 2.025162),
        (MUENNIGHOFF, 1e25, 2.91509e11, 5.71738e12, 19.6130, 1.963463),
    ],
)
def test_the_best_split_of_chinchilla_laws(
    theta: tuple[float, ...], flops: float, params: float, tokens: float, ratio: float, loss: float
) -> None:
    best = get_law("chinchilla").optimum(theta, [flops])
    assert best.params[0] == pytest.approx(params, rel=3e-6)
    assert best.tokens[0] == pytest.approx(tokens, rel=6e-6)
    assert best.tokens[0] / best.params[0] == pytest.approx(ratio, abs=6e-5)
    assert best.loss[0] == pytest.approx(loss, abs=6e-7)
    if theta is MUENNIGHOFF:
        tied = get_law("chinchilla-tied").optimum(theta[:4], [flops])
        np.testing.assert_allclose(np.array(tied), np.array(best), rtol=1e-12)


def test_chinchilla_for_thirty_billion_parameters() -> None:
    """nikhilsardana/beyond-chinchilla, README: D = 1.556e12, L = 1.958253360476, 2.801e23 FLOPs."""
    law = get_law("chinchilla")
    _, A, B, alpha, beta = DE_VRIES
    tokens = (beta * B / (alpha * A) * 30e9**alpha) ** (1 / beta)  # where the marginal losses are equal
    best = law.optimum(DE_VRIES, [6 * 30e9 * tokens])
    assert best.params[0] == pytest.approx(30e9, rel=1e-12)
    assert best.tokens[0] == pytest.approx(1.556e12, rel=4e-4)
    assert best.loss[0] == pytest.approx(1.958253360476, abs=6e-13)
    assert 6 * 30e9 * tokens == pytest.approx(2.801e23, rel=2e-4)


@pytest.mark.parametrize(
    ("law", "theta", "x", "loss"),
    [
        # huggingface/datablations, README
        ("data-constrained", DATABLATIONS, (6.34e9, 242e9, 25e9), 2.2256440889984477),
        ("data-constrained", DATABLATIONS, (8.67e9, 178e9, 25e9), 2.2269634075087867),
        # Gadre et al. 2024: C = 6·1.4e9·900e9 at M = 640, and 6·6.9e9·138e9 at M = 20
        ("over-training", GADRE_C4, _split(6 * 1.4e9 * 900e9, 640), 2.3892),
        ("over-training", GADRE_C4, _split(6 * 6.9e9 * 138e9, 20), 2.2795),
        ("over-training", GADRE_REDPAJAMA, _split(6 * 1.4e9 * 900e9, 640), 2.5245),
        ("over-training", GADRE_REDPAJAMA, _split(6 * 6.9e9 * 138e9, 20), 2.4423),
        ("over-training", GADRE_REFINEDWEB, _split(6 * 1.4e9 * 900e9, 640), 2.5020),
        ("over-training", GADRE_REFINEDWEB, _split(6 * 6.9e9 * 138e9, 20), 2.4147),
        # the same, from those losses to the error on 17 tasks: epsilon, k, gamma
        ("metric-exponential", (0.8497, 2.0789, 0.7561), (2.3892,), 0.5083),
        ("metric-exponential", (0.8497, 2.0789, 0.7561), (2.2795,), 0.4788),
        ("metric-exponential", (0.8570, 2.2065, 0.7146), (2.5245,), 0.4937),
        ("metric-exponential", (0.8570, 2.2065, 0.7146), (2.4423,), 0.4717),
        ("metric-exponential", (0.8653, 2.2148, 0.7070), (2.5020,), 0.4876),
        ("metric-exponential", (0.8653, 2.2148, 0.7070), (2.4147,), 0.4636),
        # Kaplan et al. 2020
        ("kaplan-n", (8.8e13, 0.076), (1e8,), 2.82996),
        ("kaplan-n", (8.8e13, 0.076), (1e9,), 2.37564),
        ("kaplan", KAPLAN, (1e9, 1e10), 2.48384),
        # Busbridge et al. 2025, arXiv 2502.08606, table 6
        ("gamma", (1.220, 3355, 18186, 0.408, 0.431, 0.452), (1e9, 20e9), 2.37469),
        ("gamma", (1.220, 3355, 18186, 0.408, 0.431, 0.452), (7e9, 1.4e11), 2.01881),
        # Krajewski et al. 2024, arXiv 2402.07871, table 1, dense: c + a/N^alpha + b/D^beta
        ("chinchilla", (0.47, 16.3, 26.7, 0.126, 0.127), (1e9, 20e9), 2.98031),
    ],
)
def test_losses(law: str, theta: tuple[float, ...], x: tuple[float, ...], loss: float) -> None:
    found = get_law(law)
    got = found.predict(theta, {n: np.array([v]) for n, v in zip(found.predictors, x, strict=True)})[0]
    assert got == pytest.approx(loss, abs=0.6 * 10.0 ** -min(len(str(loss).split(".")[1]), 14))


def test_the_additive_power_is_the_gamma_form_in_other_parameters() -> None:
    E, A, B, alpha, beta, gamma = 1.220, 3355.0, 18186.0, 0.408, 0.431, 0.452
    x = {"params": np.geomspace(1e8, 1e11, 5), "tokens": np.geomspace(1e12, 1e10, 5)}
    other = get_law("additive-power").predict((E, A**gamma, B / A, alpha, beta, gamma), x)
    np.testing.assert_allclose(other, get_law("gamma").predict((E, A, B, alpha, beta, gamma), x), rtol=1e-13)


def test_over_training_is_the_tied_chinchilla_law_in_other_parameters() -> None:
    """Gadre et al. 2024, appendix: alpha = 2·eta, a = A·6^eta, b = B·6^eta."""
    E, A, B, alpha = 1.87, 520.8, 1487.7, 0.3527
    x = {"params": np.geomspace(1e8, 1e11, 5), "tokens": np.geomspace(1e12, 1e10, 5)}
    other = get_law("over-training").predict((E, A * 6 ** (alpha / 2), B * 6 ** (alpha / 2), alpha / 2), x)
    np.testing.assert_allclose(other, get_law("chinchilla-tied").predict((E, A, B, alpha), x), rtol=1e-13)


def test_the_broken_law_with_the_published_constants_of_its_first_figure() -> None:
    """Caballero et al. 2022: the formula written out, before, at and beyond the break."""
    a, b, c0, c1, d1, f1 = 0.4139, 2.277, 0.0551, 5.663, 612.6, 0.0592
    x = np.array([10.0, 500.0, 612.6, 700.0, 5000.0])
    expected = a + b * x**-c0 * (1 + (x / d1) ** (1 / f1)) ** (-c1 * f1)
    np.testing.assert_allclose(get_law("broken-d").predict((a, b, c0, c1, d1, f1), {"tokens": x}), expected, rtol=1e-12)


def test_repeated_tokens_are_worth_less_each_epoch() -> None:
    """D'/U_D of Muennighoff's constants, at so many epochs."""
    epochs = np.array([1.0, 2, 4, 8, 16, 40])
    worth = np.exp(_effective(np.log(epochs), np.zeros(6), 15.387756))
    np.testing.assert_allclose(worth, [1.0, 1.9682, 3.7257, 6.6241, 10.5825, 15.1675], atol=6e-5)


def test_the_split_with_25_billion_unique_tokens_is_that_of_the_published_grid() -> None:
    """huggingface/datablations at C = 1e22: a grid in D, so within a step of .1% of it and no better than ours."""
    law = get_law("data-constrained")
    best = law.optimum(DATABLATIONS, [1e22], unique_tokens=25e9)
    params, tokens = 7022364735.879969, 237336955477.55075
    assert best.params[0] == pytest.approx(params, rel=1e-3)
    assert best.tokens[0] == pytest.approx(tokens, rel=1e-3)
    assert best.tokens[0] / 25e9 == pytest.approx(9.493478, rel=1e-3)
    x = {"params": np.array([params]), "tokens": np.array([tokens]), "unique_tokens": np.array([25e9])}
    theirs = law.predict(DATABLATIONS, x)[0]
    assert best.loss[0] <= theirs <= best.loss[0] * (1 + 1e-8)


def test_m4_solves_its_own_equation() -> None:
    e, e0, a, b, c = 0.8, 10.0, 0.7, 30.0, -0.15
    for slope in (a, 1.0, 3.0):
        x = np.geomspace(1e-3, 1e15, 40)
        loss = get_law("m4-c").predict((e, e0, slope, b, c), {"flops": x})
        assert ((loss > e) & (loss < e0)).all()
        np.testing.assert_allclose((loss - e) / (e0 - loss) ** slope, b * x**c, rtol=1e-9)


def test_piecewise_is_two_lines_in_logarithms_that_meet_at_the_break() -> None:
    a, d, b0, b1 = 3.0, 1e9, 0.05, 0.3
    x = np.array([1e6, 5e8, 1e9, 2e9, 1e12])
    lines = a * np.where(x <= d, (x / d) ** -b0, (x / d) ** -b1)
    off = get_law("piecewise-n").predict((a, d, b0, b1), {"params": x}) / lines - 1
    assert np.abs(off[[0, 1, 3, 4]]).max() < 1e-6
    assert 0 < -off[2] < 0.01  # the rounded corner, (b1 − b0)·ln 2/20 below the lines


def test_shifted_without_a_shift_is_the_power_law() -> None:
    x = {"flops": np.geomspace(1e18, 1e24, 7)}
    shifted = get_law("shifted-c").predict((40.0, 0.1, 1.1, 1e-3), x)
    np.testing.assert_allclose(shifted, get_law("power-c-offset").predict((40.0, 0.1, 1.1), x), rtol=1e-13)


def test_logistic_metric_goes_between_its_two_costs() -> None:
    cost = get_law("metric-logistic").predict((0.1, 0.6, 4.0, 3.0), {"proxy_loss": np.array([1e-9, 3.0, 60.0])})
    np.testing.assert_allclose(cost, [0.1 + 0.6 / (1 + np.exp(12)), 0.4, 0.7], rtol=1e-9)
