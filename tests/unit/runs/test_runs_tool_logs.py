"""What trainers write: printed logs, CSV, JSON and workbooks, whole and cut short."""

from __future__ import annotations

import io
import json
import math

import log_samples as logs
import openpyxl
import pytest
from runs_helpers import notes, rejected, table

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload, load, read
from scaling_core.runs.gather import gather


def together(*files: tuple[str, str | bytes]):
    return load([Upload(name, data if isinstance(data, bytes) else data.encode()) for name, data in files])


def test_nanogpt_rows_meet_at_their_steps_and_tokens_follow_from_the_printed_batch() -> None:
    runs = table(logs.NANOGPT, "train.log")
    assert runs.frame["loss"].tolist() == [4.2823, 2.0653, 1.7254]
    assert runs.frame["line"].tolist() == [5, 9, 10]
    assert runs.frame["params"].tolist() == [10.65e6] * 3
    assert runs.frame["tokens"].tolist()[1:] == [16384 * 250, 16384 * 500]
    assert runs.curves["step"].tolist() == [0, 10, 250, 500]
    assert runs.curves["train_loss"].tolist()[:3] == [4.2654, 3.1462, 2.0312]
    assert "without the table of positions" in notes(runs)


def test_a_log_that_begins_again_holds_two_runs_and_a_restart_in_between_is_none() -> None:
    twice = logs.NANOGPT + logs.NANOGPT.replace("10.65M", "21.30M").replace("1.7254", "1.6254")
    runs = table(twice, "train.log")
    finals = runs.frame[runs.frame["is_final"]]
    assert finals["run"].tolist() == ["train", "train (2)"]
    assert finals["params"].tolist() == [10.65e6, 21.3e6]
    assert finals["loss"].tolist() == [1.7254, 1.6254]
    resumed = logs.NANOGPT + "step 250: train loss 1.9600, val loss 2.0600\nstep 750: train loss 1.3, val loss 1.6000\n"
    assert table(resumed, "train.log").frame["loss"].tolist() == [4.2823, 2.06, 1.7254, 1.6]


def test_a_run_that_ends_on_nan_is_said_to_have_diverged() -> None:
    runs = table(logs.NANOGPT + "iter 510: loss nan, time 17.35ms, mfu 21.48%\n", "train.log")
    assert "marked as diverged" in notes(runs, "warning")
    assert "not finite" in notes(runs, "warning")
    assert len(runs.frame) == 3


def test_a_damaged_line_is_listed_and_a_number_cut_by_the_end_of_the_file_is_not_believed() -> None:
    assert rejected(table(logs.NANOGPT + "iter 510: lo\n", "train.log")) == {
        11: "The line of a step is damaged or cut short."
    }
    cut = table(logs.NANOGPT.rstrip("\n")[:-2], "train.log")
    assert cut.frame["loss"].tolist() == [4.2823, 2.0653]
    assert 10 in rejected(cut)
    assert table(logs.NANOGPT.rstrip("\n"), "train.log").frame["loss"].tolist()[-1] == 1.7254


def test_litgpt_counts_optimizer_steps_and_its_batch_is_global() -> None:
    runs = table(logs.LITGPT, "litgpt.log")
    assert runs.frame["step"].tolist() == [2, 3]
    assert runs.frame["loss"].tolist() == [9.7012, 9.05]
    assert runs.frame["tokens"].tolist() == [16 * 512 * 2, 16 * 512 * 3]
    assert runs.frame["params"].tolist() == [14_067_712] * 2
    assert runs.curves["train_loss"].tolist() == [10.525, 9.801, 9.1]


def test_litgpt_csv_uses_the_tokens_of_all_devices_also_where_only_validation_was_logged() -> None:
    runs = table(logs.LITGPT_CSV, "metrics.csv")
    assert runs.frame["loss"].tolist() == [9.25, 8.2]
    assert runs.frame["step"].tolist() == [8, 16]
    assert runs.frame["tokens"].tolist() == [65536, 16 * 8192]
    assert "one device" in notes(runs)


def test_nanochat_states_its_counts_and_asks_for_bytes_per_token() -> None:
    runs = table(logs.NANOCHAT, "d12.log")
    assert runs.frame["params"].unique().tolist() == [185_599_104]
    assert runs.frame["params_non_embedding"].unique().tolist() == [84_935_808]
    assert runs.frame["tokens"].tolist()[1:] == [250 * 524288, 2205 * 524288]
    assert runs.frame["flops"].tolist()[2] == pytest.approx(8.5e8 * 2205 * 524288, rel=1e-12)
    assert "How many bytes does a token stand for" in notes(runs, "question")
    answered = table(logs.NANOCHAT, "d12.log", "bytes_per_token=4.8")
    assert answered.frame["loss"].tolist()[-1] == pytest.approx(0.871234 * math.log(2) * 4.8, rel=1e-12)
    assert answered.curves["train_loss"].dropna().tolist() == [11.090355, 4.512345]


def test_modded_nanogpt_lines_are_found_below_the_source_code() -> None:
    raw = read(Upload("log.txt", logs.MODDED.encode()))
    assert raw.format == "modded-nanogpt log"
    assert raw.frame["val_loss"].dropna().tolist() == [10.8258, 4.3512, 3.278]
    assert raw.frame["seconds"].tolist() == [0, 0.065, 11, 155]
    long = "x = 1  # code\n" * 20_000 + logs.MODDED
    assert len(read(Upload("log.txt", long.encode())).frame) == 4


def test_lightning_rows_meet_and_hparams_beside_them_count_n() -> None:
    runs = together(("metrics.csv", logs.LIGHTNING), ("hparams.yaml", logs.HPARAMS))
    assert runs.frame["loss"].tolist() == [5.01, 4.4]
    assert runs.curves["train_loss"].tolist() == [5.91, 5.12, 4.71, 4.42]
    assert runs.frame["tokens"].tolist() == [99 * 4096, 199 * 4096]
    # nanoGPT's decoder without biases: 12 d² + 2 d a block, a last norm, embeddings shared with the head, positions.
    assert runs.frame["params"].tolist() == [4 * (12 * 128**2 + 256) + 128 + 1000 * 128 + 128 * 128] * 2


def test_keras_with_another_separator_is_a_row_an_epoch() -> None:
    raw = read(Upload("training.log", logs.KERAS.encode()))
    assert raw.format == "Keras CSV"
    assert raw.frame["step"].tolist() == [1, 2]
    assert raw.frame["train_loss"].tolist() == [2.5, 2.1]
    assert raw.frame["val_loss"].tolist() == [2.4, 2.0]


def test_trainer_state_with_config_gives_exact_n_and_d_though_no_tokens_were_counted() -> None:
    runs = together(("trainer_state.json", logs.trainer_state()), ("config.json", logs.CONFIG))
    assert runs.frame["loss"].tolist() == pytest.approx([4.4, 3.9])
    assert runs.frame["params"].unique().tolist() == [70_426_624]
    assert runs.frame["tokens"].tolist() == pytest.approx([5e8, 1e9], rel=1e-12)
    assert len(runs.curves) == 10
    assert "mean over the whole training" in notes(runs)
    assert "replaced" not in notes(runs)


def test_trainer_state_cut_short_keeps_the_rows_that_are_whole() -> None:
    text = logs.trainer_state()
    runs = together(("trainer_state.json", text[: len(text) * 2 // 3]), ("config.json", logs.CONFIG))
    assert runs.frame["loss"].tolist()[0] == pytest.approx(4.4)
    assert "cut short" in notes(runs, "warning")


def test_a_run_stopped_early_is_marked() -> None:
    runs = together(("trainer_state.json", logs.trainer_state(upto=500)), ("config.json", logs.CONFIG))
    assert "marked as unfinished" in notes(runs, "warning")


def workbook(*sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    for i, rows in enumerate(sheets):
        sheet = book.active if i == 0 else book.create_sheet()
        for row in rows:
            sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


HEAD = ["run", "params", "tokens", "loss"]


def test_a_workbook_is_read_by_its_table_and_the_other_sheets_are_named() -> None:
    rows = [HEAD, ["a", "70M", 1e9, 3.5], [], ["b", 1.6e8, 2e9, 3.1]]
    runs = table(workbook([["My runs"]], rows, [["other"], [1]]), "runs.xlsx")
    assert runs.frame["params"].tolist() == [7e7, 1.6e8]
    assert runs.frame["line"].tolist() == [2, 4]
    assert "Sheets left out: “Sheet2” (no table of runs). To read one of them, save it as CSV" in notes(runs, "warning")
    assert "Sheets without a table: “Sheet”" in notes(runs)


def test_sheets_of_runs_are_put_together_under_the_names_of_the_first() -> None:
    again = [["title above"], ["name", "N", "tokens", "loss", "lr"], ["c", 3e8, 3e9, 2.9, 0.1]]
    bits = [["run", "params", "tokens", "bpb"], ["d", 3e8, 3e9, 0.9]]
    steps = [["run", "step", "params", "tokens", "loss"], ["a", 1, 7e7, 1e8, 5.0]]
    first = [HEAD, ["a", 7e7, 1e9, 3.5], ["b", 1.6e8, 2e9, 3.1]]
    runs = table(workbook(first, again, bits, steps), "runs.xlsx")
    assert runs.frame[["run", "params", "loss", "sheet"]].to_numpy().tolist() == [
        ["a", 7e7, 3.5, "Sheet"], ["b", 1.6e8, 3.1, "Sheet"], ["c", 3e8, 2.9, "Sheet1"],
    ]  # fmt: skip
    assert runs.frame["line"].tolist() == [2, 3, 3]
    said = notes(runs, "warning")
    assert "“Sheet2” (its “bpb” is something else than “loss”)" in said
    assert "“Sheet3” (its rows are steps, those of “Sheet” are not)" in said
    assert "1 line above the header of “Sheet1” skipped" in notes(runs)


def test_a_sheet_a_run_is_a_run_and_names_that_several_sheets_use_are_told_apart() -> None:
    curve = [["step", "tokens", "loss"], [1, 1e8, 5.0], [2, 2e8, 4.5]]
    runs = table(workbook(curve, curve), "curves.xlsx")
    assert runs.frame["run"].tolist() == ["Sheet", "Sheet", "Sheet1", "Sheet1"]
    named = [["run", *row] if i == 0 else ["a", *row] for i, row in enumerate(curve)]
    runs = table(workbook(named, named), "curves.xlsx")
    assert runs.frame["run"].tolist() == ["Sheet/a", "Sheet/a", "Sheet1/a", "Sheet1/a"]
    runs = table(workbook(named, curve), "curves.xlsx")
    assert runs.frame["run"].tolist() == ["a", "a", "Sheet1", "Sheet1"]


def test_a_workbook_with_a_cell_in_the_far_corner_is_refused() -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "params", 1
    data = io.BytesIO()
    book.save(data)
    with pytest.raises(UserError, match="more than 5,000,000 cells"):
        table(data.getvalue(), "runs.xlsx")


@pytest.mark.parametrize(
    "data",
    [
        {"params": [1e8, 2e8], "tokens": [1e9, 2e9], "loss": [3.0, 2.9]},
        {"params": {"0": 1e8, "1": 2e8}, "tokens": {"0": 1e9, "1": 2e9}, "loss": {"0": 3.0, "1": 2.9}},
        {"columns": ["params", "tokens", "loss"], "index": [0, 1], "data": [[1e8, 1e9, 3.0], [2e8, 2e9, 2.9]]},
        {"n": 1, "runs": [{"params": 1e8, "tokens": 1e9, "loss": 3.0}, {"params": 2e8, "tokens": 2e9, "loss": 2.9}]},
        {"a": {"params": 1e8, "tokens": 1e9, "loss": 3.0}, "b": {"params": 2e8, "tokens": 2e9, "loss": 2.9}},
    ],
    ids=["columns", "pandas columns", "pandas split", "list", "by name"],
)  # fmt: skip
def test_one_json_object_may_be_a_table(data: dict[str, object]) -> None:
    runs = table(json.dumps(data), "runs.json")
    assert runs.frame["params"].tolist() == [1e8, 2e8]
    assert runs.frame["loss"].tolist() == [3.0, 2.9]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("train.log", logs.NANOGPT), ("litgpt.log", logs.LITGPT), ("d12.log", logs.NANOCHAT), ("log.txt", logs.MODDED),
        ("olmo.log", logs.OLMO), ("core.log", logs.OLMO_CORE), ("run.log", logs.autoresearch(5)),
        ("metrics.csv", logs.LITGPT_CSV), ("metrics.csv", logs.LIGHTNING), ("log.csv", logs.KERAS),
        ("trainer_state.json", logs.trainer_state(upto=300)),
        ("runs.xlsx", workbook([["params", "tokens", "loss"], [1e8, 1e9, 3.0]])),
    ],
    ids=["nanogpt", "litgpt", "nanochat", "modded", "olmo", "olmo core", "autoresearch",
         "litgpt csv", "lightning", "keras", "hugging face", "excel"],
)  # fmt: skip
def test_cut_anywhere_a_file_is_read_in_part_or_refused_in_words(name: str, data: str | bytes) -> None:
    whole = data if isinstance(data, bytes) else data.encode()
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        error = refusal(name, whole[:length])
        assert error is None or (error.what and error.where)


def refusal(name: str, data: bytes) -> UserError | None:
    """Read a file; anything but rows or a person's error would fail the test."""
    try:
        (found,), _ = gather([Upload(name, data)])
    except UserError as error:
        return error
    assert 0 < len(found.raw.frame) <= data.count(b"\n") + data.count(b"\r") + 1
    return None


def test_megatron_counts_the_samples_consumed_and_leaves_the_test_set_out() -> None:
    runs = table(logs.MEGATRON, "log.txt")
    assert runs.frame["step"].tolist() == [100, 200]
    assert runs.frame["loss"].tolist() == [6.125, 5.375]
    assert runs.curves["train_loss"].tolist() == [6.25, 5.5]
    # The batch grew on the way: 19,200 samples, not 200 steps of 64.
    assert runs.frame["tokens"].tolist() == [6400 * 2048, 19200 * 2048]
    assert runs.frame["params"].tolist() == [0.35e9] * 2
    assert "rounded, in billions" in notes(runs)


def test_gpt_neox_lines_are_read_and_what_no_line_states_is_asked_for() -> None:
    with pytest.raises(UserError, match=r"product\.tokens=step"):
        table(logs.NEOX, "log.txt")
    runs = table(logs.NEOX, "log.txt", "product.tokens=step*1024;typed.params=log:160e6")
    assert runs.frame[["step", "tokens", "params", "loss"]].to_numpy().tolist() == [[10, 10240, 160e6, 10.875]]


def test_olmo_metrics_belong_to_the_step_above_them_and_the_loss_is_that_of_validation() -> None:
    runs = table(logs.OLMO, "train.log")
    assert runs.frame[["step", "loss", "tokens"]].to_numpy().tolist() == [
        [500, 4.25, 2_097_152_000],
        [1000, 3.625, 4_194_304_000],
    ]
    assert runs.frame["params"].tolist() == [190_354_176] * 2
    assert runs.frame["params_non_embedding"].tolist() == [151_879_680] * 2
    assert runs.curves["train/CrossEntropyLoss"].tolist() == [11.25, 4.125, 3.5]
    assert runs.curves["train/Perplexity"].tolist()[0] == 76_879
    assert "step=100/1000" in runs.sources[0].reason


def test_olmo_core_evaluations_are_marked_as_such_and_tasks_are_no_loss() -> None:
    raw = read(Upload("train.log", logs.OLMO_CORE.encode()))
    assert raw.frame[
        ["step", "eval/c4_en-validation/CE loss", "eval/downstream/arc_easy (CE loss v2)"]
    ].values.tolist() == [[10, 6.125, 1.5]]
    runs = table(logs.OLMO_CORE, "train.log")
    assert runs.sources[0].mapping["loss"] == "eval/c4_en-validation/CE loss"
    assert runs.frame["tokens"].tolist() == [5_242_880]


def test_llm_c_files_validation_and_training_by_step() -> None:
    runs = table(logs.LLMC_FILED, "main.log", "product.tokens=step*524288;typed.params=main:124e6")
    assert runs.frame[["step", "tokens", "loss"]].to_numpy().tolist()[-1] == [250, 250 * 524288, 6.5]
    assert runs.curves["train_loss"].dropna().tolist() == [10.9]
    assert runs.sources[0].format == "llm.c log"


def test_steps_that_were_written_over_count_and_a_summary_closes_its_run() -> None:
    runs = table(logs.autoresearch(), "run.log", "bytes_per_token=4")
    assert runs.curves["step"].tolist() == list(range(51))
    assert runs.curves["train_loss"].tolist()[:50] == pytest.approx([9 - i / 10 for i in range(50)])
    assert runs.frame[["params", "tokens"]].to_numpy().tolist() == [[50.3e6, 26.2e6]]
    assert runs.frame["loss"].tolist() == pytest.approx([0.9979 * math.log(2) * 4])
    assert runs.curves["tokens"].tolist()[25] == pytest.approx(13.1e6)
    assert "share by steps" in notes(runs)
    cut = logs.autoresearch().removesuffix(".3\ndepth:            8\n")
    assert "lack digits" in rejected(table(cut, "run.log", "bytes_per_token=4"))[10]


def test_a_printed_log_of_an_unknown_tool_is_called_that() -> None:
    text = "[2025-01-01 00:00:00] INFO starting\n[2025-01-01 00:00:09] INFO 10 batches done, all well\n"
    with pytest.raises(UserError, match="printed log of a tool that is not known") as caught:
        table(text, "train.log")
    assert "JSON Lines, CSV" in caught.value.fix


def test_rows_without_any_positive_loss_are_an_error_and_no_crash() -> None:
    lines = [
        '{"event": "config", "lr": 1e-6}',
        *(f'{{"step": {i}, "loss": {-0.5 - i}, "tokens": 9}}' for i in range(3)),
    ]
    with pytest.raises(UserError, match="None of the 4 rows can be used"):
        table("\n".join(lines), "train_log.jsonl")


def test_names_of_final_losses_are_known() -> None:
    text = "model_type,num_params,num_tokens,final_train_loss,final_val_loss,best_val_loss\na,1e6,1e8,3.0,3.5,3.4\n"
    runs = table(text, "all_results.csv")
    assert runs.frame["loss"].tolist() == [3.5]
    assert "because of its words" not in notes(runs)


def test_a_file_of_tokens_and_losses_is_one_run_whose_name_may_hold_its_size() -> None:
    text = "tokens_seen,loss\n1e6,{}\n2e6,7.5\n4e6,{}\n"
    files = [(f"curves/curve_N{n}.csv", text.format(9 - n / 4e6, 6 - n / 4e6)) for n in (10**6, 4 * 10**6)]
    plain = together(*files)
    assert plain.frame[plain.frame["is_final"]]["loss"].tolist() == [5.75, 5.0]
    uploads = [Upload(name, data.encode()) for name, data in files]
    runs = load(uploads, Overrides.parse(r"pattern=N(?P<params>\d+)"))
    finals = runs.frame[runs.frame["is_final"]]
    assert finals[["params", "tokens"]].to_numpy().tolist() == [[1e6, 4e6], [4e6, 4e6]]


def test_growing_sizes_of_data_stay_runs_of_their_own_unless_they_are_many_and_evenly_spaced() -> None:
    sized = table("params,tokens_seen,loss\n1e6,1e8,3.5\n1e6,2e8,3.2\n1e6,4e8,3.0\n", "sweep.csv")
    assert sized.frame["is_final"].tolist() == [True] * 3
    data_sizes = table("tokens,loss\n1e8,3.5\n2e8,3.2\n4e8,3.0\n", "sweep.csv")
    assert data_sizes.frame["is_final"].tolist() == [True] * 3
    even = "".join(f"{i}e6,{9 - i / 10}\n" for i in range(1, 31))
    curve = table(f"tokens,loss\n{even}", "curve.csv").frame
    assert curve[curve["is_final"]]["tokens"].tolist() == [30e6]
