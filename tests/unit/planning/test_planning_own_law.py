"""Plans with a formula of one's own that reads C or U beside, or in place of, N and D."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_core.laws import Law
from scaling_core.laws.custom import custom_law
from scaling_core.planning import Basis, Demand, Scenario, plan

#: E, A, B, alpha, beta.
VALUES = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36}
PLAIN = "E + A/N**alpha + B/D**beta"
#: The same loss, with N·D written as C/6.
IN_C = "E + A/N**alpha + B/(C/(6*N))**beta"


def basis_of(text: str, **more: float) -> Basis:
    law: Law = custom_law(text)
    theta = np.array([{**VALUES, **more}[name] for name in law.parameter_names])
    return Basis(law.title, law, theta, np.zeros((0, len(theta))), {}, {}, (), "written down")


@pytest.mark.parametrize("unique", [math.inf, 5e9])
@pytest.mark.parametrize("asked", [{"flops": 1e21}, {"loss": 2.6}, {"flops": 1e21, "demand": Demand(1e12)}])
def test_a_law_in_n_and_c_plans_as_the_same_law_in_n_and_d(unique: float, asked: dict) -> None:
    scenario = Scenario(**asked, unique_tokens=unique)
    same, other = plan(basis_of(PLAIN), scenario), plan(basis_of(IN_C), scenario)
    assert (other.params, other.tokens, other.loss) == pytest.approx((same.params, same.tokens, same.loss), rel=1e-4)


@pytest.mark.parametrize("size", [None, 1e9])
def test_a_law_that_reads_u_says_itself_what_repeats_are_worth(size: float | None) -> None:
    """B/(U^q·D^(1−q))^beta on a dense grid of N, written out again; no other decay is laid on top."""
    basis = basis_of("E + A/N**alpha + B/(U**q*D**(1-q))**beta", q=0.4)
    answer = plan(basis, Scenario(1e22, unique_tokens=5e9, params=size))
    N = np.geomspace(1e8, 1e12, 40_001) if size is None else np.array([size])
    D = 1e22 / 6 / N
    loss = 1.7 + 400 / N**0.34 + 2000 / (np.minimum(D, 5e9) ** 0.4 * D**0.6) ** 0.36
    assert answer.loss == pytest.approx(loss.min(), rel=1e-8)
    assert answer.params == pytest.approx(N[np.argmin(loss)], rel=1e-3)
    assert answer.epochs is not None
    assert answer.epochs > 1
    assert not any("Muennighoff" in note for note in answer.notes)
