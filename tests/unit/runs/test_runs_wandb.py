"""A file that W&B itself wrote, whole and damaged, and the CSV files that its pages export."""

from __future__ import annotations

import numpy as np
import pytest
from runs_helpers import error, notes, table
from tracker_files import real_wandb_file, wandb_file, wandb_records

from scaling_core.errors import UserError
from scaling_core.runs import Upload, build, read
from scaling_core.runs.readers import detect
from scaling_core.runs.readers.leveldb import Damage, records

STEPS = 400


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    return real_wandb_file(tmp_path_factory.mktemp("wandb"), STEPS)


def test_an_offline_run_is_read_whole(offline):
    upload = Upload("run-1.wandb", offline)
    raw = read(upload)
    assert raw.format == "W&B offline"
    assert len(raw.frame) == STEPS
    np.testing.assert_array_equal(raw.frame["train/loss"], 3 - np.arange(STEPS) / 1000)
    np.testing.assert_array_equal(raw.frame["nested.a"].dropna(), [0, 200, 400, 600])
    assert not {"text", "gone", "histogram", "_step", "_runtime"} & set(raw.frame.columns)
    assert (raw.frame["model.n_layer"] == 4).all()
    assert any("“gone” from step 0" in note.text for note in raw.notes)
    runs = build(raw, upload)
    assert set(runs.frame["run"]) == {"tiny"}
    assert runs.frame["step"].tolist() == [0, 100, 200, 300]
    np.testing.assert_array_equal(runs.frame["loss"], 3.1 - np.array([0, 100, 200, 300]) / 1000)
    assert runs.frame["tokens"].iloc[-1] == 8 * 128 * 2 * 300
    assert len(runs.curves) == STEPS
    assert "state" not in raw.frame


@pytest.mark.parametrize(("exit_code", "state"), [(1, "failed"), (None, "running")])
def test_a_run_that_did_not_end_well_says_so(exit_code, state):
    raw = read(Upload("run-2.wandb", wandb_file(wandb_records(3, exit_code))))
    assert set(raw.frame["state"]) == {state}
    assert raw.frame["loss"].tolist() == [3, 2.875, 2.75]
    assert raw.frame["a.b"].tolist() == [0, 1, 2]
    assert any(f"marked as {state}" in note.text for note in raw.notes)


def test_a_run_that_ended_well_has_no_state():
    assert "state" not in read(Upload("run-2.wandb", wandb_file(wandb_records(3)))).frame


def test_cut_at_a_byte_it_gives_the_rows_before_and_says_that_the_end_is_missing(offline):
    seen = []
    for size in [*range(8, 400, 23), *range(400, len(offline) - 1, 4999), len(offline) - 1]:
        try:
            raw = read(Upload("run.wandb", offline[:size]))
        except UserError:
            seen.append(0)
            continue
        assert set(raw.frame["state"]) == {"running"}
        seen.append(len(raw.frame))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == STEPS


def test_a_damaged_block_costs_only_itself(offline):
    damaged = bytearray(offline)
    damaged[2**15 + 300] ^= 255
    raw = read(Upload("run.wandb", bytes(damaged)))
    assert 0.5 * STEPS < len(raw.frame) < STEPS
    assert any("1 blocks of the file are damaged" in note.text for note in raw.notes)


@pytest.mark.parametrize("size", [0, 1, 2**15 - 7 - 7, 2**15 - 7 - 6, 2**15 - 7 - 10, 2**15, 100_000])
def test_records_of_any_length_come_back(size):
    sent = [b"x" * size, b"second", b"", b"y" * size]
    damage = Damage()
    assert list(records(wandb_file(sent), damage)) == sent
    assert damage == Damage()


CHART = (
    '"Step","gpt - a - val/loss","gpt - a - val/loss__MIN","gpt - a - val/loss__MAX","b - val/loss",'
    '"b - val/loss__MIN","b - val/loss__MAX","b - _step","b - _step__MIN","b - _step__MAX"\n'
    '"0","3.5","3.5","3.5","","","","","",""\n"10","3.1","3.1","3.1","3.25","3.25","3.25","10","10","10"\n'
)


def test_a_chart_becomes_runs_without_minima_and_maxima():
    raw = read(Upload("wandb_export.csv", CHART.encode()))
    assert raw.format == "W&B chart CSV"
    assert raw.frame["run"].tolist() == ["gpt - a", "gpt - a", "b"]
    assert raw.frame["step"].tolist() == [0, 10, 10]
    assert raw.frame["val/loss"].tolist() == [3.5, 3.1, 3.25]
    assert raw.frame.columns.tolist() == ["run", "step", "val/loss"]
    assert raw.line.tolist() == [2, 3, 3]
    assert [n.severity for n in raw.notes] == ["info"]
    assert "6 columns of minima and maxima" in raw.notes[0].text


def test_a_chart_of_groups_is_said_to_hold_means():
    raw = read(Upload("wandb_export.csv", CHART.replace('"3.1","3.1","3.1"', '"3.1","2.9","3.3"').encode()))
    (warning,) = [n for n in raw.notes if n.severity == "warning"]
    assert "1 of 3 columns" in warning.text
    assert "means over grouped runs" in warning.text


def test_a_chart_over_tokens_keeps_them():
    text = "tokens,a - loss,a - loss__MIN,a - loss__MAX\n2000000,3,3,3\n1000000,4,4,4\n"
    raw = read(Upload("chart.csv", text.encode()))
    assert raw.frame["tokens"].tolist() == [1e6, 2e6]
    assert raw.frame["loss"].tolist() == [4, 3]
    assert raw.frame["step"].tolist() == [0, 1]


HEADER = '"ID","Name","State","Notes","User","Tags","Created","Runtime","Sweep","n_params","tokens","val/loss"\n'
TABLE = (
    HEADER + '"a","gpt","finished","-","me","","2026-01-01T00:00:00Z","100","","1000000","20000000","3.5"\n'
    + '"","","","","","","","","","","",""\n' + HEADER
    + '"b","gpt","crashed","-","me","","2026-01-01T00:00:00Z","50","","2000000","10000000","3.75"\n\n'
    + '"c","gpt-2","finished","-","me","","2026-01-01T00:00:00Z","100","","4000000","80000000","3"\n'
)  # fmt: skip


def test_the_table_of_runs_is_read_with_blank_and_repeated_rows_and_a_run_that_crashed():
    runs = table(TABLE, "wandb_runs.csv")
    assert runs.sources[0].format == "W&B runs table"
    assert runs.frame["run"].tolist() == ["gpt", "gpt (2)", "gpt-2"]
    assert runs.frame["params"].tolist() == [1e6, 2e6, 4e6]
    assert runs.frame["state"].tolist() == ["finished", "crashed", "finished"]
    assert runs.frame["seconds"].tolist() == [100, 50, 100]
    assert runs.frame["is_final"].all()
    assert "User" not in runs.frame
    assert runs.rejected["reason"].tolist() == ["The row repeats the header."]
    assert "1 run (“gpt (2)”) is marked as crashed." in notes(runs, "warning")
    assert "1 blank rows" in notes(runs, "info")
    assert runs.curves.empty


def test_a_table_of_runs_without_any_row_is_an_error():
    assert "no row" in error(HEADER + '"","","","","","","","","","","",""\n', "wandb_runs.csv").what


def test_an_ordinary_table_is_not_taken_for_one_of_w_and_b():
    for text in ("name,params,tokens,loss\na,1,2,3\n", "Step,train - loss,x\n1,2,3\n", "Name,State\na,b\n"):
        assert detect(Upload("a.csv", text.encode()))[0].reader.name == "CSV"
