"""Which law is recommended, and that what is recommended can be fitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_runs import chinchilla_runs, fitted, table

from scaling_core.fitting import Selection, recommend
from scaling_core.runs import RunTable, Upload, load, sample

UP = np.geomspace(1e8, 1e10, 7)
NO_LOSS = np.full(7, np.nan)


def law(runs: RunTable) -> str | None:
    found = recommend(runs)
    return found.law if found else None


@pytest.mark.parametrize(
    ("runs", "expected", "word"),
    [
        (chinchilla_runs(), "chinchilla", "vary apart"),
        (table(UP, 20 * UP, 1 / UP), "power-c-offset", "rise together"),
        (table(UP, 3e11, 1 / UP), "power-n-offset", "effect of N"),
        (table(UP[:3], 3e11, 1 / UP[:3]), "power-n", "effect of N"),
        (table(3e8, UP, 1 / UP), "power-d-offset", "effect of D"),
        (table(3e8, UP[:3], 1 / UP[:3]), "power-d", "effect of D"),
        (table(np.nan, np.nan, 1 / UP, flops=UP), "power-c-offset", ""),
        (table(UP[:5], UP[[2, 0, 4, 1, 3]], 1 / UP[:5]), "power-c-offset", "too few runs"),
        (table(UP[:3], UP[[2, 0, 1]], 1 / UP[:3], flops=UP[:3]), "power-c", "too few runs"),
        # one isoFLOP profile: N and D move apart, and the loss has a lowest point
        (table(UP, 1e20 / UP, np.linspace(3, 2, 7)), "chinchilla", "vary apart"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_recommended_law(runs: RunTable, expected: str, word: str) -> None:
    found = recommend(runs)
    assert found is not None
    assert found.law == expected
    assert word in found.reason


def test_runs_that_repeat_their_data_ask_for_the_law_of_repeats(reference: Path) -> None:
    """Muennighoff et al. 2023: 153 of 182 runs repeat their data."""
    found = recommend(load([Upload.from_path(reference / "runs" / "data_constrained_c4_182.csv")]))
    assert found is not None
    assert found.law == "data-constrained"
    assert "153 runs repeat their data (up to 9,000 passes)" in found.reason


@pytest.mark.parametrize(
    ("repeated", "expected", "word"),
    [(0, "chinchilla", "both can be fitted."), (2, "chinchilla", "2 runs repeat their data: too few"),
     (3, "data-constrained", "3 runs repeat their data (up to 5 passes)")],
)  # fmt: skip
def test_how_many_runs_must_repeat_their_data(repeated: int, expected: str, word: str) -> None:
    frame = chinchilla_runs().frame
    unique = frame["tokens"].to_numpy(dtype=float) / np.where(np.arange(len(frame)) < repeated, 5.0, 1.0)
    found = recommend(replace(chinchilla_runs(), frame=frame.assign(unique_tokens=unique)))
    assert found is not None
    assert (found.law, word in found.reason) == (expected, True)


@pytest.mark.parametrize(
    "runs",
    [
        table(UP, 20 * UP, NO_LOSS),
        table(UP[:2], 20 * UP[:2], [3.0, 2.0]),
        table([1e8, 2e8] * 4, 1e9, np.full(8, 3.0)),
        table(UP[:5], 1e20 / UP[:5], np.full(5, 3.0)),  # five runs at one C are too few for N and D, and C is no help
    ],
    ids=["no loss", "two runs", "two sizes", "one C"],
)
def test_nothing_is_recommended_where_nothing_can_be_fitted(runs: RunTable) -> None:
    assert recommend(runs) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cerebras_gpt", "power-c-offset"),  # all at 20 tokens per parameter
        ("pythia", "power-n-offset"),  # all on 300B tokens
        ("gpt3", None),
        ("chinchilla_frontier", None),
    ],
)
def test_samples(name: str, expected: str | None) -> None:
    chosen = sample(name)
    assert law(load(chosen.uploads(), chosen.overrides)) == expected


def test_checkpoints_count_only_where_there_is_nothing_else() -> None:
    one_log = table(3e8, UP, 1 / UP, run="a", is_final=[False] * 6 + [True])
    assert law(one_log) == "power-d-offset"
    ends = np.arange(14) % 2 == 1  # seven runs of two rows; with the first rows D would vary too
    D = np.where(ends, 3e11, np.tile(UP, 2))
    assert law(table(np.repeat(UP, 2), D, 1 / np.repeat(UP, 2), is_final=ends)) == "power-n-offset"


VALUE = st.sampled_from([np.nan, 1e8, 3e8, 1e9, 3e9])
ROWS = st.lists(st.tuples(VALUE, VALUE, VALUE, st.sampled_from([np.nan, 2.0, 2.5, 3.0])), min_size=1, max_size=9)


@settings(max_examples=30, deadline=None)
@given(ROWS)
@example([(1e8, 3e8, 1e9, 3.0), (3e8, 1e8, 3e9, 2.5), (1e9, 1e9, 1e8, 2.0)] * 2)  # three places only
@example([(1e8, 1e9, np.nan, 3.0), (3e8, 1e9, np.nan, 2.5), (1e9, 1e9, np.nan, 2.0), (np.nan, 1e9, np.nan, 2.0)])
def test_whatever_is_recommended_can_be_fitted(rows: list[tuple[float, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["params", "tokens", "flops", "loss"])
    runs = table(frame["params"], frame["tokens"], frame["loss"], flops=frame["flops"])
    if found := recommend(runs):
        assert fitted(runs, found.law, "mse-log", selection=Selection()).n_points >= 3
