"""Runs written and read back: the same rows, values and types, and where they came from."""

import json

import numpy as np
import pandas as pd
import pytest
from pyarrow import BufferReader, parquet

from scaling_core.cli import main
from scaling_core.errors import UserError
from scaling_core.runs import Upload, load, sample
from scaling_core.runs.exchange import KINDS, PARQUET_KEY, export, provenance

LOG = b"""run,step,params,loss,lr,optimizer,note
a,1,1e6,3.0,0.1,adam,"=1+1"
a,2,1e6,,0.2,adam,
a,3,1e6,2.5000000000000004,0.3,adam,'quoted
b,1,2e6,2.9,0.1,muon,"two
lines"
b,2,2e6,-1,0.2,muon,@x
b,3,2e6,2.25,0.30000000000000004,muon,plain
"""


def log_table():
    return load([Upload("log.csv", LOG)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["chinchilla_frontier", "cerebras_gpt", "log"])
def test_what_is_written_is_read_back_the_same(kind: str, name: str) -> None:
    table = log_table() if name == "log" else load(sample(name).uploads(), sample(name).overrides)
    again = load([Upload(f"out.{kind}", export(table, kind))])
    pd.testing.assert_frame_equal(again.frame, table.frame, check_exact=True)
    assert again.rejected.empty
    assert again.sources[0].derived == {}


def test_where_each_row_came_from_stays_with_it() -> None:
    again = load([Upload("out.csv", export(log_table(), "csv"))])
    assert list(again.frame["file"].unique()) == ["log.csv"]
    assert again.frame["line"].tolist() == [2, 4, 5, 8]
    assert again.frame["note"].tolist() == ["=1+1", "'quoted", "two\nlines", "plain"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_logged_step_is_written(kind: str) -> None:
    table = log_table()
    data = export(table, kind, "curves")
    again = load([Upload(f"out.{kind}", data)])
    assert len(table.curves) == 5
    for column in ("run", "step", "loss", "lr"):
        assert again.curves[column].tolist() == pytest.approx(table.curves[column].tolist(), nan_ok=True)


def test_provenance_names_files_hashes_units_and_what_was_left_out() -> None:
    table = log_table()
    said = json.loads(export(table, "json"))["provenance"]
    assert said["files"][0]["file"] == "log.csv"
    assert said["files"][0]["sha256"] == Upload("log.csv", LOG).sha256
    assert said["units"]["loss"] == "nats per token"
    assert [row["line"] for row in said["left_out"]] == [7]
    assert said["digest"] == table.digest
    metadata = parquet.ParquetFile(BufferReader(export(table, "parquet"))).schema_arrow.metadata
    assert json.loads(metadata[PARQUET_KEY]) == said == json.loads(json.dumps(provenance(table)))
    assert export(table, "json") == export(log_table(), "json")


def test_json_is_strict() -> None:
    data = export(log_table(), "json", "curves")
    assert b"NaN" not in data
    whole = json.loads(data, parse_constant=lambda name: pytest.fail(name))
    assert len(whole["data"]) == 5
    assert whole["data"][1][whole["columns"].index("loss")] is None


def test_infinite_numbers_and_truth_values_come_back_from_json() -> None:
    text = "run,step,params,loss,grad,tied\na,1,1e6,3,inf,True\na,2,1e6,2.5,,True\n"
    text += "b,1,2e6,2.9,-inf,False\nb,2,2e6,2.4,1,False\n"
    table = load([Upload("log.csv", text.encode())])
    data = export(table, "json")
    assert json.loads(data, parse_constant=lambda name: pytest.fail(name))["not_finite"] == {
        "grad": {"inf": [0], "-inf": [2]}
    }
    again = load([Upload("out.json", data)])
    pd.testing.assert_frame_equal(again.frame, table.frame, check_exact=True)
    for list_ in (b'"inf": [true, 99, -1, "x", 0', b'"inf": 5, "-inf": [0'):
        damaged = data.replace(data[data.index(b'"inf": [') : data.index(b"]", data.index(b'"inf": ['))], list_)
        assert np.isinf(load([Upload("out.json", damaged)]).frame["grad"]).sum() in (1, 2)
    curves = load([Upload("curves.json", export(table, "json", "curves"))])
    assert curves.curves["grad"].tolist() == pytest.approx([np.inf, np.nan, -np.inf, 1], nan_ok=True)


def test_nothing_is_thinned() -> None:
    steps = np.arange(1, 30_001)
    frame = pd.DataFrame({"run": "a", "step": steps, "params": 1e6, "loss": 2 + 1 / steps})
    table = load([Upload("long.csv", frame.to_csv(index=False).encode())])
    again = load([Upload("out.parquet", export(table, "parquet"))])
    assert (again.frame["loss"].to_numpy() == frame["loss"].to_numpy()).all()


def test_what_cannot_be_written_is_said() -> None:
    with pytest.raises(UserError, match="no curves"):
        export(load([Upload("x.csv", b"params,loss\n1e6,3\n2e6,2\n")]), "csv", "curves")
    with pytest.raises(UserError, match="xlsx"):
        export(log_table(), "xlsx")


def test_from_the_command_line(tmp_path, capsysbinary) -> None:
    path, out = tmp_path / "log.csv", tmp_path / "out.json"
    path.write_bytes(LOG)
    assert main(["export", str(path), "--to", "json", "--out", str(out)]) == 0
    assert out.read_bytes() == export(log_table(), "json")
    assert b"4 rows written" in capsysbinary.readouterr().out
    assert main(["export", str(path), "--rows", "curves"]) == 0
    assert capsysbinary.readouterr().out == export(log_table(), "csv", "curves")
    assert main(["export", str(path), "--out", str(tmp_path / "no" / "x.csv")]) == 2
