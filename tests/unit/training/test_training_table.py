"""The comparison with a printed table: its cells, its yardsticks, and that no model is measured on what it saw."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from benchmarks.table import BUDGETS, PIECE, PRINTED, SETS, by_compressor, cells, split_files


def test_cells_are_asked_for_by_size_and_tokens() -> None:
    assert cells(["32/2:1M", "96/5:250k"]) == [("32/2", 1_000_000), ("96/5", 250_000)]
    assert len(cells(["all"])) == len(PRINTED) * len(BUDGETS) == 25
    with pytest.raises(SystemExit, match="32/2:3M"):
        cells(["32/2:3M"])


def test_the_printed_losses_fall_with_tokens_and_with_size() -> None:
    table = np.array(list(PRINTED.values()))
    assert (np.diff(table, axis=0) < 0).all()
    assert (np.diff(table, axis=1) < 0).all()


def test_the_sets_are_made_of_files_that_are_not_trained_on() -> None:
    split = split_files()
    training = split.training.tobytes()
    for name, data in split.held_out.items():
        middle = data[data.size // 2 :][:4096].tobytes()
        assert middle not in training, name
    assert split.held_out["larger"].size > split.held_out["ours"].size + split.held_out["second"].size
    assert set(SETS["ours"] + SETS["second"]) < set(SETS["larger"])


def test_a_compressor_is_given_whole_pieces() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 3 * PIECE + 5, dtype=np.uint8)
    assert by_compressor(noise, gzip.compress) == pytest.approx(8, rel=0.01)
    assert by_compressor(np.zeros(2 * PIECE, np.uint8), zlib.compress) == 8 * len(zlib.compress(bytes(PIECE))) / PIECE
