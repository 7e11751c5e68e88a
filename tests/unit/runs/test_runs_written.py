"""What the tools themselves wrote is read as they meant it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from written_by import SAMPLES, loss, written

from scaling_core.runs import Overrides, RunTable, Upload, load, read


def uploads(folder: Path) -> list[Upload]:
    """Take a folder as a person drops it: every file with its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Upload(str(path.relative_to(folder.parent)), path.read_bytes()) for path in files]


def texts(runs: RunTable) -> str:
    return "\n".join(note.text for note in runs.notes)


def losses(runs: RunTable, name: str) -> dict[float, float]:
    rows = runs.frame[runs.frame["run"] == name]
    return dict(zip(rows["step"], rows["loss"], strict=True))


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    database, store = folder / "mlflow.db", folder / "mlruns"
    written("mlflow", f"sqlite:///{database}", store.as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    return {"database": [Upload("mlflow.db", database.read_bytes())], "folder": uploads(store)}


@pytest.mark.parametrize("store", ["database", "folder"])
def test_mlflow_s_runs_are_read_from_either_of_its_stores(mlflow, store):
    runs = load(mlflow[store])
    assert sorted(runs.frame["run"].unique()) == ["child", "failed", "nested", "resumed", "running", "tiny"]
    expected = {"tiny": (0, 60, 1e6), "nested": (1, 60, 2e6), "running": (5, 11, 16e6), "child": (6, 60, 32e6)}
    for name, (number, end, params) in expected.items():
        assert losses(runs, name) == {s: loss(number, s) for s in range(0, end, 10)}
        assert (runs.frame.loc[runs.frame["run"] == name, "params"] == params).all()
    # The second sitting begins at step 30, with other values.
    assert losses(runs, "resumed") == {s: loss(2 if s < 30 else 3, s) for s in range(0, 60, 10)}
    assert losses(runs, "failed") == {s: loss(4, s) for s in (0, 10, 20)}
    assert runs.rejected["reason"].tolist() == ["The loss (“val_loss”) is inf; it must be above zero and finite."]
    said = texts(runs)
    for part in (
        "failed: Logged as not a number: “val_loss” from step 30",
        "1 run (“failed”) is marked as failed",
        "1 run (“running”) is marked as running",
        "1 run (“empty”) logged no metric and was left out.",
    ):
        assert part in said
    assert "deleted" in said
    assert "deleted" not in set(runs.frame["run"])
    assert "first line holds numbers" not in said  # no file of the store was taken for a table of its own


@pytest.mark.parametrize("store", ["database", "folder"])
def test_mlflow_s_metrics_settings_and_tokens_come_along(mlflow, store):
    runs = load(mlflow[store])
    nested = runs.frame[runs.frame["run"] == "nested"]
    assert (nested["model/n_layer"] == 4).all()
    assert (nested["model.d_model"] == 128).all()
    norms = [c for c in runs.curves if c.startswith("grad_norm/layer")]
    assert len(norms) == 40
    # Logged at every fourth step, and so not at step 10, 30 and 50.
    assert nested["tokens"].tolist()[1:] == [4096.0 * s for s in range(10, 60, 10)]
    assert np.isnan(nested["tokens"].iloc[0])
    curve = runs.curves[runs.curves["run"] == "tiny"]
    assert curve["train/loss"].tolist() == [loss(0, s) + 0.1 for s in range(60)]
    assert curve["seconds"].tolist() == list(range(60))


@pytest.fixture(scope="module")
def trackio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trackio")
    written("trackio", TRACKIO_DIR=str(folder))
    return load([Upload("sweep.db", (folder / "sweep.db").read_bytes())])


def test_trackio_s_runs_are_read(trackio):
    assert trackio.frame["run"].unique().tolist() == ["nested", "resumed", "odd", "twice", "twice (2)"]
    assert losses(trackio, "nested") == {s: loss(0, s) for s in (0, 10, 20, 30)}
    assert losses(trackio, "resumed") == {s: loss(1 if s < 20 else 2, s) for s in (0, 10, 20, 30)}
    assert losses(trackio, "odd") == {s: loss(3, s) for s in (0, 10, 20)}
    assert losses(trackio, "twice (2)") == {s: loss(5, s) for s in (0, 10)}
    params = trackio.frame.groupby("run", sort=False)["params"].unique().str[0]
    assert params.tolist() == [1e6, 2e6, 4e6, 32e6, 40e6]
    assert trackio.rejected["reason"].tolist() == ["The loss (“val/loss”) is -inf; it must be above zero and finite."]


def test_trackio_s_nested_values_come_along(trackio):
    nested = trackio.curves[trackio.curves["run"] == "nested"]
    assert nested["norms.layer0"].tolist() == [0.5] * 40 + [0.25]
    assert trackio.frame["model.layers"].iloc[0] == 3
    assert nested["tokens"].tolist()[1:40] == [4096.0 * s for s in range(1, 40)]
    assert not [c for c in trackio.curves if c.startswith(("weights", "note"))]


def test_lightning_s_validation_has_the_tokens_of_its_step():
    runs = load(uploads(SAMPLES / "lightning"))
    assert runs.frame["run"].tolist() == ["version_0"] * 4 + ["version_1"] * 4
    assert runs.frame["step"].tolist() == [7, 15, 23, 31] * 2
    # Eight batches of eight sequences of nine tokens an epoch; logged at every third step, and never at the last.
    assert runs.frame["tokens"].tolist() == [576.0 * epoch for epoch in (1, 2, 3, 4)] * 2
    assert runs.frame["width"].tolist() == [4] * 4 + [16] * 4
    assert runs.frame["loss"].iloc[4] == 1.8387434482574463
    assert runs.rejected.empty
    assert "“tokens_seen” was not logged at" in texts(runs)


def test_keras_s_logs_are_read_with_either_separator_and_after_a_second_sitting():
    (small, large, rare) = (SAMPLES / "keras" / name for name in ("small.csv", "large.log", "rare.csv"))
    for path, epochs in ((small, 5), (large, 6)):
        raw = read(Upload(path.name, path.read_bytes()))
        assert raw.format == "Keras CSV"
        assert raw.frame["step"].tolist() == list(range(1, epochs + 1))
        assert raw.frame["val_loss"].notna().all()
    size = Overrides.parse("typed.params=rare:1000")
    runs = load([Upload(rare.name, rare.read_bytes())], size)
    assert runs.frame["step"].tolist() == [2, 4, 6]
    assert runs.frame["loss"].tolist() == [0.8090401291847229, 0.7958670258522034, 0.7829258441925049]
    assert runs.curves["train_loss"].notna().sum() == 6


def test_the_trainer_s_folders_are_a_run_each_with_tokens_counted_or_computed_alike():
    runs = load(uploads(SAMPLES / "transformers"))
    assert runs.frame["run"].tolist() == ["gpt2-1x16"] * 4 + ["gpt2-2x32"] * 4
    assert runs.frame["step"].tolist() == [10, 20, 30, 40] * 2
    # Two batches of 8 sequences of 32 tokens a step: counted in the second run, computed from FLOPs in the first.
    assert runs.frame["tokens"].tolist() == [8 * 32 * 2 * s for s in (10, 20, 30, 40)] * 2
    assert runs.frame["params"].tolist() == [4848] * 4 + [28544] * 4
    state = json.loads((SAMPLES / "transformers/gpt2-2x32/trainer_state.json").read_text())
    assert runs.frame["flops"].iloc[-1] == state["total_flos"]
    evaluated = [row["eval_loss"] for row in state["log_history"] if "eval_loss" in row]
    assert runs.frame["loss"].tolist()[4:] == evaluated[:4]
    assert "summaries of a run" in texts(runs)
    assert "as after a restart" not in texts(runs)
