"""Two thousand random data sets, each answered by an honest fit or in words; a tenth judged thoroughly."""

from __future__ import annotations

import pytest
from fuzz_fit import case, check

TOGETHER = 100


@pytest.mark.parametrize("first", range(0, 2000, TOGETHER))
def test_two_thousand_random_data_sets(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        made = case(seed)
        try:
            check(made, thorough=seed % 10 == 0)
        except Exception as error:
            pytest.fail(
                f"{type(error).__name__}: {error}\n{made.law.name}, {made.objective.name}, {made.story}\n"
                f"Look at it with: python -m tests.fuzz_fit --seed {seed}"
            )
