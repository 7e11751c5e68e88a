"""Files that are no text: recognised, refused, or read as Parquet."""

import bz2
import io
import lzma
import pickle
import random

import pandas as pd
import pytest
from runs_helpers import error, table

GOOD = b"params,tokens,loss\n1e8,1e9,3.5\n2e8,2e9,3.1\n"
FRAME = pd.DataFrame({"params": [1e8, 2e8], "tokens": [1e9, 2e9], "loss": [3.5, 3.1]})


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bz2.compress(GOOD), "bzip2-compressed"),
        (lzma.compress(GOOD), "xz-compressed"),
    ],
    ids=["bzip2", "xz"],
)
def test_other_compressed_files_are_to_be_unpacked_first(data: bytes, what: str) -> None:
    found = error(data)
    assert what in found.what
    assert "Unpack it first" in found.fix


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG picture"),
        (pickle.dumps({"params": 1}), "pickle, which is never opened"),
        (b"SQLite format 3\x00" + bytes(100), "SQLite database"),
        (random.Random(0).randbytes(5000), "binary data"),
        (b"params,tokens\n1\x00,2\n", "binary data"),
    ],
    ids=["picture", "pickle", "database", "noise", "nul"],
)
def test_binary_files_are_named_and_refused(data: bytes, what: str) -> None:
    assert what in error(data).what


@pytest.mark.parametrize("name", ["runs.parquet", "runs.csv", "runs"])
def test_parquet_is_known_by_its_content(name: str) -> None:
    runs = table(_parquet(FRAME), name)
    assert runs.sources[0].format == "Parquet"
    assert runs.frame["loss"].tolist() == [3.5, 3.1]
    assert runs.frame["line"].tolist() == [1, 2]


def test_parquet_of_other_types_is_read() -> None:
    frame = FRAME.assign(
        day=pd.Timestamp("2024-01-01"),
        kind=pd.Categorical(["a", "b"]),
        config=[{"lr": 1e-3}, {"lr": 1e-4}],
        ids=[[1], [2]],
    )
    runs = table(_parquet(frame))
    assert runs.frame["kind"].tolist() == ["a", "b"]
    assert runs.frame["config.lr"].tolist() == [1e-3, 1e-4]
    assert runs.frame["ids"].tolist() == ["[1]", "[2]"]
    assert runs.frame["day"].str.startswith("2024-01-01").all()


def test_broken_parquet_is_refused() -> None:
    data = _parquet(FRAME)
    assert "broken or cut short" in error(b"PAR1", "runs.parquet").what
    assert "broken or cut short" in error(data[:-30], "runs.parquet").what
    assert "empty" in error(b"", "runs.parquet").what


def test_parquet_without_rows_is_refused() -> None:
    assert "no rows" in error(_parquet(FRAME.head(0))).what
