"""Every law finds its own parameters in noiseless runs that it made, whatever they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_truths import RANGES, family, runs_for, truth
from made_runs import table

from scaling_core.fitting import fit, get_objective
from scaling_core.laws import LAWS, Array, Law
from scaling_core.runs import RunTable

#: Any objective is zero at the truth; the squared one comes there in the fewest steps.
SQUARED = get_objective("mse-log")


def made(x: dict[str, Array], loss: Array) -> RunTable:
    """Runs with these predictors; what the law does not read is the same for all."""
    columns = {**dict.fromkeys(("params", "tokens", "flops"), 1e9), **x}
    own = {name: columns[name] for name in columns if name not in ("params", "tokens", "flops")}
    return table(columns["params"], columns["tokens"], loss, flops=columns["flops"], **own)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@settings(max_examples=2, deadline=None)
@given(data=st.data())
def test_a_law_recovers_its_own_parameters(law: Law, data: st.DataObject) -> None:
    """To 1e-6 of each: on these runs, which show every part of the law, no parameter is weak."""
    names = law.parameter_names
    shares = data.draw(st.lists(st.floats(0, 1), min_size=len(names), max_size=len(names)))
    x = runs_for(law)
    theta = truth(law, x, np.array(shares))
    found = fit(law, made(x, law.predict(theta, x)), SQUARED, resamples=0)
    np.testing.assert_allclose(found.theta, theta, rtol=1e-6)
    assert found.certificate.starts_agreeing >= 3


def test_the_ranges_name_the_parameters_of_their_laws() -> None:
    for law in LAWS.values():
        own = ["x_c", "alpha_x"] if family(law) == "kaplan" else list(law.parameter_names)
        assert list(RANGES[family(law)]) == own
