"""Databases and folders of MLflow and trackio, varied and damaged, and databases made to do harm."""

from __future__ import annotations

import numpy as np
import pytest
from tracker_files import MLFLOW, TRACKIO, database, mlflow_rows, mlruns_files, trackio_rows

from scaling_core.errors import UserError
from scaling_core.runs import Upload, build, read
from scaling_core.runs.readers import detect
from scaling_core.runs.readers.base import table_of
from scaling_core.runs.readers.mlruns import MlrunsReader
from scaling_core.runs.readers.sqlite import opened
from scaling_core.runs.readers.trackers import MlflowReader, TrackioReader

#: Counts without end, unless it is stopped.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def test_mlflow_runs_come_with_settings_state_and_both_losses():
    upload = Upload("mlflow.db", database(MLFLOW, mlflow_rows()))
    raw = read(upload)
    assert raw.format == "MLflow"
    assert "“metrics”" in raw.reason
    runs = build(raw, upload)
    assert runs.frame["run"].tolist() == ["tiny"] * 4 + ["fails"]
    assert runs.frame["step"].tolist() == [0, 50, 100, 150, 10]
    np.testing.assert_array_equal(runs.frame["loss"], [3.1, 3.1 - 5 / 20, 3.1 - 10 / 20, 3.1 - 15 / 20, 2.5])
    assert runs.frame["params"].tolist() == [1e6] * 4 + [2e6]
    assert runs.frame["state"].tolist() == ["finished"] * 4 + ["failed"]
    assert len(runs.curves) == 22
    assert runs.curves["train/loss"].notna().sum() == 20
    assert runs.curves["seconds"].iloc[19] == 19
    texts = " ".join(note.text for note in raw.notes)
    for said in ("1 deleted run ", "“fails”) is marked as failed", "fails: Logged as not a number: “val_loss”"):
        assert said in texts


def test_mlflow_writes_infinity_as_the_largest_number():
    rows = mlflow_rows()
    metrics = "metrics(key, value, timestamp, run_uuid, step, is_nan)"
    rows[metrics] = [*rows[metrics], ("train/loss", 1.7976931348623157e308, 0, "b" * 32, 10, 0)]
    frame = read(Upload("mlflow.db", database(MLFLOW, rows))).frame
    assert np.isposinf(frame["train/loss"].iloc[-2])


def test_trackio_runs_come_with_nested_metrics_and_settings():
    upload = Upload("project.db", database(TRACKIO, trackio_rows()))
    raw = read(upload)
    assert raw.format == "trackio"
    runs = build(raw, upload)
    assert runs.frame["run"].tolist() == ["a"] * 4 + ["b"] * 4
    np.testing.assert_array_equal(runs.frame["loss"][:4], 3.1 - np.array([0, 5, 10, 15]) / 20)
    assert runs.frame["params"].tolist() == [1e6] * 4 + [2e6] * 4
    assert raw.frame["nested.x"].tolist() == [*range(20)] * 2
    assert (raw.frame["model.layers"] == 3).all()
    assert runs.curves["seconds"].max() == 19


def test_trackio_before_runs_had_ids_is_read():
    old = ["CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"]
    rows = [("2026-01-01", "a", s, f'{{"loss": {3 - s}}}') for s in range(2)]
    raw = read(Upload("p.db", database(old, {"metrics(timestamp, run_name, step, metrics)": rows})))
    assert raw.frame["loss"].tolist() == [3, 2]


def test_a_database_with_a_write_ahead_log_is_read_and_said_to_lack_it():
    data = bytearray(database(TRACKIO, trackio_rows()))
    data[18:20] = b"\x02\x02"
    raw = read(Upload("project.db", bytes(data)))
    assert len(raw.frame) == 40
    assert any("-wal" in note.text for note in raw.notes)


def test_a_folder_of_mlflow_is_read_without_deleted_runs_and_models():
    files = [Upload(path, text.encode()) for path, text in mlruns_files().items()]
    reader = MlrunsReader()
    claimed = reader.claims([file.name for file in files])
    assert {file.name for file in files} - claimed == {"notes.txt"}
    logs = reader.logs([file for file in files if file.name in claimed])
    (run,) = logs.runs
    assert (run.name, run.state, run.config) == ("tiny", "finished", {"n_params": "1000000"})
    frame = table_of(logs, reader.name, "mlruns").frame
    assert frame["step"].tolist() == [10 * s for s in range(20)]
    assert frame["val_loss"].dropna().tolist() == [3.1, 2.85]
    texts = " ".join(note.text for note in logs.notes)
    assert "deleted run “old”" in texts
    assert "1 lines hold no time" in texts


def test_folders_of_other_tools_are_not_claimed():
    assert not MlrunsReader().claims(["a/metrics/loss", "a/meta.json", "meta.yaml"])


@pytest.mark.parametrize(
    "statements",
    [
        [MLFLOW[0], f"CREATE VIEW metrics AS {ENDLESS} SELECT i AS key, i AS value, i AS run_uuid FROM n"],
        ["CREATE VIEW runs AS SELECT 1 AS run_uuid", MLFLOW[1]],
        [MLFLOW[0], "CREATE VIRTUAL TABLE metrics USING fts5(key, value, run_uuid)"],
    ],
)
def test_views_and_virtual_tables_are_never_read(statements):
    upload = Upload("mlflow.db", database(statements))
    assert detect(upload) == ()
    with pytest.raises(UserError, match="SQLite"):
        read(upload)


def test_a_column_that_a_function_computes_is_not_run():
    computed = "CREATE TABLE metrics (key TEXT, run_uuid TEXT, step INT, value AS (hex(zeroblob(100000000))))"
    upload = Upload("mlflow.db", database([MLFLOW[0], computed], {"metrics(key, run_uuid, step)": [("loss", "a", 1)]}))
    assert detect(upload) == ()
    with opened(upload.data, upload.name) as held:
        assert held.tables["metrics"] == ("key", "run_uuid", "step")
        assert list(held.rows("metrics", ("key", "value"))) == [("loss", None)]


def test_triggers_do_nothing_and_the_file_is_not_written():
    trigger = "CREATE TRIGGER t AFTER INSERT ON metrics BEGIN DELETE FROM runs; END"
    rows = mlflow_rows()
    data = database([*MLFLOW, "CREATE TABLE other (x)"], rows)
    with_trigger = database([*MLFLOW, trigger])
    assert len(read(Upload("mlflow.db", data)).frame) == 22
    with opened(with_trigger, "mlflow.db") as held, pytest.raises(Exception, match="not authorized"):
        held.connection.execute("DELETE FROM runs")


@pytest.mark.parametrize(
    "statement", ["PRAGMA query_only = OFF", "ATTACH '/tmp/x.db' AS x", "SELECT hex('a')", ENDLESS]
)
def test_an_opened_database_allows_reading_alone(statement):
    statement += " SELECT count(*) FROM n" if statement == ENDLESS else ""
    with opened(database(MLFLOW), "x.db") as held, pytest.raises(Exception, match=r"not authorized|prohibited"):
        held.connection.execute(statement)


def test_too_slow_a_database_gives_what_came_in_time():
    rows = [("loss", float(s), 0, "a" * 32, s, 0) for s in range(20_000)]
    data = database(MLFLOW, {"metrics(key, value, timestamp, run_uuid, step, is_nan)": rows})
    with opened(data, "mlflow.db", max_seconds=-1) as held:
        read_rows = list(held.rows("metrics", ("key", "value")))
        assert len(read_rows) < len(rows)
        assert "it takes too long" in held.texts[0]


def test_cells_of_the_wrong_type_are_counted_and_left_out():
    loose = ["CREATE TABLE runs (run_uuid, name)", "CREATE TABLE metrics (key, value, run_uuid, step, timestamp)"]
    good = [("loss", 3.0 - s, "r", s, 0) for s in range(3)]
    bad = [(1, 2.0, "r", 3, 0), ("loss", "x", "r", 3, 0), ("loss", 2.0, None, 3, 0), ("loss", 2.0, "r", "x", 0)]
    bad += [
        ("loss", b"\xff", "r", 3, 0),
        ("loss", 2.0, "r", 2**62, 0),
        ("loss", 2.0, "r", 1.5, 0),
        ("loss", None, "r", 3, 0),
    ]
    raw = read(Upload("m.db", database(loose, {"metrics": [*good, *bad]})))
    assert raw.frame["loss"].tolist() == [3, 2, 1]
    assert any("8 rows of metrics" in note.text for note in raw.notes)


def test_json_of_the_wrong_shape_is_counted_and_left_out():
    bad = ["[1]", "{", b"\xff\xfe", '{"loss": ' + "9" * 400 + "}", "[" * 100_000]
    rows = [("i", "t", "a", s, f'{{"loss": {3 - s}}}') for s in range(2)]
    rows += [("i", "t", "a", 9, text) for text in bad]
    raw = read(Upload("p.db", database(TRACKIO, {"metrics(run_id, timestamp, run_name, step, metrics)": rows})))
    assert raw.frame["loss"].tolist() == [3, 2]
    assert any("4 rows of metrics" in note.text for note in raw.notes)


@pytest.mark.parametrize(
    ("reader", "data"),
    [(MlflowReader(), database(MLFLOW, mlflow_rows())), (TrackioReader(), database(TRACKIO, trackio_rows()))],
    ids=["mlflow", "trackio"],
)
def test_cut_at_any_byte_a_database_gives_rows_or_a_plain_error(reader, data):
    whole = len(reader.logs(Upload("x.db", data)).runs)
    for size in [*range(0, len(data), 701), len(data) - 1]:
        upload = Upload("x.db", data[:size])
        assert reader.looks_like(upload).score in (0, 0.95)
        try:
            assert len(reader.logs(upload).runs) <= whole
        except UserError as caught:
            assert caught.fix  # noqa: PT017
