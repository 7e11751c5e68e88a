"""Large files are read beside the page: it stays as it was, shows how far they are, and can stop them."""

from __future__ import annotations

import gzip
import threading
import time
from pathlib import Path

import pytest
from app_helpers import DEFAULTS, calm, rows, url, words
from ladder_file import COUNT, ladder_csv
from streamlit.testing.v1 import AppTest

from pages.parts import opening
from scaling_core.runs import Upload, UploadStore

LINE = b'{"run": "a", "params": 1000000, "tokens": 20000000, "step": 10, "loss": 3.25, "note": "as all the others"}\n'
#: Half a million lines: many seconds to read, and little to send.
LONG = gzip.compress(LINE * 500_000, 1)
PATIENCE_S = 60


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every upload be taken for a large one, and never wait for it."""
    monkeypatch.setattr(opening, "AT_ONCE", 1)
    monkeypatch.setattr(opening, "_PATIENCE_S", 0.0)


def drop(at: AppTest, *files: tuple[str, bytes], key: str = "uploader") -> AppTest:
    return at.file_uploader(key=key).set_value([(name, data, "text/csv") for name, data in files]).run()


def is_reading(at: AppTest) -> bool:
    return any(b.key == "cancel_reading" for b in at.button)


def until_read(at: AppTest) -> AppTest:
    """Run the page as its panel does, until nothing is being read."""
    deadline = time.monotonic() + PATIENCE_S
    while is_reading(at):
        assert time.monotonic() < deadline, "it is never read"
        at.run()
    return calm(at)


def kept(workspace: Path) -> list[Path]:
    return [p for p in (workspace / "uploads").rglob("*") if p.is_file()]


def stopped() -> bool:
    """Whether nothing is being read on this server any more."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not any(t.name == "reading" for t in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


def test_a_large_upload_is_opened_once_it_is_read(open_page, workspace: Path) -> None:
    at = until_read(open_page())
    data = ladder_csv().encode()
    drop(at, ("grid.csv", data), ("picture.csv", b"\x89PNG\r\n\x1a\n"))
    while is_reading(at):
        at.run()
    assert "picture.csv" in words(at.error)
    assert url(at) == {"runs": Upload("grid.csv", data).sha256}
    assert len(rows(at, "run")) == COUNT
    assert len(kept(workspace)) == 2  # the content and its name


def test_a_large_upload_that_is_cancelled_leaves_everything_as_it_was(open_page, workspace: Path) -> None:
    at = until_read(open_page(law="chinchilla", drop="1"))
    before = url(at)
    drop(at, ("long.jsonl.gz", LONG))
    assert is_reading(at), "it was read before it could be cancelled"
    assert url(at) == before
    assert "10-minute ladder" in words(at.markdown), "the page shows what it showed"
    assert len(at.get("vega_lite_chart"))
    at.button(key="cancel_reading").click().run()
    calm(at)
    assert not is_reading(at)
    assert url(at) == before
    assert not kept(workspace)
    assert stopped()
    assert not kept(workspace), "something was kept after it was cancelled"
    drop(at, ("grid.csv", ladder_csv().encode()), key="uploader1")  # and another file can be opened
    until_read(at.run())
    assert len(rows(at, "run")) == COUNT


def test_taking_the_file_away_or_picking_a_sample_stops_it_too(open_page, workspace: Path) -> None:
    at = until_read(open_page())
    drop(at, ("long.jsonl.gz", LONG))
    assert is_reading(at)
    drop(at)
    assert not is_reading(calm(at))
    assert url(at) == DEFAULTS
    drop(at, ("long.jsonl.gz", LONG))
    assert is_reading(at)
    at.pills(key="sample").set_value("gpt3").run()
    until_read(at)
    assert url(at)["runs"] == "gpt3"
    assert stopped()
    assert not kept(workspace)


@pytest.mark.parametrize("page", ["law", "runs"])
def test_a_link_to_a_large_file_shows_how_far_it_is_on_any_page_and_can_be_stopped(
    open_page, workspace: Path, page: str
) -> None:
    sha256 = UploadStore(workspace).put(Upload("long.jsonl.gz", LONG))
    at = open_page(page, runs=sha256)
    assert is_reading(at)
    assert "long.jsonl.gz" in words(at.markdown)
    assert not at.get("vega_lite_chart")
    at.button(key="cancel_reading").click().run()
    assert not is_reading(at), "the page began to read it again by itself"
    assert not at.exception
    assert "Its reading was stopped" in words(at.error)
    assert stopped()
    at.button(key="read_again").click().run()
    assert is_reading(at)
    at.button(key="cancel_reading").click().run()
    assert stopped()


def test_a_correction_that_is_cancelled_is_taken_back(open_page, workspace: Path) -> None:
    at = until_read(open_page())
    drop(at, ("grid.csv", ladder_csv().encode()))
    until_read(at.run())
    before = url(at)
    at.query_params["map"] = "tokens="
    at.query_params["runs"] = UploadStore(workspace).put(Upload("long.jsonl.gz", LONG))
    at.run()
    assert is_reading(at)
    at.button(key="cancel_reading").click().run()
    until_read(at)
    assert url(at) == before
    assert len(rows(at, "run")) == COUNT
    assert stopped()


def test_a_large_file_that_cannot_be_used_is_said_once(open_page, workspace: Path) -> None:
    sha256 = UploadStore(workspace).put(Upload("words.csv", b"a,b\nx,y\n" * 4))
    at = open_page(runs=sha256)
    deadline = time.monotonic() + PATIENCE_S
    while is_reading(at) and time.monotonic() < deadline:
        at.run()
    assert len(at.error) == 1
    assert "No column for parameters, tokens or FLOPs" in words(at.error)
