"""Shapes in which people publish their runs, imitated in small."""

from __future__ import annotations

import json

import numpy as np
import pytest
from runs_helpers import notes, table
from tracker_files import event_file

from scaling_core.runs import Overrides, Upload, load, read
from scaling_core.runs.readers import detect

PRINTED = """\
total desired batch size: 1024
num decayed parameter tensors: 50, with 124,000 parameters
num non-decayed parameter tensors: 98, with 1,344 parameters
validation loss: 10.9500
HellaSwag accuracy: 2465/10042=0.2455
step     0 | loss: 10.955029 | lr 1.8000e-06 | norm: 15.3663 | dt: 1000.00ms | tok/sec: 500.00
step     1 | loss: 10.649528 | lr 3.6000e-06 | norm: 15.3663 | dt: 350.00ms | tok/sec: 500.00
validation loss: 9.4123
step     2 | loss: 9.224363 | lr 5.4000e-06 | norm: 15.3663 | dt: 350.00ms | tok/sec: 500.00
"""
FILED = "0 val 10.9471\n0 hella 0.2463\n0 train 10.955029\n1 train 10.649528\n250 val 5.9123\n250 train 5.911234\n"


def test_build_nanogpt_prints_a_validation_above_the_step_it_precedes():
    runs = table(PRINTED, "train.log")
    assert runs.sources[0].format == "build-nanogpt log"
    assert runs.frame["step"].tolist() == [0, 2]
    assert runs.frame["loss"].tolist() == [10.95, 9.4123]
    assert runs.frame["tokens"].tolist()[1] == 2 * 1024
    assert runs.frame["params"].tolist() == [125_344] * 2
    assert runs.curves["train_loss"].tolist() == [10.955029, 10.649528, 9.224363]


def test_build_nanogpt_s_file_of_losses_is_read():
    raw = read(Upload("log.txt", FILED.encode()))
    assert raw.format == "build-nanogpt log"
    assert raw.frame["step"].tolist() == [0, 1, 250]
    np.testing.assert_array_equal(raw.frame["val_loss"], [10.9471, np.nan, 5.9123])
    assert raw.frame["hellaswag"].iloc[0] == 0.2463
    assert any("neither N nor tokens" in note.text for note in raw.notes)


def test_mingpt_s_lines_are_read():
    text = "number of parameters: 0.09M\niter_dt 0.00ms; iter 0: train loss 2.84515\n( 8 + 7 )\n"
    runs = table(text + "iter_dt 7797.46ms; iter 2: train loss 2.60938\n", "out.txt")
    assert runs.frame["loss"].tolist() == [2.84515, 2.60938]
    assert runs.frame["params"].tolist() == [90_000] * 2


def test_a_curve_without_names_is_called_after_its_file_and_can_be_told_its_size_by_that_name():
    history = [{"step": s, "train_loss": 3.0 - s / 1000, "dev_loss": 3.1 - s / 1000} for s in (250, 500)]
    given = "typed.params=loss_history:124e6;product.tokens=step*1000"
    runs = table(json.dumps(history), "loss_history.json", given)
    assert runs.frame["run"].tolist() == ["loss_history"] * 2
    assert runs.frame["params"].tolist() == [124e6] * 2
    assert runs.frame["tokens"].tolist() == [250_000, 500_000]
    assert runs.frame["loss"].tolist() == [2.85, 2.6]


WANDB = (
    "Name,State,Created,Runtime,batch_size,block_size,gradient_accumulation_steps,n_params,_step,iter,val/loss\n"
    "a,finished,2026-01-01,100,12,1024,4,1000000,20,5000,3.5\nb,finished,2026-01-01,100,12,512,4,1000000,20,5000,3.6\n"
)


def test_tokens_of_a_table_of_runs_follow_from_its_settings_and_the_steps_of_the_optimizer():
    runs = table(WANDB, "wandb_export.csv")
    assert runs.frame["tokens"].tolist() == [12 * 1024 * 4 * 5000, 12 * 512 * 4 * 5000]
    assert "batch_size × block_size × gradient_accumulation_steps × iter" in notes(runs, "info")
    without = table(WANDB.replace("block_size", "width"), "wandb_export.csv")
    assert without.frame["tokens"].isna().all()


def test_tokens_of_a_log_follow_from_the_optimizer_s_steps_where_the_tracker_counted_its_own():
    calls = [("val/loss", s, 3.0 - s / 10) for s in (1, 2, 3)] + [("train/global_step", s, 100.0 * s) for s in (1, 2)]
    config = Upload("runs/a/config.json", b'{"batch_size": 8, "seq_len": 128, "world_size": 1, "n_params": 1000000}')
    runs = load([Upload("runs/a/events.out.tfevents.1", event_file(calls)), config])
    assert runs.frame["tokens"].tolist() == [100 * 1024, 200 * 1024, 300 * 1024]
    assert "× train/global_step" in notes(runs)


def test_a_counter_that_begins_anew_with_each_epoch_counts_no_tokens():
    calls = [("val/loss", s, 3.0 - s / 10) for s in (1, 2, 3)]
    calls += [("iter", s, i) for s, i in ((1, 5.0), (2, 9.0), (3, 2.0))]
    config = Upload("runs/a/config.json", b'{"batch_size": 8, "seq_len": 128, "world_size": 1, "n_params": 1000000}')
    runs = load([Upload("runs/a/events.out.tfevents.1", event_file(calls)), config])
    assert runs.frame["tokens"].tolist() == [1024, 2048, 3072]


def test_counts_of_a_log_are_filled_between_and_one_interval_beyond_but_not_further():
    points = [("val_loss", s, 3.0) for s in (0, 5, 15, 25, 45)] + [("tokens", s, 100.0 * s) for s in (0, 10, 20)]
    rows = read(Upload("events.out.tfevents.1", event_file(points))).frame.set_index("step")
    np.testing.assert_array_equal(rows.loc[[0, 5, 15, 25, 45], "tokens"], [np.nan, 500, 1500, 2500, np.nan])


@pytest.mark.parametrize("counts", [(100.0, 50.0), (100.0,)], ids=["falling", "one"])
def test_counts_that_fall_or_stand_alone_are_left_as_they_are(counts):
    points = [("val_loss", s, 3.0) for s in (0, 5)] + [("tokens", 10 * i, c) for i, c in enumerate(counts, start=1)]
    rows = read(Upload("events.out.tfevents.1", event_file(points))).frame
    assert rows["tokens"].dropna().tolist() == list(counts)


def _result(params: float, losses: list[float]) -> dict[str, object]:
    history = {"train_loss": [loss - 0.1 for loss in losses], "val_loss": losses, "val_acc": [0.1] * len(losses)}
    return {"mode": "plain", "params": params, "best_val_loss": min(losses), "history": history}


def test_runs_in_groups_are_told_apart_and_keep_their_curves():
    small, large = _result(1e5, [3.5, 3.0, 2.5]), _result(1e6, [3.25, 2.25, 2.75])
    runs = table(json.dumps({"recall": {"small": small, "large": large}}), "scaling_results.json")
    assert runs.frame["run"].tolist() == ["small"] * 3 + ["large"] * 3
    # The list is the loss, also where the best is not the last and stands beside it.
    assert runs.frame["loss"].tolist() == [3.5, 3.0, 2.5, 3.25, 2.25, 2.75]
    assert runs.frame["params"].tolist() == [1e5] * 3 + [1e6] * 3
    assert "group" not in runs.frame
    groups = {"recall": {"a": small, "b": large}, "copy": {"c": small, "d": large}}
    both = table(json.dumps(groups), "scaling_results.json")
    assert both.frame["group"].tolist() == ["recall"] * 6 + ["copy"] * 6
    assert both.frame["run"].unique().tolist() == ["a", "b", "c", "d"]


def test_remarks_beside_runs_by_name_and_sizes_inside_them_are_no_obstacle():
    def scale(size: float, loss: float) -> dict[str, object]:
        return {"_model": {"n_layer": 12, "params_M": size}, "wiki": {"seeds": {"1": loss, "2": loss}, "mean": loss}}

    study = {"_description": "two sizes", "scale1": scale(63.52, 3.63), "scale2": scale(124, 3.49)}
    runs = table(json.dumps(study), "scaling.json", "loss=wiki.mean")
    assert runs.frame["run"].tolist() == ["scale1", "scale2"]
    assert runs.frame["params"].tolist() == [63.52e6, 124e6]
    assert runs.frame["loss"].tolist() == [3.63, 3.49]


def test_parts_of_one_run_are_no_runs():
    parts = {"train": {"loss": 3.0, "accuracy": 0.5}, "val": {"loss": 3.1, "accuracy": 0.4}, "params": 1e6}
    whole = {"small": parts, "large": {**parts, "params": 2e6}}
    assert table(json.dumps(whole), "results.json").frame["run"].tolist() == ["small", "large"]


def test_lists_called_by_their_split_are_losses_in_a_file_called_so():
    text = json.dumps({"train": [5.75, 4.1, 3.5], "val": [5.8, 4.2, 3.6]})
    runs = table(text, "loss_history.json", "typed.params=loss_history:1e6")
    assert runs.frame["loss"].tolist() == [5.8, 4.2, 3.6]
    assert runs.frame["step"].tolist() == [1, 2, 3]
    assert runs.curves["train_loss"].tolist() == [5.75, 4.1, 3.5]


REPORT = """\
# Results

| Setting | Value |
|---|---|
| seed | 7 |

Some prose with a | in it, and then what counts:

| Config | Step | **Loss** | ±SE | FLOPs (P) | Visual Tokens |
|:-------|-----:|---------:|-----|-----------|---------------|
| S | 100 | 4.3678 | 0.07 | 2.05 | 16 |
| S | 300 | **4.0656** | 0.06 | 6.14 | 16 |
| broken |

| Config | Step | **Loss** | ±SE | FLOPs (P) | Visual Tokens |
|---|---|---|---|---|---|
| M \\| tied | 100 | 4.1244 | 0.06 | 3.30 | 16 |
"""


def test_the_table_of_a_report_is_read_with_its_units_and_its_lines():
    runs = table(REPORT, "summary.md")
    assert runs.sources[0].format == "Markdown table"
    assert runs.frame["run"].tolist() == ["S", "S", "M | tied"]
    assert runs.frame["loss"].tolist() == [4.3678, 4.0656, 4.1244]
    np.testing.assert_allclose(runs.frame["flops"], [2.05e15, 6.14e15, 3.30e15], rtol=1e-15)
    assert runs.frame["line"].tolist() == [11, 12, 17]
    assert runs.frame["tokens"].isna().all()  # those of pictures are none of training
    assert runs.rejected["line"].tolist() == [13]
    assert "1 other table of the text was left out: Setting, Value." in notes(runs, "warning")


def test_text_with_bars_and_dashes_is_not_taken_for_a_table():
    for text in ("a|b\n1|2\n3|4\n", "params,loss\n1e6,3\n--,--\n", "| a |\n-----\n| 1 |\n"):
        assert detect(Upload("x.txt", text.encode()))[0].reader.name != "Markdown table"


SEEDS = """\
model,seed,when,step,params,tokens,val_loss
s,0,a,10,1000000,1e7,3.5
s,1,b,10,1000000,1e7,3.6
s,0,c,20,1000000,2e7,3.2
s,1,d,20,1000000,2e7,3.3
m,0,e,10,4000000,1e7,3.1
m,0,f,20,4000000,2e7,2.8
"""


def test_seeds_of_one_name_are_runs_of_their_own():
    runs = table(SEEDS)
    assert runs.frame["run"].unique().tolist() == ["s seed=0", "s seed=1", "m seed=0"]
    assert runs.frame.loc[runs.frame["is_final"], "loss"].tolist() == [3.2, 3.3, 2.8]
    assert runs.frame["model"].tolist() == ["s"] * 4 + ["m"] * 2
    assert "3 runs were told apart by “seed”" in notes(runs, "warning")


def test_without_a_column_that_tells_runs_apart_the_order_of_rows_does():
    rows = ["s,10,1e7,3.5", "s,20,2e7,3.2", "s,10,1e7,3.6", "s,15,1.5e7,3.4", "s,20,2e7,3.3"]
    runs = table("model,step,tokens,val_loss\n" + "\n".join(rows) + "\n")
    assert runs.frame["run"].tolist() == ["s"] * 2 + ["s (2)"] * 3
    mixed = table("model,step,tokens,val_loss\n" + "\n".join([rows[0], rows[1], rows[1].replace("3.2", "3.1")]) + "\n")
    assert mixed.frame["run"].tolist() == ["s"] * 3
    assert "nothing tells their rows apart" in notes(mixed, "warning")


def test_one_row_a_run_at_the_same_step_is_told_apart_by_its_setting():
    runs = table("run,lr,width,step,tokens,loss\ng,0.1,8,10,1e7,3.5\ng,0.1,16,10,1e7,3.4\nh,0.1,8,10,1e7,3.3\n")
    assert runs.frame["run"].tolist() == ["g width=8", "g width=16", "h width=8"]
    assert runs.frame["is_final"].all()


@pytest.mark.parametrize(
    "text",
    [
        "run,step,tokens,train_loss,val_loss\na,10,1e7,3.0,\na,10,1e7,,3.1\na,20,2e7,2.9,\na,20,2e7,,3.0\n",
        "run,step,tokens,loss\na,10,1e7,3\na,20,2e7,2\na,20,2e7,2\nb,10,1e7,3\nb,20,2e7,2.5\n",
        "run,tokens,loss\na,1e7,3\na,2e7,2\n",
    ],
    ids=["rows of two splits", "repeated rows", "no steps"],
)
def test_names_that_are_those_of_one_run_stay(text):
    runs = table(text)
    assert set(runs.frame["run"]) <= {"a", "b"}
    assert "told apart" not in notes(runs)


def test_a_table_of_runs_whose_states_were_hidden_is_still_w_and_b_s():
    text = (
        '"Name","Runtime","Hostname","Notes","Tags","n_params","tokens","val/loss"\n"a","300","n1","-","x",1e6,2e7,3\n'
    )
    runs = table(text, "wandb_export.csv")
    assert runs.sources[0].format == "W&B runs table"
    assert runs.frame["seconds"].tolist() == [300]
    assert "Hostname" not in runs.frame
    assert "state" not in runs.frame


def _exported(values: list[float]) -> bytes:
    rows = "".join(f"{1_700_000_000 + s},{100 * s},{v}\n" for s, v in enumerate(values, start=1))
    return f"Wall time,Step,Value\n{rows}".encode()


def test_scalars_that_tensorboard_s_page_exports_are_joined_by_run():
    files = [
        Upload(f"tb/run-{run}-tag-{tag}.csv", _exported([loss + shift, loss + shift / 2]))
        for run, loss in (("small", 3.0), ("large", 2.0))
        for tag, shift in (("train_loss", 0.25), ("val_loss", 0.5))
    ]
    raw = load(files, Overrides.parse("product.tokens=step*1000"))
    assert raw.frame["run"].tolist() == ["small", "small", "large", "large"]
    assert raw.frame["loss"].tolist() == [3.5, 3.25, 2.5, 2.25]
    assert raw.curves["train_loss"].tolist() == [3.25, 3.125, 2.25, 2.125]
    assert raw.curves["seconds"].tolist() == [0, 1, 0, 1]


def test_exported_scalars_called_by_their_metric_are_of_the_run_of_their_folder():
    last = {"a/val_loss": 3.0, "b/val_loss": 2.0, "b/train_loss": 2.5}
    files = [Upload(f"runs/{path}.csv", _exported([value + 1, value])) for path, value in last.items()]
    runs = load(files, Overrides.parse("product.tokens=step*1000"))
    assert runs.frame["run"].tolist() == ["a", "a", "b", "b"]
    assert runs.frame["loss"].tolist() == [4.0, 3.0, 3.0, 2.0]
    assert runs.curves["train_loss"].tolist()[2:] == [3.5, 2.5]


def test_the_row_before_training_begins_the_curve_and_is_not_fitted():
    runs = table("step,val_loss\n0,5.5\n100,3.5\n200,3.0\n", overrides="product.tokens=step*1000")
    assert runs.frame["step"].tolist() == [100, 200]
    assert runs.curves["loss"].tolist() == [5.5, 3.5, 3.0]
    assert runs.rejected.empty


def test_units_of_other_languages_count():
    text = "Modell;Parameter (Mio.);Tokens (Mrd.);Verlust\nklein;70,5;1,4;3,21\nmittel;160,2;3,2;2,98\n"
    runs = table(text, "tabelle.csv", "loss=Verlust;run=Modell")
    np.testing.assert_allclose(runs.frame["params"], [70.5e6, 160.2e6])
    np.testing.assert_allclose(runs.frame["tokens"], [1.4e9, 3.2e9])
    assert runs.frame["loss"].tolist() == [3.21, 2.98]
