"""Logged runs become one table: steps merged, settings beside them, tokens where the settings give them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from runs_helpers import error, notes, rejected, table

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload, build
from scaling_core.runs.logs import MAX_METRICS, LoggedRun, Logs, joined, to_raw
from scaling_core.runs.readers.points import Points
from scaling_core.runs.settings import tokens_a_step

NAN = float("nan")
UPLOAD = Upload("log", b"content")


def run(name="a", config=None, state="", **columns):
    return LoggedRun(name, pd.DataFrame(columns), config or {}, state, "log")


def raw(*runs):
    return to_raw(Logs(runs), "test", "log")


def text_of(raw_table):
    return " ".join(note.text for note in raw_table.notes)


def test_training_and_validation_rows_of_one_step_become_one():
    found = raw(run(step=[2, 1, 2, 1], train=[3.0, 4.0, NAN, NAN], val=[NAN, NAN, 3.5, 4.5]))
    assert found.frame["step"].tolist() == [1, 2]
    assert found.frame["train"].tolist() == [4, 3]
    assert found.frame["val"].tolist() == [4.5, 3.5]


def test_a_value_logged_again_at_its_step_is_counted():
    found = raw(run(step=[1, 2, 2, 3], loss=[4.0, 3.0, 2.5, 2.0]))
    assert found.frame["loss"].tolist() == [4, 2.5, 2]
    assert "1 values replaced another of the same step" in text_of(found)


def test_runs_of_one_name_are_told_apart():
    found = raw(*(run(name, step=[1], loss=[2.0]) for name in ("gpt", "gpt", "gpt (2)", "")))
    assert found.frame["run"].tolist() == ["gpt", "gpt (3)", "gpt (2)", "run 4"]


def test_what_says_nothing_is_left_out_by_name_and_reason():
    found = raw(
        run(
            step=[1, 2],
            loss=[3.0, 2.0],
            lr=[0.1, 0.1],
            gone=[NAN, NAN],
            n_params=[5.0, 5.0],
            **{"system/gpu": [1.0, 2.0]},
        )
    )
    assert found.frame.columns.tolist() == ["run", "step", "loss", "n_params"]
    for said in ("(“lr”) left out: always the same", "(“gone”) left out: never a number", "(“system/gpu”) left out"):
        assert said in text_of(found)


def test_more_metrics_than_a_table_holds_keep_the_telling_ones():
    many = {f"grad/{i}": [1.0, float(i)] for i in range(2, MAX_METRICS + 50)}
    found = raw(run(step=[1, 2], **many, **{"val/loss": [3.0, 2.0]}))
    assert found.frame.shape[1] == MAX_METRICS + 2
    assert "val/loss" in found.frame
    assert "past the first" in text_of(found)


def test_settings_of_each_run_stand_in_its_rows():
    found = raw(
        run(
            "a", {"n_params": "1e6", "opt": "adam", "tied": True, "step": 9, "note": "x"}, step=[1, 2], loss=[3.0, 2.0]
        ),
        run("b", {"n_params": "2M", "opt": "sgd", "tied": False, "note": "x"}, step=[1], loss=[2.5]),
    )
    assert found.frame["n_params"].tolist() == [1e6, 1e6, 2e6]
    assert found.frame["opt"].tolist() == ["adam", "adam", "sgd"]
    assert found.frame["tied"].tolist() == ["True", "True", "False"]
    assert found.frame["config.step"].fillna(0).tolist() == [9, 9, 0]
    assert found.settings == {"n_params", "opt", "tied", "config.step"}
    assert "“note”" in text_of(found)


def test_what_was_measured_at_a_step_comes_before_what_was_planned():
    config = {"total_tokens": 1e9, "n_params": 1e5}
    found = raw(run("a", config, step=[1, 2], loss=[3.0, 2.0], tokens=[1e6, 2e6]))
    assert "config.total_tokens" in found.frame
    assert build(found, UPLOAD).frame["tokens"].tolist() == [1e6, 2e6]


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"tokens_per_iter": 491_520}, 491_520),
        ({"global_batch_size": 32, "seq_len": 128, "world_size": 4}, 32 * 128),
        ({"train.batch_size": 12, "model.block_size": 1024, "gradient_accumulation_steps": 40}, 12 * 1024 * 40),
        ({"batch_size": "8", "context_length": "256", "world_size": "2"}, 8 * 256 * 2),
        ({"args/per_device_train_batch_size": 4, "max_seq_length": 512, "n_gpus": 8, "grad_accum": 2}, 4 * 512 * 8 * 2),
        ({"micro_batch_size": 4, "seq_len": 512}, None),
        ({"batch_size": 8}, None),
        ({"seq_len": 8}, None),
        ({"batch_size": True, "seq_len": 8}, None),
        ({"batch_size": "auto", "seq_len": 8}, None),
        ({"batch_size": 0, "seq_len": 8}, None),
        ({"batch_size": 10**400, "seq_len": 8}, None),
    ],
)
def test_tokens_a_step_follow_only_where_all_is_given(config, tokens):
    found = tokens_a_step(config)
    assert (found.tokens if found else None) == tokens


def test_tokens_from_settings_say_their_rule_and_what_was_assumed():
    found = raw(run("a", {"batch_size": 8, "seq_len": 16}, step=[0, 5], loss=[3.0, 2.0]))
    assert np.isnan(found.frame["tokens"][0])
    assert found.frame["tokens"][1] == 8 * 16 * 5
    (note,) = [n for n in found.notes if n.severity == "warning"]
    assert "batch_size × seq_len × step" in note.text
    assert "assumed" in note.text


def test_files_of_one_run_are_joined():
    both = joined(
        [run("x", {"a": 1}, step=[1], train=[3.0]), run("y", {"a": 2, "b": 3}, "failed", step=[1], val=[2.0])], "z"
    )
    assert (both.name, both.config, both.state) == ("z", {"a": 1, "b": 3}, "failed")
    assert raw(both).frame[["train", "val"]].to_numpy().tolist() == [[3, 2]]


def test_a_log_without_numbers_is_an_error():
    with pytest.raises(UserError, match="no numbers"):
        raw(run(step=[], loss=[]))
    with pytest.raises(UserError, match="no numbers"):
        raw(run(step=[NAN], loss=[1.0]))


def test_points_keep_the_later_of_two_and_their_place():
    points = Points()
    for name, step, value in (("a", 2, 1.0), ("a", 1, 2.0), ("b", 2, 3.0), ("a", 2, 4.0), ("step", 1, 5.0)):
        points.add(name, step, value, 10.0 * step, len(points.step) + 1)
    texts = []
    rows = points.rows(texts)
    assert rows["step"].tolist() == [1, 2]
    assert rows["a"].tolist() == [2, 4]
    assert rows["b"].fillna(0).tolist() == [0, 3]
    assert rows["step (metric)"].fillna(0).tolist() == [5, 0]
    assert rows["line"].tolist() == [5, 4]
    assert texts == ["1 values were logged again at a step that had one, as after a restart: the later counts."]


def test_rows_of_a_log_without_the_loss_are_its_curve():
    config = {"n_params": 1e6, "tokens_per_step": 100}
    losses = {"train/loss": [3.0, 2.5, 2.0], "val/loss": [NAN, 2.75, NAN]}
    whole = run("a", config, step=[1, 2, 3], wall_time=[5.0, 6.0, 8.0], **losses)
    settings = config | {"n_params": 2e6}
    never = run("b", settings, "crashed", step=[1, 2], wall_time=[5.0, 6.0], **{"train/loss": [3.0, 2.5]})
    found = raw(whole, never)
    runs = build(found, UPLOAD)
    assert runs.frame[["run", "step", "loss", "tokens"]].to_numpy().tolist() == [["a", 2, 2.75, 200]]
    assert runs.rejected.empty
    curves = runs.curves
    assert curves["run"].tolist() == ["a", "a", "a", "b", "b"]
    assert curves["train/loss"].tolist() == [3, 2.5, 2, 3, 2.5]
    assert curves["tokens"].tolist() == [100, 200, 300, 100, 200]
    assert curves["flops"].tolist() == [6e8, 12e8, 18e8, 12e8, 24e8]
    assert curves["seconds"].tolist() == [0, 1, 3, 0, 1]
    assert "n_params" not in curves
    assert "1 run never logged the loss (“val/loss”) and cannot be fitted: “b”." in notes(runs)


def test_a_log_in_which_no_run_has_the_chosen_loss_is_an_error():
    found = raw(run("a", {"n_params": 1e6}, step=[1, 2], **{"train/loss": [3.0, 2.0], "mse": [NAN, NAN]}))
    blank = found.frame.assign(**{"val/loss": [NAN, NAN]})
    with pytest.raises(UserError, match="No run ever logged the loss"):
        build(replace(found, frame=blank), UPLOAD, Overrides.parse("loss=val/loss"))


CSV = """run,step,params,tokens,val_loss,train_loss
a,1,1000,1e5,,4
a,2,1000,2e5,3.5,3.6
b,1,2000,1e5,,3.9
a,3,1000,3e5,,
"""


def test_a_table_keeps_rows_of_a_curve_and_rejects_what_belongs_to_none():
    runs = table(CSV)
    assert runs.frame["loss"].tolist() == [3.5]
    assert runs.curves["train_loss"].tolist() == [4, 3.6]
    assert rejected(runs) == {4: "The loss (“val_loss”) is blank.", 5: "The loss (“val_loss”) is blank."}


def test_tables_without_steps_have_no_curves():
    runs = table("params,tokens,loss\n1e6,1e8,3\n2e6,1e8,\n")
    assert runs.curves.empty
    assert runs.curves.columns.tolist() == ["run", "file", "step", "tokens", "flops", "seconds", "loss"]
    assert list(rejected(runs)) == [3]


def test_curves_count_for_the_digest():
    assert table(CSV).digest == table(CSV).digest
    assert table(CSV).digest != table(CSV.replace("1e5,,4\n", "1e5,,5\n")).digest


def test_a_log_without_sizes_still_asks_for_them():
    with pytest.raises(UserError, match="No column for parameters, tokens or FLOPs"):
        build(raw(run(step=[1, 2], loss=[3.0, 2.0])), UPLOAD)
    assert "step" in error("step,loss\n1,3\n2,2\n").what
