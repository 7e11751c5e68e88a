"""Files in and out: uploads, the store, exports, samples."""

import csv
import io
import os
from pathlib import Path

import pandas as pd
import pytest
from runs_helpers import table

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload, UploadStore, home, load, safe_csv, sample, samples

GOOD = Upload("runs.csv", b"params,tokens,loss\n1e8,1e9,3.5\n")


def test_upload_from_path(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(GOOD.data)
    assert Upload.from_path(path) == Upload("a.csv", GOOD.data)
    assert Upload.from_path(path).sha256 == GOOD.sha256


def test_upload_from_a_bad_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        Upload.from_path(tmp_path / "none.csv")
    with pytest.raises(UserError, match="a folder"):
        Upload.from_path(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        Upload.from_path("a\0b")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_upload_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(UserError, match="may not read"):
        Upload.from_path(path)


def test_files_over_the_limit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(3 * 2**20))
    with pytest.raises(UserError, match=r"a\.csv: The file has 3\.0 MiB, more than the limit of 1\.0 MiB"):
        Upload.from_path(path, max_bytes=2**20)
    with pytest.raises(UserError, match="more than the limit"):
        load([Upload("a.csv", GOOD.data)], max_bytes=10)


def test_store_keeps_files_by_content(tmp_path: Path) -> None:
    store = UploadStore(tmp_path)
    sha = store.put(GOOD)
    assert store.put(GOOD) == sha == GOOD.sha256
    assert store.get(sha) == store.get(sha[:12]) == store.get(sha.upper()) == GOOD
    files = sorted(p.name for p in (tmp_path / "uploads" / sha[:2]).iterdir())
    assert files == [sha, f"{sha}.json"]


@pytest.mark.parametrize("bad", ["", "abc", "../../../etc/passwd", "0" * 11, "g" * 64, "*" * 20, "0" * 65])
def test_store_takes_only_hashes(tmp_path: Path, bad: str) -> None:
    with pytest.raises(UserError, match="not the hash of a file"):
        UploadStore(tmp_path).get(bad)


def test_store_says_when_a_file_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no longer has the file 000000000000….* Upload it again"):
        UploadStore(tmp_path).get("0" * 64)


def test_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    with pytest.raises(UserError, match="SCALING_HOME"):
        UploadStore(tmp_path).put(GOOD)


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("SCALING_HOME")
    assert home().name == "scaling-explorer"


def test_safe_csv_defuses_formulas_and_leaves_numbers_alone() -> None:
    names = ["=cmd()", "+1", "-1", "@x", " \t=1", "\tx", "\rx", "plain", "'=x", "a-b", "'x"]
    frame = pd.DataFrame({"=name": names, "value": [-1.5] * len(names), "mixed": ["=x", -1, None] + [True] * 8})
    rows = list(csv.reader(io.StringIO(safe_csv(frame), newline="")))
    assert rows[0] == ["'=name", "value", "mixed"]
    assert [row[0] for row in rows[1:]] == [
        "'=cmd()", "'+1", "'-1", "'@x", "' \t=1", "'\tx", "'\rx", "plain", "''=x", "a-b", "'x",
    ]  # fmt: skip
    assert {row[1] for row in rows[1:]} == {"-1.5"}
    assert [row[2] for row in rows[1:4]] == ["'=x", "-1", ""]


def test_safe_csv_keeps_every_digit() -> None:
    values = [0.1 + 0.2, 1e-300, 6.02214076e23, 1 / 3]
    rows = safe_csv(pd.DataFrame({"x": values})).split()[1:]
    assert [float(row) for row in rows] == values


MADE_HERE = ("ladder_10min", "ladder_entropy", "ladder_images", "ladder_classify")


def test_samples_load_without_a_rejected_row() -> None:
    assert [s.name for s in samples()] == [
        MADE_HERE[0],
        "cerebras_gpt",
        "pythia",
        "chinchilla_frontier",
        "gpt3",
        *MADE_HERE[1:],
    ]
    rows = {}
    for s in samples():
        runs = load(s.uploads(), s.overrides)
        assert not len(runs.rejected)
        assert runs.has_loss == (s.name in (*MADE_HERE, "cerebras_gpt", "pythia"))
        assert s.name in MADE_HERE or "arXiv" in s.source
        assert s.about.endswith(".")
        rows[s.name] = len(runs.frame)
    assert {name: rows.pop(name) for name in MADE_HERE} == dict(zip(MADE_HERE, (25, 20, 16, 16), strict=True))
    assert rows == {"cerebras_gpt": 7, "pythia": 8, "chinchilla_frontier": 27, "gpt3": 8}


def test_cerebras_gpt_follows_the_law_of_its_paper() -> None:
    # Dey et al. 2023, equation 1.
    frame = load(sample("cerebras_gpt").uploads()).frame
    predicted = (frame["flops"] / 5.984e22) ** -0.0737 + 0.5066
    assert (predicted / frame["loss"] - 1).abs().max() < 0.02


def test_gpt3_units_agree() -> None:
    frame = load(sample("gpt3").uploads()).frame
    assert frame["petaflop_days"].to_numpy() * 8.64e19 == pytest.approx(frame["flops"].to_numpy(), rel=0.01)


def test_every_sample_is_described(root: Path) -> None:
    readme = (root / "sample_runs" / "README.md").read_text()
    files = {p.name for p in (root / "sample_runs").glob("*.csv")}
    assert files == {name for s in samples() for name in s.files}
    for name in files:
        assert f"## `{name}`" in readme


def test_an_unknown_sample_lists_the_known() -> None:
    with pytest.raises(UserError, match="ladder_10min, cerebras_gpt, pythia"):
        sample("x")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("loss", "does not say what it corrects"),
        ("los=x", "no canonical column “los”"),
        ("loss_unit=dits", "not a unit of loss"),
        ("bytes_per_token=many", "not a number"),
        ("bytes_per_token=-1", "not possible"),
        ("loss=%ff%", "percent"),
    ],
)
def test_bad_corrections(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        Overrides.parse(text)


def test_corrections_are_compact_and_readable() -> None:
    text = "loss=eval/loss;flops=;loss_unit=bits_per_byte;bytes_per_token=4.3"
    parsed = Overrides.parse(text)
    assert parsed == Overrides({"loss": "eval/loss", "flops": None}, "bits_per_byte", 4.3)
    assert parsed.format() == text
    assert Overrides.parse("") == Overrides()
    assert Overrides({"loss": "a;b=c% "}).format() == "loss=a%3Bb%3Dc%25%20"


def test_a_repeat_in_a_file_does_not_change_its_digest_of_rows() -> None:
    text = "params,tokens,loss\n1e8,1e9,3\n"
    assert table(text).digest == table(text).digest != table(text + "1e8,2e9,3\n").digest
