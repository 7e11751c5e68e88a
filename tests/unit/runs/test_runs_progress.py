"""Reading says how far it is, ends at 1, and stops when asked, leaving nothing behind."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest
from tracker_files import event_file

from scaling_core.runs import Upload, UploadStore, load
from scaling_core.runs.load import READING
from scaling_core.runs.progress import Progress, Reading, StoppedError, by_bytes, part, tick, tracked

ROWS = 30_000
CSV = b"run,step,params,tokens,loss\n" + b"".join(
    b"r%d,%d,%d,%d,%.6f\n" % (i // 100, i % 100, 10**6 + i // 100, 1000 * (1 + i % 100), 2 + 1 / (1 + i % 100))
    for i in range(ROWS)
)
QUOTED = CSV[:200_000].rpartition(b"\n")[0] + b'\nr9,1,1,"1,2\nr9,2,1e6,2,"3.0\n'  # read row by row
JSON = b"".join(
    json.dumps({"run": f"r{i // 9}", "step": i % 9, "params": 10**6, "tokens": 10**7, "loss": 3 - i % 9 / 10}).encode()
    + b"\n"
    for i in range(5_000)
)


def parquet() -> bytes:
    data = io.BytesIO()
    pd.read_csv(io.BytesIO(CSV)).to_parquet(data, row_group_size=5_000)
    return data.getvalue()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of a test be read in as many steps as large ones are."""
    monkeypatch.setattr("scaling_core.runs.readers.delimited._BLOCK_BYTES", 2**17)


def zipped(*members: tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


FILES = {
    "plain.csv": CSV,
    "quoted.csv": QUOTED,
    "rows.jsonl": JSON,
    "rows.json": b"[" + JSON.strip().replace(b"\n", b",") + b"]",
    "runs.parquet": parquet(),
    "runs.csv.gz": gzip.compress(CSV),
    "two.zip": zipped(("a.csv", CSV[:500_000].rpartition(b"\n")[0]), ("b.jsonl", JSON)),
    "events.out.tfevents.1": event_file(
        [(tag, step, 3 - step / 9e3) for step in range(6_000) for tag in ("loss", "n")]
    ),
    "train.log": b"number of parameters: 124.00M\ntokens per iteration will be: 1,000\n"
    + b"".join(b"iter %d: loss %.4f, time 1.0ms\n" % (i, 3 - i / 9e3) for i in range(5_000)),
}


@pytest.fixture(params=FILES)
def upload(request: pytest.FixtureRequest) -> Upload:
    return Upload(request.param, FILES[request.param])


def test_progress_never_goes_back_and_ends_at_one(upload: Upload) -> None:
    told: list[Progress] = []
    reading = Reading(told.append)
    with reading.open():
        table = load([upload])
    shares = [p.share for p in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.9
    assert shares[-1] == reading.progress.share == 1
    assert len({share for share in shares if share < READING}) > 1
    assert any(p.what.startswith("Reading ") and upload.name.split(".")[0] in p.what for p in told)
    assert table.digest == load([upload]).digest  # nobody looking, the same table


def test_it_stops_wherever_it_is_asked_to_and_nothing_is_kept(upload: Upload, tmp_path: Path) -> None:
    count: list[Progress] = []
    with Reading(count.append).open():
        load([upload])
        kept_from = len(count)
        UploadStore(tmp_path / "whole").put(upload)
    store = UploadStore(tmp_path / "stopped")
    for at in range(0, len(count) - 1, max(len(count) // 7, 1)):
        assert told_before_stop(upload, store, at) == at + 1, "it went on after it was stopped"
        left = [p for p in store.root.rglob("*") if p.is_file()]
        assert not left or (at >= kept_from and store.get(upload.sha256) == upload), "half a file is left"
    assert UploadStore(tmp_path / "whole").get(upload.sha256) == upload


def told_before_stop(upload: Upload, store: UploadStore, at: int) -> int:
    """Read and keep a file until it has said so many things of itself; return how many it said in all."""
    told: list[Progress] = []
    reading = Reading(lambda p: (told.append(p), reading.cancel() if len(told) > at else None))

    def read() -> None:
        with reading.open():
            load([upload])
            store.put(upload)

    with pytest.raises(StoppedError):
        read()
    return len(told)


def test_a_reading_of_another_thread_is_stopped_from_this_one() -> None:
    reading, caught = Reading(), []

    def read() -> None:
        try:
            with reading.open():
                for _ in tracked(iter(int, 1), 10**9):  # would go on for ever
                    pass
        except StoppedError as error:
            caught.append(error)

    thread = Thread(target=read, daemon=True)
    thread.start()
    assert not caught
    reading.cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert len(caught) == 1
    assert reading.is_cancelled


def test_parts_within_parts_are_shares_of_the_whole() -> None:
    reading = Reading()
    with reading.open():
        with part(0.0, 0.5, "First"):
            tick(0.5)
            assert reading.progress.share == 0.25
            with part(0.5, 1.0):
                tick(0.5)
                assert reading.progress.share == 0.375
                assert reading.progress.what == "First"
            tick(0.1)  # does not go back
            assert reading.progress.share == 0.5
        with part(0.5, 1.0, "Second"):
            tick(7.0)  # more than there was thought to be
            assert (reading.progress.share, reading.progress.what) == (1.0, "Second")
    assert by_bytes([99, 299]) == [(0.0, 0.25), (0.25, 1.0)]
    tick(0.5)  # without a reading nothing happens
    assert list(tracked([1, 2], 2)) == [1, 2]


def test_what_is_left_is_said_in_words() -> None:
    assert Progress(0.5, "Reading a.csv", 10.0).text() == "Reading a.csv: 50%, about 10 s left"
    assert Progress(0.25, "Reading a.csv", 100.0).text() == "Reading a.csv: 25%, about 5 min left"
    assert Progress(0.001, "", 0.1).text() == "Reading: 0%"
    assert Progress(0.01, "", 0.1).seconds_left is None


def test_the_store_names_a_file_without_reading_it(tmp_path: Path) -> None:
    store = UploadStore(tmp_path)
    sha256 = store.put(Upload("häufig.csv", b"a,b\n1,2\n"))
    assert store.name_of(sha256) == store.name_of(sha256[:16].upper()) == "häufig.csv"
