"""From a file's rows to runs: units, losses, what is derived, and what is rejected."""

import math

import numpy as np
import pytest
from runs_helpers import error, notes, rejected, table

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload, load


def test_numbers_as_people_write_them() -> None:
    cells = ["70M", "1.4B", "300e9", '"1,000"', "1_000", "3e6 params", "1.5 billion", " 5 "]
    runs = table("params,tokens,loss\n" + "".join(f"{cell},{i + 1}e9,3\n" for i, cell in enumerate(cells)))
    assert runs.frame["params"].tolist() == [70e6, 1.4e9, 300e9, 1000, 1000, 3e6, 1.5e9, 5]


@pytest.mark.parametrize(
    ("header", "cell", "expected"),
    [
        ("params_M", "70", 7e7), ("params (millions)", "70", 7e7), ("Params (B)", "1.5", 1.5e9), ("N (M)", "7", 7e6),
        ("params", "70M", 7e7), ("params_B", "7000000000", 7e9),
    ],
)  # fmt: skip
def test_units_in_the_header(header: str, cell: str, expected: float) -> None:
    runs = table(f"{header},tokens,loss\n{cell},1e9,3\n")
    assert runs.frame["params"].tolist() == [expected]
    assert ("multiplied" in notes(runs)) == (float(cell.rstrip("M")) * 1.0 != expected and cell != "70M")


def test_petaflop_days() -> None:
    runs = table("N,pf_days,loss\n1e8,2,3\n")
    assert runs.frame["flops"].tolist() == [2 * 8.64e19]
    assert "8.64e+19" in notes(runs)


@pytest.mark.parametrize(
    ("column", "cell", "settings", "nats"),
    [
        ("loss", "3", "", 3.0),
        ("val_ppl", "20", "", math.log(20)),
        ("bits_per_token", "4", "", 4 * math.log(2)),
        ("val_bpb", "0.9", "bytes_per_token=4.3", 0.9 * math.log(2) * 4.3),
        ("loss", "4", "loss_unit=bits", 4 * math.log(2)),
        ("val_ppl", "3", "loss_unit=nats", 3.0),
    ],
)
def test_losses_become_nats(column: str, cell: str, settings: str, nats: float) -> None:
    runs = table(f"params,tokens,{column}\n1e8,1e9,{cell}\n", overrides=settings)
    assert runs.frame["loss"].tolist() == pytest.approx([nats], rel=1e-15)
    assert ("converted" in notes(runs)) == (runs.sources[0].loss_unit != "nats")


def test_bits_per_byte_without_bytes_per_token_is_a_question() -> None:
    runs = table("params,tokens,val_bpb\n1e8,1e9,0.9\n2e8,1e9,0.8\n")
    assert len(runs.frame) == 2
    assert not runs.has_loss
    assert "How many bytes does a token" in notes(runs, "question")


def test_an_unknown_loss_unit_lists_the_choices() -> None:
    with pytest.raises(UserError, match="nats, bits, bits_per_byte, perplexity"):
        Overrides(loss_unit="dits")


def test_a_loss_that_looks_like_perplexity_is_doubted() -> None:
    assert "is it perplexity" in notes(table("params,tokens,loss\n1e8,1e9,33\n2e8,1e9,25\n"), "warning")


@pytest.mark.parametrize(
    ("header", "row", "expected", "rule"),
    [
        ("N,D,loss", "1e8,2e9,3", (1e8, 2e9, 1.2e18), ("flops", "6ND")),
        ("N,C,loss", "1e8,1.2e18,3", (1e8, 2e9, 1.2e18), ("tokens", "C/(6N)")),
        ("D,C,loss", "2e9,1.2e18,3", (1e8, 2e9, 1.2e18), ("params", "C/(6D)")),
        ("N,D/N,loss", "1e8,20,3", (1e8, 2e9, 1.2e18), ("tokens", "tokens_per_param × N")),
        ("C,D/N,loss", "1.2e18,20,3", (1e8, 2e9, 1.2e18), ("params", "sqrt(C/(6 × tokens_per_param))")),
    ],
)
def test_what_is_missing_is_derived(
    header: str, row: str, expected: tuple[float, float, float], rule: tuple[str, str]
) -> None:
    runs = table(f"{header}\n{row}\n")
    assert runs.frame[["params", "tokens", "flops"]].iloc[0].tolist() == pytest.approx(expected, rel=1e-12)
    assert runs.sources[0].derived[rule[0]] == rule[1]
    assert f"computed as {rule[1]}" in notes(runs)


def test_blank_cells_are_derived_row_by_row_and_counted() -> None:
    runs = table("N,D,C,loss\n1e8,2e9,1.2e18,3\n1e8,,6e17,2.9\n2e8,1e9,,2.8\n,1e9,6e17,2.7\n")
    assert runs.frame["tokens"].tolist() == [2e9, 1e9, 1e9, 1e9]
    assert runs.frame["flops"].tolist() == [1.2e18, 6e17, 1.2e18, 6e17]
    assert runs.frame["params"].tolist() == [1e8, 1e8, 2e8, 1e8]
    assert notes(runs).count("1 of 4 rows") == 3
    assert runs.sources[0].flops_source == "file or 6ND"


def test_compute_counted_otherwise_is_noted() -> None:
    rows = "1e8,1e9,{:g},3\n2e8,2e9,{:g},2.9\n"
    assert "differs from 6ND" not in notes(table("N,D,C,loss\n" + rows.format(6.1e17, 2.4e18)))
    assert "differs from 6ND by a median of 20%" in notes(table("N,D,C,loss\n" + rows.format(7.2e17, 2.88e18)), "info")
    assert "check the units" in notes(table("N,D,C,loss\n" + rows.format(6e14, 2.4e15)), "warning")


def test_the_count_without_embeddings_stands_in_for_a_missing_one() -> None:
    runs = table("params_non_embedding,tokens,loss\n1e8,1e9,3\n")
    assert runs.frame["params"].tolist() == runs.frame["params_non_embedding"].tolist() == [1e8]
    assert runs.sources[0].params_convention == "non-embedding"
    assert "without embeddings" in notes(runs)
    assert table("params,params_nonembed,tokens,loss\n2,1,1,3\n").sources[0].params_convention == "total"
    assert table("params,tokens,loss\n2,1,3\n").sources[0].params_convention == "unknown"


def test_rows_that_cannot_be_used_say_why() -> None:
    runs = table(
        "params,tokens,loss\n1e8,1e9,3\n0,1e9,3\n-1,1e9,3\ninf,1e9,3\nbig,1e9,3\n1e8,1e9,\n1e8,1e9,abc\n"
        "1e8,1e9,0\n1e8,1e9,-2\n1e8,1e9,inf\n,,3\n1e8,1e9,3\n2e8,2e9,nan\n2e8,2e9,2.9\n"
    )
    assert runs.frame["line"].tolist() == [2, 15]
    assert rejected(runs) == {
        3: "“params” is 0; it must be above zero and finite.",
        4: "“params” is -1; it must be above zero and finite.",
        5: "“params” is inf; it must be above zero and finite.",
        6: "“big” in column “params” is not a number.",
        7: "The loss (“loss”) is blank.",
        8: "“abc” in column “loss” is not a number.",
        9: "The loss (“loss”) is 0; it must be above zero and finite.",
        10: "The loss (“loss”) is -2; it must be above zero and finite.",
        11: "The loss (“loss”) is inf; it must be above zero and finite.",
        12: "Neither parameters nor tokens nor FLOPs are given.",
        13: "The row repeats line 2.",
        14: "The loss (“loss”) is blank.",
    }
    assert "12 rows could not be used" in notes(runs, "warning")


def test_when_no_row_is_left_the_first_reason_is_given() -> None:
    found = error("params,tokens,loss\n1e8,1e9,-1\n2e8,1e9,\n")
    assert "None of the 2 rows can be used. The first: The loss (“loss”) is -1" in found.what
    assert found.where == "runs.csv, line 2"


def test_without_a_loss_all_rows_are_kept() -> None:
    runs = table("params,tokens,score\n1e8,1e9,1\n2e8,1e9,2\n")
    assert len(runs.frame) == 2
    assert not runs.has_loss
    assert "No loss column was found; the columns are params, tokens, score" in notes(runs, "warning")


def test_what_no_row_gives_is_said() -> None:
    runs = table("model,tokens,loss\n70M,1e9,3\n160M,2e9,2.9\n")
    assert "No row gives parameters (N) and training compute (C)" in notes(runs, "warning")
    assert "“70M” and so on: are these parameters?" in notes(runs, "question")
    fixed = table("model,tokens,loss\n70M,1e9,3\n160M,2e9,2.9\n", overrides="params=model")
    assert fixed.frame["params"].tolist() == [7e7, 1.6e8]


def test_one_size_cannot_tell_how_size_matters() -> None:
    runs = table("params,tokens,loss\n1e8,1e9,3\n1e8,2e9,2.9\n")
    assert "the same N" in notes(runs, "warning")
    assert "the same D" not in notes(runs)


def test_checkpoints_of_a_run_end_at_its_largest_step() -> None:
    runs = table("run,step,params,tokens,loss\na,2,1e8,2e9,2.9\na,1,1e8,1e9,3\nb,1,2e8,1e9,3\nb,2,2e8,2e9,\n")
    assert runs.frame["is_final"].tolist() == [True, False, True]


def test_without_names_runs_are_told_apart_by_their_steps() -> None:
    runs = table("step,params,tokens,loss\n1,1e8,1e9,3\n2,1e8,2e9,2.9\n1,1e8,1e9,3.1\n2,2e8,2e9,2.8\n")
    assert runs.frame["run"].tolist() == ["run 1", "run 1", "run 2", "run 3"]
    assert runs.frame["is_final"].tolist() == [False, True, True, True]
    assert "3 were told apart" in notes(runs, "warning")


def test_how_many_steps_a_run_had_is_not_where_a_row_stands() -> None:
    runs = table("params,tokens,n_steps,loss\n1e8,1e9,100,3\n1e8,2e9,200,2.9\n")
    assert runs.frame["is_final"].all()


def test_without_steps_each_row_ends_a_run() -> None:
    runs = table("run,params,tokens,loss\na,1e8,1e9,3\na,1e8,2e9,2.9\n,1e8,3e9,2.8\n")
    assert runs.frame["is_final"].all()
    assert runs.frame["run"].tolist() == ["a", "a", "run 3"]


def test_further_columns_come_along() -> None:
    runs = table("params,tokens,loss,val_loss,line,lr\n1e8,1e9,3,2.9,x,0.1\n")
    assert runs.frame["loss"].tolist() == [2.9]
    assert runs.frame["loss (file)"].tolist() == [3]
    assert runs.frame["line (file)"].tolist() == ["x"]
    assert runs.frame["lr"].tolist() == [0.1]
    assert list(runs.frame.columns[:9]) == [
        "run",
        "params",
        "tokens",
        "flops",
        "loss",
        "file",
        "line",
        "is_final",
        "loss (file)",
    ]


def test_corrections_are_followed() -> None:
    text = "a,b,c,loss\n1e8,1e9,3,9\n2e8,1e9,2.9,9\n"
    runs = table(text, overrides="params=a;tokens=b;loss=c")
    assert runs.frame["loss"].tolist() == [3, 2.9]
    assert "As corrected: params from “a”, tokens from “b”, loss from “c”." in notes(runs)
    none = table("params,tokens,flops,loss\n1e8,1e9,7e17,3\n", overrides="flops=;loss=")
    assert none.frame["flops"].tolist() == [6e17]
    assert np.isnan(none.frame["loss"]).all()


def test_corrections_that_do_not_fit_say_what_the_file_has() -> None:
    assert "The file has: params, tokens, loss" in error("params,tokens,loss\n1,1,1\n", overrides="loss=x").fix
    found = error("params,tokens,tag\n1,1,abc\n2,2,def\n", overrides="loss=tag")
    assert "Most of the column holds text, such as “abc”" in found.what
    assert found.where == "runs.csv, line 2, column “tag”"


def test_several_files_are_joined() -> None:
    a = Upload("a.csv", b"params,tokens,loss,x\n1e8,1e9,3,1\n")
    b = Upload("b.csv", b"n_params;tokens;val_loss\n2e8;1e9;2.9\n")
    runs = load([a, b, Upload("again.csv", a.data)])
    assert runs.frame["file"].tolist() == ["a.csv", "b.csv"]
    assert [s.file for s in runs.sources] == ["a.csv", "b.csv"]
    assert "same content as a.csv" in notes(runs)


def test_files_of_one_name_are_told_apart() -> None:
    runs = load([Upload("a.csv", b"N,D,L\n1,1,1\n"), Upload("a.csv", b"N,D,L\n2,1,1\n")])
    assert runs.frame["file"].tolist() == ["a.csv", "a.csv (2)"]


def test_a_correction_for_one_of_several_files() -> None:
    a, b = Upload("a.csv", b"N,D,x\n1,1,1\n"), Upload("b.csv", b"N,D,loss\n2,1,2\n")
    assert load([a, b], Overrides({"loss": "x"})).frame["loss"].tolist() == [1, 2]
    with pytest.raises(UserError, match="no column “y”"):
        load([a, b], Overrides({"loss": "y"}))


def test_a_bad_file_among_good_ones_is_named() -> None:
    with pytest.raises(UserError, match=r"bad\.csv: The file is empty"):
        load([Upload("a.csv", b"N,D,L\n1,1,1\n"), Upload("bad.csv", b"")])
    with pytest.raises(UserError, match="no file"):
        load([])


def test_columns_called_as_those_of_a_fit_get_another_name() -> None:
    """A fit adds ``role``, ``predicted`` and ``residual`` to its rows; those of the file must not be lost by that."""
    runs = table("params,tokens,loss,role,residual\n1e8,1e9,3.1,draft,.5\n2e8,1e9,2.9,final,.6\n")
    assert runs.frame["role (file)"].tolist() == ["draft", "final"]
    assert runs.frame["residual (file)"].astype(float).tolist() == [0.5, 0.6]
    assert not {"role", "residual"} & set(runs.frame)
