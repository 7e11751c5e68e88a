"""Results in JSON that hold whole curves: lists beside settings, and lists of logged rows."""

from __future__ import annotations

import json

import pytest
from runs_helpers import notes, table

from scaling_core.runs import Upload
from scaling_core.runs import load as together

STEPS = {"steps": [100, 200, 300], "losses": [4.0, 3.5, 3.25], "betas": [0.9, 0.95]}
SHAPE = {"batch_size": 8, "seq_len": 128, "total_params": 1e6}


def load(data: object, name: str = "a.json"):
    return table(json.dumps(data), name)


def finals(runs) -> list[list[object]]:
    frame = runs.frame[runs.frame["is_final"]]
    return frame[["run", "params", "tokens", "loss"]].to_numpy().tolist()


def test_lists_beside_settings_are_the_curve_of_one_run() -> None:
    runs = load({**STEPS, **SHAPE}, "small.json")
    assert runs.frame[["run", "step", "loss", "tokens"]].to_numpy().tolist() == [
        ["small", step, loss, 8 * 128 * step] for step, loss in zip(STEPS["steps"], STEPS["losses"], strict=True)
    ]
    assert runs.frame["is_final"].tolist() == [False, False, True]
    assert "left out: “betas”" in notes(runs, "warning")
    assert "curves of 1 run: “steps”, “losses”" in notes(runs)


def test_runs_in_an_array_have_their_curves_and_their_totals_along_them() -> None:
    data = [
        {"name": n, "n_params": p, "tokens": 3e8, "final_loss": last, "losses": [4.0, 3.5, last]}
        for n, p, last in (("s", 1e6, 3.25), ("l", 4e6, 2.75))
    ]
    runs = load(data)
    assert finals(runs) == [["s", 1e6, 3e8, 3.25], ["l", 4e6, 3e8, 2.75]]
    assert runs.curves["tokens"].tolist() == [1e8, 2e8, 3e8] * 2
    assert runs.curves["loss"].tolist() == [4.0, 3.5, 3.25, 4.0, 3.5, 2.75]
    assert "counted from 1" in notes(runs, "warning")
    assert "“final_loss” repeats the last of “losses”" in notes(runs)
    lines = "\n".join(json.dumps(run) for run in data)
    assert finals(table(lines, "runs.jsonl")) == finals(runs)


@pytest.mark.parametrize(
    "wrap", [lambda runs: {"budgets": [1, 2], "runs": runs}, lambda runs: runs], ids=["in", "bare"]
)
def test_logged_rows_of_each_run_are_kept_and_its_last_loss_stands_at_their_end(wrap) -> None:
    rows = [{"step": s, "loss": 9 - s, "tokens": s * 1e6} for s in (1, 2)]
    data = [
        {"run": name, "params": n, "final_val_loss": last, "log": rows}
        for name, n, last in (("a", 1e6, 3.25), ("b", 2e6, 3.0))
    ]
    runs = load(wrap(data))
    assert finals(runs) == [["a", 1e6, 2e6, 3.25], ["b", 2e6, 2e6, 3.0]]
    assert runs.curves["loss (file)"].tolist() == [8, 7, 8, 7]
    assert ("“budgets”" in notes(runs, "warning")) == isinstance(wrap(data), dict)


@pytest.mark.parametrize(
    ("steps", "curve", "warned"),
    [
        ([0, 10, 5, 20], [(5, 3.0), (10, 4.0), (20, 2.0)], ""),
        ([5, 10, 15, 10, 20], [(5, 5.0), (10, 2.0), (15, 3.0), (20, 1.0)], "as after a restart: 1."),
        ([1, 2, 1, 2], [(1, 5.0), (2, 4.0), (3, 3.0), (4, 2.0)], "counted from 1"),
    ],
    ids=["out of order", "a restart", "anew each epoch"],
)
def test_logged_rows_stand_at_their_steps_in_whatever_order(steps, curve, warned: str) -> None:
    log = [{"step": step, "loss": 5.0 - i} for i, step in enumerate(steps)]
    runs = load({"params": 1e6, "tokens": 2e8, "log": log})
    found = runs.frame[runs.frame["step"] > 0]
    assert list(zip(found["step"], found["loss"], strict=True)) == curve
    assert found["tokens"].tolist() == pytest.approx([2e8 * step / curve[-1][0] for step, _ in curve])
    assert warned in notes(runs, "warning")


def test_rows_of_training_and_validation_at_one_step_are_one_point() -> None:
    log = [{"step": s, **row} for s in (10, 20) for row in ({"loss": 40 / s}, {"eval_loss": 50 / s})]
    runs = load({"params": 1e6, "tokens": 2e8, "log": log})
    assert runs.frame[["step", "loss", "tokens"]].to_numpy().tolist() == [[10, 5.0, 1e8], [20, 2.5, 2e8]]
    assert "again" not in notes(runs)


def test_logged_rows_by_name_of_run() -> None:
    rows = [{"step": s, "loss": 5 - s, "tokens": s * 1e6} for s in (1, 2)]
    runs = load({"70M": rows, "160M": rows})
    assert runs.frame["run"].tolist() == ["70M", "70M", "160M", "160M"]
    assert runs.frame["is_final"].tolist() == [False, True] * 2


def test_lists_of_different_lengths_meet_where_each_says_its_steps_or_divides_the_other() -> None:
    said = load({"n_params": 1e6, "total_tokens": 4e6, "train_steps": [1, 2, 3, 4], "train_losses": [5, 4.5, 4, 3.5],
                 "eval_steps": [2, 4], "val_losses": [4.25, 3.25]})  # fmt: skip
    guessed = load({"n_params": 1e6, "total_tokens": 4e6, "train_losses": [5, 4.5, 4, 3.5], "val_losses": [4.25, 3.25]})
    for runs in (said, guessed):
        assert runs.frame[["step", "tokens", "loss"]].to_numpy().tolist() == [[2, 2e6, 4.25], [4, 4e6, 3.25]]
        assert runs.curves["train_losses"].tolist() == [5, 4.5, 4, 3.5]
    assert "evenly spaced" in notes(guessed, "warning")
    assert "evenly spaced" not in notes(said)
    odd = load({"n_params": 1e6, "tokens": 4e6, "train_losses": [5, 4.5, 4, 3.5], "val_losses": [4.5, 4, 3.25]})
    assert "left out: “val_losses”" in notes(odd, "warning")


def test_lists_without_names_or_sizes_are_the_history_of_one_run() -> None:
    runs = table(
        json.dumps({"loss": [3, 2.5], "val_loss": [3.25, 2.75], "accuracy": [0.1, 0.2]}), "a.json", "typed.params=a:1e6"
    )
    assert runs.frame[["run", "step", "loss"]].to_numpy().tolist() == [["a", 1, 3.25], ["a", 2, 2.75]]
    seen = load({"cfg": {"n_layers": 12}, "n_params": 1e6, "train_losses": [9, 6], "val_losses": [9.5, 6.5],
                 "track_tokens_seen": [1000, 2000]})  # fmt: skip
    assert seen.frame[["tokens", "loss"]].to_numpy().tolist() == [[1000, 9.5], [2000, 6.5]]


def test_points_and_planned_steps() -> None:
    runs = load({"params": 1e6, "num_steps": 400, "tokens": 4e6, "curve": [[100, 4.0], [200, 3.5]], "layers": [[1, 2]]})
    assert runs.frame[["step", "tokens", "loss"]].to_numpy().tolist() == [[100, 1e6, 4.0], [200, 2e6, 3.5]]
    assert "“layers”" in notes(runs, "warning")


def test_nested_lists_and_several_logs_keep_their_names() -> None:
    train = [{"step": s, "loss": 4.5 - s / 2, "tokens": s * 1e6} for s in (1, 2)]
    data = {"params": 1e6, "results": {"train_log": train, "val_log": [{"step": 2, "loss": 3.75}]}}
    runs = load(data)
    assert runs.frame[["step", "loss"]].to_numpy().tolist() == [[2, 3.75]]
    assert runs.sources[0].mapping["loss"] == "results.val_log.loss"
    assert runs.curves["results.train_log.loss"].tolist() == [4, 3.5]


def test_several_lists_of_runs_are_groups() -> None:
    runs = load(
        {"base": [{"params": 1e6, "loss": 3}], "ours": [{"params": 1e6, "loss": 2.5}, {"params": 2e6, "loss": 2}]}
    )
    assert runs.frame[["group", "loss"]].to_numpy().tolist() == [["base", 3], ["ours", 2.5], ["ours", 2]]


def test_splits_under_a_name_that_says_loss_are_losses() -> None:
    rows = [{"iter": i, "train": 4.5 - i / 2, "val": 5 - i / 2} for i in (1, 2)]
    runs = load({"n_params": 1e6, "loss_history": rows})
    assert runs.frame[["step", "loss", "train_loss"]].to_numpy().tolist() == [[1, 4.5, 4], [2, 4, 3.5]]


def test_lists_in_the_rows_of_a_log_make_no_runs_of_its_steps() -> None:
    rows = [{"step": s, "loss": 4.0 - s, "params": 1e6, "losses_by_layer": [1.0, 2.0, 3.0]} for s in (1, 2)]
    runs = table("\n".join(map(json.dumps, rows)), "log.jsonl")
    assert runs.frame[["step", "loss"]].to_numpy().tolist() == [[1, 3], [2, 2]]
    assert runs.frame["losses_by_layer"].tolist() == ["[1.0, 2.0, 3.0]"] * 2
    ends = [{"run": name, "step": 200, "params": 1e6, "losses": [4.0, 3.0]} for name in ("a", "b")]
    assert load(ends).frame["run"].tolist() == ["a", "a", "b", "b"]


def test_results_in_folders_are_called_after_them() -> None:
    files = [(f"sweep/{name}/result.json", json.dumps({**STEPS, **SHAPE, "total_params": n})) for name, n in
             (("small", 1e6), ("large", 4e6))]  # fmt: skip
    runs = together([Upload(name, text.encode()) for name, text in files])
    assert runs.frame[runs.frame["is_final"]][["run", "params"]].to_numpy().tolist() == [["small", 1e6], ["large", 4e6]]


def test_settings_beside_a_result_count_its_tokens() -> None:
    files = [("a/result.json", json.dumps(STEPS)), ("a/config.json", json.dumps(SHAPE))]
    runs = together([Upload(name, text.encode()) for name, text in files])
    assert runs.frame["tokens"].tolist() == [8 * 128 * step for step in STEPS["steps"]]
    assert runs.frame["params"].tolist() == [1e6] * 3
