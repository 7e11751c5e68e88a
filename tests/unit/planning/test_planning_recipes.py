"""Published rules for learning rate and batch, each to its printed values."""

from __future__ import annotations

import numpy as np
import pytest
from printed_values import all_printed, printed

from scaling_core.errors import UserError
from scaling_core.planning.recipes import (
    deepseek_batch_tokens,
    deepseek_learning_rate,
    kaplan_critical_batch,
    kaplan_learning_rate,
    porian_batch_tokens,
    porian_learning_rate,
    recipes,
    step_law_batch_tokens,
    step_law_learning_rate,
)


@pytest.mark.parametrize(
    ("n", "d", "values"),
    [(1e9, 2e10, "0.00099602; 4.4189e+05"), (7e9, 1.4e12, "0.00091656; 4.9988e+06")],
)
def test_step_law(n: float, d: float, values: str) -> None:
    """By the constants as printed in the paper; unrounded ones (1.797, −.7129, .3075) give a rate 2% higher."""
    assert [step_law_learning_rate(n, d), step_law_batch_tokens(d)] == all_printed(values)


@pytest.mark.parametrize(
    ("c", "values"),
    [
        (1e18, "0.0017534; 2.2552e+05"),
        (1e20, "0.000986; 1.0171e+06"),
        (1e22, "0.00055447; 4.5876e+06"),
    ],
)
def test_deepseek(c: float, values: str) -> None:
    found = [deepseek_learning_rate(c), deepseek_batch_tokens(c)]
    assert found == all_printed(values)


@pytest.mark.parametrize(
    ("loss", "tokens"), [(4, "2.7169e+05"), (3, "1.0691e+06"), (2.5, "2.5473e+06"), (2, "7.3715e+06")]
)
def test_critical_batch(loss: float, tokens: str) -> None:
    """Kaplan et al. 2020: B* = 2e8 tokens, α_B = 0.21."""
    assert kaplan_critical_batch(loss) == printed(tokens)


def test_kaplan_learning_rate() -> None:
    """0.003239 − 0.0001395 ln N: 3.5e-4 at 1B, and nothing left past 1.2e10."""
    assert kaplan_learning_rate(1e9) == pytest.approx(0.003239 - 0.0001395 * 9 * np.log(10))
    assert kaplan_learning_rate(np.array([1e10, 1.3e10]))[1] < 0 < float(kaplan_learning_rate(1e10))


def test_porian() -> None:
    assert porian_learning_rate(1e8) == pytest.approx(3.7 * 10**-2.88)
    assert porian_batch_tokens(1e8) == pytest.approx(0.00037 * 10**5.624 * 2048)


def test_side_by_side_with_where_each_holds() -> None:
    step, deepseek, porian, kaplan = recipes(1e9, 2e10)
    assert [r.inside for r in (step, deepseek, porian, kaplan)] == [True, False, False, True]
    assert "C = 1.2e20 lies outside the runs of this rule (1e17 to 2e19)." in deepseek.notes
    assert "N = 1.00B lies outside the runs of this rule (5.00M to 901M)." in porian.notes
    assert step.steps == pytest.approx(2e10 / 4.4189e5, rel=1e-4)
    assert kaplan.batch_tokens is None
    assert all("arXiv" in r.source and r.notes for r in (step, deepseek, porian, kaplan))
    rates = [r.learning_rate for r in (step, deepseek, porian, kaplan)]
    assert max(rates) / min(rates) > 6  # type: ignore[type-var, operator]


def test_a_rule_that_breaks_down_says_so() -> None:
    kaplan = recipes(7e10, 1.4e12)[-1]
    assert kaplan.learning_rate is None
    assert "The rule has no learning rate above zero here." in kaplan.notes


def test_counted_compute_is_used_where_it_is_given() -> None:
    assert recipes(1e9, 2e10, 2.4e20)[1].learning_rate == pytest.approx(0.3118 * 2.4e20**-0.125)


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(UserError, match="number of tokens"):
        recipes(1e9, 0)
    with pytest.raises(UserError, match="loss"):
        kaplan_critical_batch(0.0)
