"""The hash of a table: equal for equal content however it lies in memory, another for any change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scaling_core.runs import Upload, load
from scaling_core.runs.digest import digest_of

CSV = b"run,step,params,tokens,loss,note\na,1,1e6,1e7,4.5,x\na,2,1e6,2e7,4.1,\nb,1,2e6,1e7,4.2,y\nb,2,2e6,2e7,3.9,z\n"
TABLE = pd.DataFrame({"n": [1.0, np.nan, 0.0], "t": pd.Series(["a", None, "é"], dtype="str"), "b": [True, False, True]})


def test_the_digest_is_the_same_for_the_same_file_however_its_numbers_are_written() -> None:
    text = load([Upload("runs.csv", CSV)])
    again = load([Upload("runs.csv", CSV.replace(b"1e6", b"1000000").replace(b"4.5", b"4.50"))])
    assert text.digest == again.digest == load([Upload("runs.csv", CSV)]).digest
    assert len(text.digest) == 64


def test_how_a_table_lies_in_memory_does_not_count() -> None:
    parts = pd.concat([TABLE.iloc[:1], TABLE.iloc[1:]])
    turned = TABLE.iloc[::-1].iloc[::-1].set_axis([7, 8, 9])
    block = pd.DataFrame(np.array([[1.0, 5.0], [np.nan, 6.0], [0.0, 7.0]]), columns=["n", "m"]).assign(
        t=TABLE["t"].astype(object), b=TABLE["b"]
    )[["n", "t", "b"]]
    halves = TABLE.assign(n=np.array([1.0, -np.nan, -0.0]))
    for same in (parts, turned, block, halves):
        assert digest_of([same]) == digest_of([TABLE])
    whole = pd.DataFrame({"k": [1, 2]})
    assert digest_of([whole]) == digest_of([whole.astype(float)])


@pytest.mark.parametrize(
    "other",
    [
        TABLE.assign(n=[1.0, np.nan, 1e-300]),
        TABLE.assign(n=[1.0, 0.0, np.nan]),
        TABLE.assign(t=pd.Series(["a", "", "é"], dtype="str")),
        TABLE.assign(t=pd.Series(["aé", None, ""], dtype="str")),
        TABLE.assign(b=[True, True, True]),
        TABLE.assign(b=[1.0, 0.0, 1.0]),
        TABLE.rename(columns={"n": "m"}),
        TABLE[["t", "n", "b"]],
        TABLE.iloc[:2],
        TABLE.iloc[[0, 2, 1]],
    ],
    ids=range(10),
)
def test_any_change_changes_it(other: pd.DataFrame) -> None:
    assert digest_of([other]) != digest_of([TABLE])


def test_integers_beyond_floats_and_mixed_cells_are_told_apart() -> None:
    assert digest_of([pd.DataFrame({"n": [2**60]})]) != digest_of([pd.DataFrame({"n": [2**60 + 1]})])
    assert len(digest_of([pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})])) == 64
    mixed = pd.DataFrame({"m": pd.Series([1, "1", None, True], dtype=object)})
    assert digest_of([mixed]) != digest_of([mixed.assign(m=pd.Series(["1", "1", None, True], dtype=object))])
    assert digest_of([mixed]) == digest_of([mixed.copy()])


def test_tables_are_not_run_together() -> None:
    one, two = TABLE.iloc[:1], TABLE.iloc[1:]
    assert len({digest_of([TABLE]), digest_of([one, two]), digest_of([two, one]), digest_of([TABLE, one])}) == 4
    assert digest_of([pd.DataFrame({"a": []})]) != digest_of([pd.DataFrame({"b": []})])


def test_it_does_not_change_unnoticed() -> None:
    """Digests stand in exported files; another way of hashing must say so in its first line."""
    assert digest_of([TABLE]) == "a8eb04d35a014007ec8e654eda63112a057969deb89f5a3ea499fbd2bc1fa47d"
