"""Event files that TensorBoard's own writer wrote, whole, restarted and damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
from runs_helpers import error
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.plugins.hparams import summary_v2
from tensorboard.plugins.scalar.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util
from tracker_files import event_file

from scaling_core.errors import UserError
from scaling_core.runs import Upload, build, load, read
from scaling_core.runs.readers import detect
from scaling_core.runs.readers.tensorboard import TensorBoardReader

NAME = "events.out.tfevents.1.host.2.0"


def written(folder, events):
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()
    (file,) = folder.iterdir()
    return Upload.from_path(file)


def scalar(tag, step, value, time=1.7e9):
    return Event(wall_time=time, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def tensor(tag, step, proto, metadata=None):
    value = Summary.Value(tag=tag, tensor=proto, metadata=metadata)
    return Event(wall_time=1.7e9, step=step, summary=Summary(value=[value]))


def test_every_point_is_kept_where_the_viewer_keeps_ten_thousand(tmp_path):
    upload = written(tmp_path, (scalar("train/loss", s, 3 - s / 1e5, 1.7e9 + s) for s in range(12_000)))
    raw = read(upload)
    assert raw.format == "TensorBoard"
    assert len(raw.frame) == 12_000
    np.testing.assert_array_equal(raw.frame["step"], np.arange(12_000))
    np.testing.assert_array_equal(raw.frame["train/loss"], np.float32(3 - np.arange(12_000) / 1e5).astype(float))
    np.testing.assert_array_equal(raw.frame["seconds"], np.arange(12_000.0))
    assert not raw.notes


def test_training_and_validation_of_one_step_share_a_row_and_settings_come_along(tmp_path):
    plugin = create_summary_metadata("eval/loss", "")
    settings = summary_v2.hparams_pb({"n_params": 1e6, "tokens_per_step": 4096, "optimizer": "adam", "tied": True})
    events = [Event(wall_time=1.7e9, summary=settings)]
    events += [scalar("train/loss", s, 3 - s / 100) for s in range(1, 41)]
    for s in range(10, 41, 10):
        events.append(tensor("eval/loss", s, tensor_util.make_tensor_proto(np.float32(3.125 - s / 64)), plugin))
    upload = written(tmp_path, events)
    runs = build(read(upload), upload)
    assert runs.frame["step"].tolist() == [10, 20, 30, 40]
    np.testing.assert_array_equal(runs.frame["loss"], 3.125 - np.array([10, 20, 30, 40]) / 64)
    assert runs.frame["tokens"].tolist() == [40960, 81920, 122880, 163840]
    assert (runs.frame["params"] == 1e6).all()
    assert runs.rejected.empty
    assert len(runs.curves) == 40
    assert runs.curves["train/loss"].notna().all()
    assert runs.curves["loss"].notna().sum() == 4


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8])
def test_tensors_of_one_number_count_in_every_type(tmp_path, kind):
    proto = tensor_util.make_tensor_proto(kind(2))
    packed = TensorProto(dtype=proto.dtype, tensor_content=np.array(kind(2)).tobytes())
    upload = written(tmp_path, [tensor("a", 1, proto), tensor("a", 2, packed), scalar("a", 3, 7)])
    assert read(upload).frame["a"].tolist() == [2, 2, 7]


def test_tensors_of_several_numbers_and_other_media_are_passed_over(tmp_path):
    events = [
        tensor("vector", 1, tensor_util.make_tensor_proto(np.ones(3, np.float32))),
        tensor("empty", 1, tensor_util.make_tensor_proto(np.ones(0, np.float32))),
        tensor("short", 1, TensorProto(dtype=1, tensor_content=b"\x00")),
        tensor("word", 1, tensor_util.make_tensor_proto("hello")),
        scalar("loss", 1, 2.0),
        scalar("loss", 2, 1.0),
    ]
    assert read(written(tmp_path, events)).frame.columns.tolist() == ["run", "step", "seconds", "loss"]


def test_settings_that_a_trainer_writes_as_text_are_read(tmp_path):
    text = {"per_device_train_batch_size": 8, "seq_length": 128, "world_size": 4, "gradient_accumulation_steps": 2}
    proto = tensor_util.make_tensor_proto(json.dumps(text))
    metadata = create_summary_metadata("", "")
    upload = written(
        tmp_path, [tensor("args/text_summary", 0, proto, metadata), *(scalar("loss", s, 2) for s in (1, 2))]
    )
    raw = read(upload)
    assert raw.frame["tokens"].tolist() == [8 * 128 * 4 * 2, 2 * 8 * 128 * 4 * 2]
    assert any("× step" in note.text for note in raw.notes)


def test_a_restart_keeps_the_later_value_and_says_so(tmp_path):
    events = [scalar("loss", s, 3.0) for s in range(10)] + [scalar("loss", s, 2.0) for s in range(5, 15)]
    raw = read(written(tmp_path, events))
    assert raw.frame["loss"].tolist() == [3.0] * 5 + [2.0] * 10
    assert any("5 values were logged again" in note.text for note in raw.notes)


def test_not_a_number_is_named_with_its_first_step(tmp_path):
    events = [scalar("loss", s, 3.0 - s if s < 7 else float("nan")) for s in range(10)]
    raw = read(written(tmp_path, events))
    assert any("“loss” from step 7" in note.text for note in raw.notes)


def test_a_damaged_record_is_left_out_and_listed():
    data = bytearray(event_file([("loss", s, 3 - s / 8) for s in range(8)]))
    place = data.index(b"loss", 200)
    data[place] ^= 1
    raw = read(Upload(NAME, bytes(data)))
    assert len(raw.frame) == 7
    assert raw.rejected["reason"].tolist() == ["The record fails its checksum."]
    assert any("1 records fail" in note.text for note in raw.notes)


def test_cut_at_any_byte_it_gives_what_came_before_or_a_plain_error():
    data = event_file([("loss", s, 3 - s / 8) for s in range(8)])
    record = (len(data) - len(event_file([]))) // 8
    for size in range(1, len(data), 3):
        upload = Upload(NAME, data[:size])
        try:
            rows = len(TensorBoardReader().read(upload).frame)
        except UserError:
            rows = 0
        assert rows == max(0, size - len(event_file([]))) // record


def test_content_tells_the_format_whatever_the_name():
    data = event_file([("loss", s, 3 - s / 8) for s in range(8)])
    best = detect(Upload("runs.csv", data))[0]
    assert best.reader.name == "TensorBoard"
    assert "brain.Event" in best.likeness.reason
    assert not [c for c in detect(Upload(NAME, b"step,loss\n1,2\n")) if c.reader.name == "TensorBoard"]


def test_a_file_without_numbers_is_an_error():
    assert "no numbers" in error(event_file([]), NAME).what


def test_splits_in_folders_of_their_own_are_one_run():
    train = event_file([("epoch_loss", s, 3 - s / 8) for s in range(1, 5)] + [("n_params", 1, 1e6)])
    validation = event_file([("epoch_loss", s, 3.5 - s / 8) for s in range(1, 5)])
    files = [Upload(f"log/x/train/{NAME}", train), Upload(f"log/x/validation/{NAME}", validation)]
    runs = load([*files, Upload("log/x/hparams.yaml", b"n_params: 1000000\ntokens_per_step: 100\n")])
    assert len(set(runs.frame["run"])) == 1
    assert runs.frame["loss"].tolist() == [3.375, 3.25, 3.125, 3]
    assert runs.frame["train/epoch_loss"].tolist() == [2.875, 2.75, 2.625, 2.5]
    assert runs.frame["tokens"].tolist() == [100, 200, 300, 400]
