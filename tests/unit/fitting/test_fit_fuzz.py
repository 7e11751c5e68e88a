"""Whatever the runs are like, the answer is a fit with an honest certificate or an error in words.

``python -m tests.fuzz_fit`` tries as many more as there is time for.
"""

from __future__ import annotations

from functools import cache

import pytest
from fuzz_fit import case, check

from scaling_core.fitting import FitResult

#: Cases of one test, few enough to see quickly which failed.
TOGETHER = 25
#: Seeds of cases that once ended in a warning, another exception or a number that was not finite.
ONCE_WRONG = (1932, 4, 21, 36, 42, 65, 117, 5308, 5331, 5694, 10584, 1000452, 1000680)


@pytest.mark.parametrize("first", range(0, 50, TOGETHER))
def test_random_runs_are_answered_honestly(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        answered_honestly(seed, thorough=seed % 10 == 0)


@pytest.mark.parametrize("seed", ONCE_WRONG)
def test_runs_that_once_were_answered_wrongly(seed: int) -> None:
    answered_honestly(seed, thorough=True)


def test_cases_are_of_all_kinds() -> None:
    """The random cases hold good fits, doubtful ones and refusals: a check that meets none of a kind checks nothing."""
    kinds = {answered_honestly(seed, thorough=seed % 10 == 0) for seed in range(30)}
    assert {"good", "doubtful", "refused"} <= kinds


@cache
def answered_honestly(seed: int, thorough: bool) -> str:
    """Answer a case, fail where the answer is not honest, and say of which kind it is."""
    made = case(seed)
    try:
        found = check(made, thorough)
    except Exception as error:
        pytest.fail(
            f"{type(error).__name__}: {error}\n{made.law.name}, {made.objective.name}, {made.story}, {made.options}\n"
            f"Look at it with: python -m tests.fuzz_fit --seed {seed}"
        )
    return found.certificate.grade if isinstance(found, FitResult) else "refused"
