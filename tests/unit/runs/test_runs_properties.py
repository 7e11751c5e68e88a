"""What must hold for any file and any table."""

import math
from contextlib import suppress

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.errors import UserError
from scaling_core.runs import COLUMNS, LOSS_UNITS, Overrides, RunTable, Upload, load, safe_csv
from scaling_core.runs.overrides import MAPPABLE

# What breaks formats, in small: quotes, separators, line ends, formulas, and letters of two and four bytes.
LETTERS = "abN0 ,;=+-@'\"%|\t\r\n<&é中🙂"
NAMES = st.text(LETTERS, min_size=1, max_size=12)
POSITIVE = st.floats(1e-3, 1e30)
FILE = 'run,params,tokens,loss,"no\nte"\n"a,1",70M,1.4B,3.5,"x ""y""\nz"\n\nb,1e8,"2,000,000",3.25,é\nc,2e8,3e9,3.1,\n'


def load_or_refuse(data: bytes, name: str = "x") -> RunTable | None:
    with suppress(UserError):
        return load([Upload(name, data)])
    return None


@given(
    st.dictionaries(st.sampled_from(MAPPABLE), st.none() | NAMES, max_size=5),
    st.none() | st.sampled_from(sorted(LOSS_UNITS)),
    st.none() | POSITIVE,
)
def test_corrections_come_back_from_their_text(
    columns: dict[str, str | None], unit: str | None, ratio: float | None
) -> None:
    overrides = Overrides(columns, unit, ratio)
    assert Overrides.parse(overrides.format()) == overrides


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    load_or_refuse(data)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='params,tokenlf;|\t\n\r"[]{}:0123456789.eE+-= é', max_size=200))
def test_random_text_is_read_or_refused(text: str) -> None:
    load_or_refuse(text.encode())
    load_or_refuse(f"params,loss\n{text}".encode())
    load_or_refuse(f'{{"params":1,"loss":{text}'.encode())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=12), st.integers(0, len(FILE.encode())))
def test_a_file_with_damage_anywhere_is_read_or_refused(damage: bytes, at: int) -> None:
    data = FILE.encode()
    load_or_refuse(data[:at] + damage + data[at:])


def test_a_file_cut_anywhere_is_read_or_refused() -> None:
    data = FILE.encode()
    for cut in range(len(data) + 1):
        table = load_or_refuse(data[:cut])
        assert table is None or set(table.frame["line"]) <= {3, 6, 7}
    whole = load_or_refuse(data)
    assert whole is not None
    assert whole.frame["run"].tolist() == ["a,1", "b", "c"]


ROWS = st.lists(
    st.tuples(st.text(LETTERS, max_size=8), POSITIVE, POSITIVE | st.just(math.nan), st.floats(1e-3, 100)),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[1:],
)


@settings(max_examples=25, deadline=None)
@given(ROWS, st.booleans())
def test_an_exported_table_comes_back_equal(rows: list[tuple[str, float, float, float]], with_loss: bool) -> None:
    frame = pd.DataFrame(rows, columns=["name", "n_params", "tokens", "val_loss"])
    frame["train_loss"] = frame["val_loss"] + 1
    buffer = safe_csv(frame if with_loss else frame[["name", "n_params", "tokens"]])
    first = load([Upload("a.csv", buffer.encode())])
    again = load([Upload("b.csv", safe_csv(first.frame).encode())])
    columns = [c for c in (*COLUMNS, "is_final") if c in first.frame]
    pd.testing.assert_frame_equal(again.frame[columns], first.frame[columns], check_exact=True)
    assert not len(again.rejected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(NAMES, POSITIVE), min_size=1, max_size=6))
def test_names_and_numbers_survive_json(rows: list[tuple[str, float]]) -> None:
    text = (
        pd.DataFrame(rows, columns=["run", "params"])
        .assign(i=range(len(rows)))
        .to_json(orient="records", lines=True, double_precision=15)
    )
    table = load_or_refuse(text.encode())
    assert table is not None
    assert table.frame["run"].tolist() == [name for name, _ in rows]
