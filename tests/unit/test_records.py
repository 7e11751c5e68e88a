"""Records of the workspace: kept by name, newest first, safe with several writers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.records import Records


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    records = Records(tmp_path / "new" / "home")
    data = {"theta": [1.5, 0.1 + 0.2], "name": "日本", "none": None}
    saved = records.save("fit", "  first ", data)
    assert saved.name == "first"
    assert Records(tmp_path / "new" / "home").get("fit", "first") == saved
    assert records.get("fit", "first").data == data


def test_kinds_are_apart_and_the_newest_is_first(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.all("fit") == []
    for name in ("a", "b", "a"):
        records.save("fit", name, {"said": name})
    records.save("scenario", "a", 1)
    assert [r.name for r in records.all("fit")] == ["a", "b"]
    records.delete("fit", "a")
    records.delete("fit", "never there")
    assert [r.name for r in records.all("fit")] == ["b"]
    assert [r.data for r in records.all("scenario")] == [1]


def test_a_free_name_is_numbered(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.free_name("fit", " a ") == "a"
    for name in ("a", "a (2)", "x" * 80):
        records.save("fit", name, {})
    assert records.free_name("fit", "a") == "a (3)"
    assert records.free_name("scenario", "a") == "a"
    assert records.save("fit", records.free_name("fit", "x" * 80), {}).name == "x" * 74 + " (2)"


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_name_is_needed(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="name"):
        Records(tmp_path).save("fit", name, {})


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Nothing is saved"):
        Records(tmp_path).get("fit", "gone")


def test_a_workspace_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="workspace cannot be used"):
        Records(tmp_path / "file").save("fit", "a", {})
    (tmp_path / "records.sqlite").write_bytes(b"not a database at all, but long enough to be read as one" * 40)
    with pytest.raises(UserError, match="workspace cannot be used"):
        Records(tmp_path).all("fit")


def test_several_processes_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from scaling_core.records import Records\n"
        "for i in range(25): Records(Path(sys.argv[1])).save('fit', f'{sys.argv[2]} {i}', i)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), who]) for who in "ab"]
    assert [w.wait() for w in writers] == [0, 0]
    assert len(Records(tmp_path).all("fit")) == 50
