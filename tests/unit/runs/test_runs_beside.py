"""Tables beside settings, and tables whose rows are points on the way of runs."""

from __future__ import annotations

import json

import pytest
from runs_helpers import notes, table

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, RunTable, Upload, load

#: nanoGPT's decoder without biases: 12 d² + 2 d a block, a last norm, embeddings shared with the head, positions.
SHAPE = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 128, "vocab_size": 1000, "bias": False}
PARAMS = 4 * (12 * 128**2 + 256) + 128 + 1000 * 128 + 128 * 128


def together(*files: tuple[str, str]) -> RunTable:
    return load([Upload(name, data.encode()) for name, data in files])


def test_a_curve_without_steps_takes_n_from_the_settings_beside_it() -> None:
    runs = together(("m.csv", "tokens_seen,loss\n1e6,4\n2e6,3.5\n3e6,3.2\n"), ("config.json", json.dumps(SHAPE)))
    assert runs.frame["params"].tolist() == [PARAMS] * 3
    assert runs.frame["is_final"].tolist() == [False, False, True]


def test_settings_beside_a_table_of_several_runs_are_taken_for_all_with_a_warning() -> None:
    sweep = "name,lr,tokens,loss\na,1e-3,1e6,4\nb,2e-3,2e6,3.5\n"
    runs = together(("sweep.csv", sweep), ("config.json", json.dumps({**SHAPE, "lr": 1})))
    assert runs.frame["params"].tolist() == [PARAMS] * 2
    assert runs.frame["lr"].tolist() == [1e-3, 2e-3]
    assert "taken for all of its 2 rows" in notes(runs, "warning")


def test_a_log_of_one_named_run_and_its_settings_in_toml() -> None:
    log = '{"run":"q","step":1,"loss":4}\n{"run":"q","step":2,"loss":3}\n'
    runs = together(("x/log.jsonl", log), ("x/hparams.toml", "tokens_per_step = 4096\n[model]\nn_params = 1e6\n"))
    assert runs.frame[["run", "params", "tokens"]].to_numpy().tolist() == [["q", 1e6, 4096], ["q", 1e6, 8192]]


def test_steps_of_several_runs_in_one_table_count_tokens_by_the_settings() -> None:
    log = "step,loss,run\n1,4,a\n2,3,a\n1,3.9,b\n2,2.9,b\n"
    runs = together(("log.csv", log), ("config.yaml", "tokens_per_step: 4096\nn_params: 1000000\n"))
    assert runs.frame["tokens"].tolist() == [4096, 8192] * 2
    assert runs.frame["run"].tolist() == ["a", "a", "b", "b"]


def test_settings_that_cannot_be_read_are_said() -> None:
    with pytest.raises(UserError, match="settings cannot be read"):
        together(("m.csv", "params,loss\n1,2\n"), ("config.toml", "a = = 1"))


NAMED = "run,params,tokens,loss\na,1e6,1e8,4\nb,4e6,1e8,3.8\na,1e6,2e8,3.5\nb,4e6,2e8,3.2\nb,4e6,4e8,3\n"


def test_rows_of_one_name_with_rising_tokens_are_points_on_the_way_of_a_run() -> None:
    runs = table(NAMED)
    assert runs.frame["is_final"].tolist() == [False, False, True, False, True]
    assert runs.curves["step"].tolist() == runs.curves["tokens"].tolist() == [1e8, 1e8, 2e8, 2e8, 4e8]
    assert "points on the way of 2 runs" in notes(runs, "warning")
    apart = load([Upload("runs.csv", NAMED.encode())], Overrides.parse("step="))
    assert apart.frame["is_final"].all()


@pytest.mark.parametrize(
    "text",
    [
        NAMED.replace("run,", "model,"),
        NAMED.replace("b,4e6,4e8", "b,4e6,1e8"),
        NAMED.replace("b,4e6,4e8", "b,5e6,4e8"),
        "run,seed,tokens,loss\na,1,1e8,4\na,2,2e8,3.5\nb,1,1e8,3\n",
        "run,params,tokens,loss\na,1e6,1e8,4\nb,1e6,2e8,3\n",
    ],
    ids=["a model may be trained several times", "tokens that do not rise", "another N", "another seed", "no repeats"],
)  # fmt: skip
def test_other_rows_stay_runs_of_their_own(text: str) -> None:
    assert table(text).frame["is_final"].all()


def test_many_even_points_of_a_model_are_its_curve() -> None:
    rows = "".join(f"{m},{i}e6,{9 - i / 10}\n" for m in ("70M", "160M") for i in range(1, 31))
    runs = table(f"model,tokens,loss\n{rows}")
    assert runs.frame[runs.frame["is_final"]]["tokens"].tolist() == [30e6] * 2
