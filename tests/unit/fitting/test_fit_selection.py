"""Which rows are fitted, held out, excluded or unusable, and the text of a box in links."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import fitted, table

from scaling_core.errors import UserError
from scaling_core.fitting import EXCLUDED, FITTED, HELD_OUT, UNUSABLE, Range, Selection, fit, get_objective, roles
from scaling_core.laws import get_law
from scaling_core.runs import Upload, flags, load

NEEDED = ("params",)
FIVE = table([1e8, 2e8, 3e8, 4e8, 5e8], 1e9, [5.0, 4.0, 3.0, 2.0, 1.0])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = st.sampled_from(["flops", "loss", "params", "tokens", "n_layers"])


def role_list(selection: Selection, runs=FIVE, needed: tuple[str, ...] = NEEDED) -> list[str]:
    return roles(runs, selection, needed).tolist()


@given(st.lists(st.builds(lambda c, a, b: Range(c, min(a, b), max(a, b)), COLUMNS, NUMBERS, NUMBERS), max_size=3))
def test_a_box_comes_back_from_its_text_to_six_digits(box: list[Range]) -> None:
    text = Selection(box=tuple(box)).format_box()
    again = Selection.parse_box(text)
    assert [r.column for r in again] == [r.column for r in box]
    for read, given_ in zip(again, box, strict=True):
        assert math.isclose(read.low, given_.low, rel_tol=1e-5)
        assert math.isclose(read.high, given_.high, rel_tol=1e-5)
    assert Selection.parse_box(Selection(box=again).format_box()) == again  # and a link's text is kept as it is


def test_text_of_a_box() -> None:
    box = (Range("flops", 1e18, 1e20), Range("loss", 2.0, 3.5))
    assert Selection(box=box).format_box() == "flops:1e+18:1e+20;loss:2:3.5"
    assert Selection.parse_box("flops:1e20:1e18;loss:2:3.5;") == box  # ends in any order
    assert Selection.parse_box("") == ()


@pytest.mark.parametrize("text", ["flops", "flops:1", "flops:a:b", ":1:2", "flops:1:2:3", "flops=1:2", "flops:1:"])
def test_text_that_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        Selection.parse_box(text)
    assert text in caught.value.what
    assert "flops:1e18:1e20" in caught.value.fix


def test_without_choices_every_run_is_fitted() -> None:
    assert role_list(Selection()) == [FITTED] * 5


def test_outside_the_box_is_held_out_and_its_ends_are_inside() -> None:
    box = (Range("params", 2e8, 4e8), Range("loss", 2.5, 9.0))
    assert role_list(Selection(box=box)) == [HELD_OUT, FITTED, FITTED, HELD_OUT, HELD_OUT]


def test_the_highest_losses_are_dropped_among_those_that_would_be_fitted() -> None:
    assert role_list(Selection(drop_highest_loss=2)) == [EXCLUDED, EXCLUDED, FITTED, FITTED, FITTED]
    boxed = Selection(drop_highest_loss=1, box=(Range("params", 2e8, 5e8),))
    assert role_list(boxed) == [HELD_OUT, EXCLUDED, FITTED, FITTED, FITTED]
    assert role_list(Selection(drop_highest_loss=99)) == [EXCLUDED] * 5


def test_equal_losses_are_dropped_one_at_a_time() -> None:
    equal = table([1e8, 2e8, 3e8], 1e9, [3.0, 3.0, 3.0])
    assert sorted(role_list(Selection(drop_highest_loss=1), equal)) == [EXCLUDED, FITTED, FITTED]


def test_checkpoints_before_the_end_are_excluded_unless_asked_for() -> None:
    runs = table([1e8] * 4, 1e9, [4.0, 3.0, 3.5, 2.5], is_final=[False, True, False, True])
    assert role_list(Selection(), runs) == [EXCLUDED, FITTED, EXCLUDED, FITTED]
    assert role_list(Selection(checkpoints="all"), runs) == [FITTED] * 4
    # the highest loss is then looked for among the last rows
    assert role_list(Selection(drop_highest_loss=1), runs) == [EXCLUDED, EXCLUDED, EXCLUDED, FITTED]


def test_rows_that_lack_what_the_law_reads_are_unusable() -> None:
    runs = table([1e8, np.nan, 3e8, 0.0], [1e9, 1e9, np.nan, 1e9], [3.0, 3.0, 3.0, 3.0])
    assert role_list(Selection(), runs) == [FITTED, UNUSABLE, FITTED, UNUSABLE]
    assert role_list(Selection(), runs, ("params", "tokens")) == [FITTED, UNUSABLE, UNUSABLE, UNUSABLE]
    assert role_list(Selection(), table(1e8, 1e9, [3.0, np.nan, 0.0]), ()) == [FITTED, UNUSABLE, UNUSABLE]


def test_a_row_without_the_boxed_value_is_held_out() -> None:
    runs = table([1e8, 2e8], 1e9, [3.0, 2.0], lr=[np.nan, 1e-3])
    assert role_list(Selection(box=(Range("lr", 0.0, 1.0),)), runs) == [HELD_OUT, FITTED]


@pytest.mark.parametrize("column", ["learning_rate", "run"])
def test_a_box_in_a_column_that_is_not_there_as_a_number_is_refused(column: str) -> None:
    with pytest.raises(UserError) as caught:
        fitted(FIVE, "power-n", selection=Selection(box=(Range(column, 0.0, 1.0),)))
    assert column in caught.value.what
    assert caught.value.fix


def test_held_out_runs_are_predicted_but_not_fitted() -> None:
    x = np.geomspace(1e7, 1e10, 12)
    loss = 40 * x**-0.12
    loss[9:] *= 2  # were these fitted, they would show
    result = fitted(table(x, 7e9, loss), "power-n", selection=Selection(box=(Range("params", 0, x[8]),)))
    assert result.n_points == 9
    assert result.theta == pytest.approx([40, 0.12], rel=1e-6)
    out = result.points[result.points["role"] == HELD_OUT]
    assert out["residual"].to_numpy() == pytest.approx([1.0] * 3, rel=1e-6)
    assert result.ranges["params"] == pytest.approx((x[0], x[8]))
    assert "3 rows outside the chosen box are held out." in result.notes


def test_runs_that_began_with_the_weights_of_another_are_fitted_only_where_somebody_asks() -> None:
    frame = FIVE.frame.assign(started_from=[None, "", "first/a", "first/a", " "])
    runs = replace(FIVE, frame=frame)
    assert role_list(Selection(), runs) == [FITTED, FITTED, EXCLUDED, EXCLUDED, FITTED]
    assert role_list(Selection(tuned=True), runs) == [FITTED] * 5
    found = flags(frame, ["fine-tuned"])
    assert found["row"].tolist() == [2, 3]
    assert "“first/a”" in found["reason"][0]
    law, objective = get_law("power-n"), get_objective("mse-log")
    assert "Left out: 2 runs that began with the weights of another." in fit(law, runs, objective, resamples=0).notes
    assert fit(law, runs, objective, Selection(tuned=True), resamples=0).n_points == 5
    with pytest.raises(UserError, match=r"0 are chosen. Left out: 5 runs that began with the weights of another") as no:
        fit(law, replace(FIVE, frame=frame.assign(started_from="a")), objective, resamples=0)
    assert "--tuned" in no.value.fix


def test_too_few_ends_of_runs_name_their_earlier_rows_as_a_way_out() -> None:
    lines = [f"{run},{step},{n},{n * step * 1e3},{4 - 0.1 * step}" for run, n in (("a", 1e6), ("b", 2e6))
             for step in range(1, 6)]  # fmt: skip
    runs = load([Upload("two.csv", "\n".join(["run,step,params,tokens,loss", *lines]).encode())])
    with pytest.raises(UserError) as no:
        fit(get_law("power-d"), runs, get_objective("huber-log"), Selection(), resamples=0)
    assert "8 earlier rows" in no.value.what
    assert "--checkpoints all" in no.value.fix
