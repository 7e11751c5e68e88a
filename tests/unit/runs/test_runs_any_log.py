"""Printed logs of tools without a reader of their own, and summaries of names and values."""

from __future__ import annotations

import log_samples as logs
import pytest
from runs_helpers import notes, table

from scaling_core.errors import UserError
from scaling_core.runs import Upload, read
from scaling_core.runs.readers import detect
from scaling_core.runs.readers.pairs import stated


def rows(text: str, *columns: str) -> list[list[float]]:
    frame = read(Upload("train.log", text.encode())).frame
    return frame[["step", *columns]].astype(object).where(frame[["step", *columns]].notna(), None).to_numpy().tolist()


def test_torchtitan_says_its_size_and_its_batch_in_sentences() -> None:
    runs = table(logs.TITAN, "train.log")
    assert runs.frame[["step", "params", "tokens", "loss"]].to_numpy().tolist() == [
        [1, 6_139_136, 64 * 2048, 8.15],
        [10, 6_139_136, 64 * 2048 * 10, 4.25],
    ]
    assert runs.curves["tps"].tolist() == [12_000, 61_000]
    assert "told by their names" in notes(runs)
    assert "step:  1  loss:" in runs.sources[0].reason


def test_runs_in_one_log_are_told_apart_by_their_steps_and_that_is_said() -> None:
    log = "".join(f"run {run} step {step} loss {5 - run - step / 10}\n" for run in (0, 1) for step in (1, 2, 3))
    runs = table(f"params: 1,000,000\n{log}", "train.log")
    assert runs.frame["run"].nunique() == 2
    assert "The step goes back to the first, so the log was taken for that of 2 runs." in notes(runs)
    assert "goes back" not in notes(table(logs.TITAN, "train.log"))


def test_a_validation_without_a_step_belongs_to_the_step_above_it() -> None:
    assert rows(logs.LLMC, "loss", "val loss") == [[1, 11.009701, None], [2, 10.75, 10.5]]
    assert table(logs.LLMC, "train.log", "product.tokens=step*524288").frame["params"].tolist() == [124_475_904]


def test_steps_of_progress_bars_are_those_of_training() -> None:
    found = rows(logs.trainer_printed(), "loss", "eval_loss")
    assert found == [[step, 9 - step / 10, 4.25 if step == 50 else None] for step in range(10, 51, 10)]


def test_a_loss_behind_a_bar_is_read_though_each_bar_wrote_over_the_last() -> None:
    runs = table(logs.bars_with_loss(), "train.log")
    assert runs.curves["step"].tolist() == list(range(5, 101, 5))
    assert runs.curves["loss (file)"].tolist() == pytest.approx([9 - i / 20 for i in range(5, 101, 5)])
    assert runs.frame[["params", "tokens", "loss"]].to_numpy().tolist() == [[124e6, 8 * 1024 * 2 * 100, 4.125]]


@pytest.mark.parametrize(
    ("line", "column", "value"),
    [
        ("Epoch 1, Step {}, Train Loss: 3.5000, tokens: 1,000", "Train Loss", 3.5),
        ("2025-01-01 10:00:01 | INFO | step 0000000{}/00000015 | cross-entropy-loss 3.5 | z-loss 0.1 | lr 1e-6",
         "cross-entropy-loss", 3.5),
        ("iteration={} train_loss=3.5 lr=0.1", "train_loss", 3.5),
        ("step {} | loss 3.5 | WARNING: the norm of the gradient is high", "loss", 3.5),
        ("[ {}/1000] loss 3.5 ppl 33.1", "loss", 3.5),
        ("[step {}] loss=3.5 | ppl=33.1 | time 3.2s", "loss", 3.5),
        ("Iter {}: Train loss 3.500, Learning Rate 1.000e-05, Trained Tokens 9000, Peak mem 5 GB", "Train loss", 3.5),
        ("01-01 | INFO | train_inner | epoch 001: 1 / 50 loss=3.5, ppl=11.3, num_updates={}, lr=1e-05", "loss", 3.5),
        ("[batch={}/50]:\n\t Train time/token: 99\n\t Train metrics/train/LanguageCrossEntropy: 3.5000",
         "Train metrics/train/LanguageCrossEntropy", 3.5),
        ("global_step: {}, 'val/loss': 3.5, 'best': 1e2", "val/loss", 3.5),
    ],
)  # fmt: skip
def test_usual_ways_to_print_a_step(line: str, column: str, value: float) -> None:
    text = "".join(line.format(step) + "\n" for step in (1, 2, 3))
    assert rows(text, column) == [[step, value] for step in (1, 2, 3)]


def test_each_summary_is_a_run() -> None:
    runs = table(logs.SUMMARIES, "results.txt")
    assert runs.frame[["run", "params", "tokens", "loss", "depth"]].to_numpy().tolist() == [
        ["small", 50.5e6, 500.5e6, 3.25, 8],
        ["large", 100.5e6, 500.5e6, 3.0, 12],
    ]
    assert "Each summary is a run" in notes(runs)


def test_a_summary_below_steps_closes_their_run() -> None:
    steps = "".join(f"step {s}: loss {9 - s}.5000\n" for s in (1, 2, 4))
    runs = table(f"{steps}\nfinal_val_loss: 3.25\nnum_params: 1,500,000\ntotal_tokens: 8.0M\n", "train.log")
    assert runs.frame[["step", "params", "tokens", "loss"]].to_numpy().tolist() == [[4, 1.5e6, 8e6, 3.25]]
    assert runs.curves["tokens"].tolist() == [2e6, 4e6, 8e6]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("num_params_M:     50.3", ("num_params_M", 50.3)),
        ("  - total tokens = 8.0M", ("total tokens", 8e6)),
        ("optimizer: adam", ("optimizer", "adam")),
        ("nothing to see", None),
        ("x" * 6000, None),
    ],
)
def test_what_a_line_states(text: str, pair: object) -> None:
    assert stated(text) == pair


@pytest.mark.parametrize(
    "text",
    ["step,loss,params\n1,3,1e6\n2,2.5,1e6\n", "plain words\nstep by step\n", "step 1 of the plan\nloss of data\n",
     '{"step": 1, "loss": 3.5, "params": 1}\n{"step": 2, "loss": 3.4, "params": 1}\n'],
    ids=["a table", "words", "words that sound alike", "JSON"],
)  # fmt: skip
def test_other_texts_are_left_to_other_readers(text: str) -> None:
    assert detect(Upload("x.txt", text.encode()))[0].reader.name != "printed log"


@pytest.mark.parametrize(
    "text",
    [logs.TITAN, logs.LLMC, logs.SUMMARIES, logs.trainer_printed(20), logs.bars_with_loss()],
    ids=["torchtitan", "llm.c", "summaries", "Trainer", "bars"],
)
def test_cut_anywhere_it_is_read_in_part_or_refused_in_words(text: str) -> None:
    whole = text.encode()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        error = refusal(whole[:length])
        assert error is None or (error.what and error.where)


def refusal(data: bytes) -> UserError | None:
    """Read a file; anything but rows or a person's error would fail the test."""
    try:
        assert len(read(Upload("train.log", data)).frame)
    except UserError as error:
        return error
    return None


def test_a_number_that_the_file_ends_in_is_not_believed() -> None:
    assert rows("step 1: loss 3.2500\nstep 2: loss 3.1250\nstep 3: loss 3.1", "loss") == [[1, 3.25], [2, 3.125]]
