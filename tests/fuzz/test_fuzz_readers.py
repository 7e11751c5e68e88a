"""Damaged files of every format: a table that makes sense, or an error in words."""

from __future__ import annotations

import pytest
from fuzz_readers import answer, case, readers_met

from scaling_core.runs import READERS

TOGETHER = 31


def test_there_is_a_sample_for_every_reader() -> None:
    assert {reader.name for reader in READERS} - readers_met() == set()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, 279, TOGETHER))
def test_damaged_files(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        made = case(seed)
        try:
            answer(made)
        except Exception as error:
            pytest.fail(
                f"{type(error).__name__}: {error} ({made.name})\n"
                f"Look at it with: python -m tests.fuzz_readers --seed {seed}"
            )
