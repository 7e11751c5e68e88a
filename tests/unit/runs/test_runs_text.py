"""Delimited text: dialects, encodings, line numbers, and rows that cannot be read."""

import pytest
from runs_helpers import error, notes, rejected, table

from scaling_core.runs import Upload, read

GOOD = "params,tokens,loss\n1e8,1e9,3.5\n2e8,2e9,3.1\n"


@pytest.mark.parametrize(("delimiter", "word"), [(",", "comma"), ("\t", "tab"), (";", "semicolon"), ("|", "pipe")])
@pytest.mark.parametrize("name", ["runs.csv", "runs.txt", "runs.parquet", "runs"])
def test_delimiter_is_found_in_the_content_whatever_the_name(delimiter: str, word: str, name: str) -> None:
    runs = table(GOOD.replace(",", delimiter), name)
    assert runs.frame["loss"].tolist() == [3.5, 3.1]
    assert word in runs.sources[0].format


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_read(encoding: str) -> None:
    runs = table(
        GOOD.replace("params", "run,params").replace("\n1e8", "\né,1e8").replace("\n2e8", "\nb,2e8").encode(encoding)
    )
    assert runs.frame["run"].tolist() == ["é", "b"]
    assert "could not" not in notes(runs)


def test_other_encodings_are_read_as_windows_1252_with_a_warning() -> None:
    runs = table("run,params,tokens\na,1,2\ncaf\xe9,1e8,1e9\n".encode("latin-1"))
    assert runs.frame["run"].tolist() == ["a", "café"]
    assert "not UTF-8 (first on line 3)" in notes(runs, "warning")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    runs = table(GOOD.replace("\n", end) + end + "oops,1e9,3" + end)
    assert runs.frame["line"].tolist() == [2, 3]
    assert list(rejected(runs)) == [5]


def test_line_numbers_count_blank_lines_and_quoted_line_breaks() -> None:
    runs = table(
        'run,params,tokens,loss\n\n"a\n\nb",1e8,1e9,3\n  \nc,1e8,2e9\n"d",1e8,3e9,2.9\n\ne,1e8,4e9,2.8,7\nf,1e8,5e9,2.7'
    )
    assert dict(zip(runs.frame["run"], runs.frame["line"], strict=True)) == {"a\n\nb": 3, "d": 8, "f": 11}
    assert rejected(runs) == {
        7: "The row has 3 cells where the header has 4.",
        10: "The row has 5 cells where the header has 4.",
    }
    assert runs.rejected["content"].tolist() == ["c,1e8,2e9", "e,1e8,4e9,2.8,7"]


def test_line_numbers_hold_past_one_block_of_a_large_file() -> None:
    rows = [f"{i},1e8,1e9,{1 + i / 1e6}" for i in range(200_000)]
    rows[150_000] += ",too,many"
    raw = read(Upload("x.csv", ("run,params,tokens,loss\n" + "\n".join(rows)).encode()))
    assert raw.rejected["line"].tolist() == [150_002]
    assert raw.line[-1] == 200_001
    assert raw.frame["run"].iloc[-1] == "199999"


def test_a_repeated_header_is_rejected() -> None:
    runs = table(GOOD + GOOD.replace("3.5", "3.6"))
    assert rejected(runs)[4] == "The row repeats the header."
    assert rejected(runs)[6] == "The row repeats line 3."
    assert runs.frame["loss"].tolist() == [3.5, 3.1, 3.6]


def test_a_quote_that_is_never_closed_costs_only_its_own_row() -> None:
    runs = table('run,params,tokens,loss\na,1e8,1e9,3\n"b,1e8,2e9,2.9\nc,1e8,3e9,2.8\n')
    assert runs.frame["run"].tolist() == ["a", "c"]
    assert runs.frame["line"].tolist() == [2, 4]
    assert rejected(runs) == {3: "A quote in this row is never closed."}


def test_stray_quotes_are_part_of_the_text() -> None:
    runs = table('run,params,tokens,loss\n5" disk,1e8,1e9,3\n"x ""y""",1e8,2e9,2.9\n')
    assert runs.frame["run"].tolist() == ['5" disk', 'x "y"']


def test_decimal_comma_in_a_semicolon_table() -> None:
    runs = table("params;tokens;loss\n1,5e8;1.000.000.000;3,25\n2e8;2000000000;3,1\n")
    assert runs.frame["loss"].tolist() == [3.25, 3.1]
    assert runs.frame["params"].tolist() == [1.5e8, 2e8]
    assert runs.frame["tokens"].tolist() == [1e9, 2e9]
    assert "decimal comma" in notes(runs)


def test_comments_above_the_header_are_skipped() -> None:
    runs = table("# made by a sweep\n#\n" + GOOD)
    assert runs.frame["line"].tolist() == [4, 5]
    assert "2 comment lines" in notes(runs)
    assert table("sep=;\n" + GOOD.replace(",", ";")).frame["line"].tolist() == [3, 4]
    assert table("#params,tokens,loss\n1e8,1e9,3\n").frame["params"].tolist() == [1e8]


def test_names_stay_as_they_are() -> None:
    odd = ["007", "1e5", "<b>x</b>", "=1+1", "NA", " a "]
    runs = table("run,params,tokens,loss\n" + "".join(f"{name},1e8,{i + 1}e9,3\n" for i, name in enumerate(odd)))
    assert runs.frame["run"].tolist() == odd


def test_dates_stay_text() -> None:
    runs = table("params,tokens,loss,date\n1e8,1e9,3,2024-01-02\n")
    assert runs.frame["date"].tolist() == ["2024-01-02"]


def test_repeated_column_names_are_told_apart() -> None:
    runs = table("params,tokens,loss,loss,\n1e8,1e9,3,2,x\n")
    assert runs.frame["loss"].tolist() == [3]
    assert runs.frame["loss (2)"].tolist() == [2]
    assert runs.frame["column 5"].tolist() == ["x"]
    assert "loss (2)" in notes(runs, "warning")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("params,tokens,loss\n", "header (params, tokens, loss) but no rows"),
        ("1e8,1e9,3\n2e8,1e9,2.9\n", "holds numbers (1e8, 1e9, 3), not column names"),
        ("params,tokens,loss\n1,2\n3\n", "None of the 2 rows can be read. The row has 2 cells"),
        ("params tokens loss\n1 2 3\n", "separated by commas"),
        ("a,b\n1,2\n", "No column for parameters, tokens or FLOPs was found. The file has: a, b."),
        (",".join(f"c{i}" for i in range(100_000)) + "\n", "100,000 columns, more than the limit of 2,000"),
    ],
)
def test_what_is_no_table_of_runs_is_refused(content: str, what: str) -> None:
    assert what in error(content).what
