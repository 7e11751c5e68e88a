"""Which rows of a run are fitted, and what flags leave out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scaling_core.errors import UserError
from scaling_core.fitting import BY_SETTING, EXCLUDED, FITTED, Selection, roles
from scaling_core.fitting.options import point_weights
from scaling_core.runs import RunTable


def checkpoints() -> RunTable:
    """Two runs of five checkpoints; the first was best before its end."""
    loss = [5.0, 4.0, 3.0, 3.5, 3.6, 6.0, 5.0, 4.5, 3.8, 3.5]
    steps = np.tile([100.0, 200, 300, 400, 500], 2)
    frame = pd.DataFrame(
        {
            "run": ["a"] * 5 + ["b"] * 5, "params": [1e8] * 5 + [2e8] * 5, "tokens": steps * 1e6,
            "flops": 1e18, "loss": loss, "step": steps, "file": "a.csv", "is_final": steps == 500,
        }
    )  # fmt: skip
    return RunTable(frame, pd.DataFrame(), (), ())


def fitted(**how) -> list[int]:
    role = roles(checkpoints(), Selection(**how), ("params",))
    assert set(role) <= {FITTED, EXCLUDED}
    return np.flatnonzero(role == FITTED).tolist()


def test_rows_of_a_run() -> None:
    assert fitted() == [4, 9]
    assert fitted(checkpoints="best") == [2, 9]
    assert fitted(checkpoints="last:2") == [3, 4, 8, 9]
    assert fitted(checkpoints="last:99") == fitted(checkpoints="all") == [*range(10)]


def test_the_warm_up_is_left_out_but_never_the_end() -> None:
    assert fitted(checkpoints="all", warm_up=0.5) == [2, 3, 4, 7, 8, 9]
    assert fitted(checkpoints="last:4", warm_up=0.9) == [4, 9]
    assert fitted(warm_up=0.9) == [4, 9]
    assert fitted(checkpoints="best", warm_up=0.7) == [3, 9]


def test_flagged_rows_are_left_out_only_where_asked() -> None:
    assert fitted(leave_out=("diverged",)) == [9]  # run a ends at 3.6 after 3.0
    assert fitted(leave_out=("spike", "duplicate")) == [4, 9]


@pytest.mark.parametrize(
    "how", [{"checkpoints": "last:0"}, {"checkpoints": "first"}, {"warm_up": 1.0}, {"leave_out": ("x",)}]
)
def test_what_is_no_choice_is_refused(how) -> None:
    with pytest.raises(UserError) as caught:
        Selection(**how)
    assert caught.value.fix


def test_seeds_of_one_setting_can_count_as_one() -> None:
    rows = pd.DataFrame({"params": [1e8, 1e8, 1e8, 2e8], "tokens": 1e9, "flops": 1e18})
    weights = point_weights(rows, BY_SETTING)
    assert weights.mean() == pytest.approx(1)
    assert weights / weights[3] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])
