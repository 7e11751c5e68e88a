"""A long reading on a terminal: a line that says how far it is, and Ctrl-C."""

from __future__ import annotations

import gzip
import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scaling_core.cli import INTERRUPTED
from scaling_core.cli.reading import told
from scaling_core.runs.progress import part, tick

LINE = b'{"run": "a", "params": 1000000, "tokens": 20000000, "step": 10, "loss": 3.25, "note": "as all the others"}\n'


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def reads(stream: io.StringIO) -> None:
    with told(stream), part(0.0, 1.0, "Reading a.csv"):
        for i in range(100):
            tick(i / 100)


def test_the_line_is_written_over_and_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaling_core.cli.reading._SHORT_S", -1.0)
    monkeypatch.setattr("scaling_core.cli.reading._EVERY_S", 0.0)
    screen = Terminal()
    reads(screen)
    lines = screen.getvalue().split("\r")
    assert lines[1] == "Reading a.csv: 0%"
    assert any(line.startswith("Reading a.csv: 50%, about ") for line in lines)
    assert lines[-2].strip() == lines[-1] == ""
    assert "\n" not in screen.getvalue()


def test_a_short_reading_and_one_that_nobody_watches_say_nothing() -> None:
    for screen in (Terminal(), io.StringIO()):
        reads(screen)
        assert screen.getvalue() == ""


def test_ctrl_c_ends_a_reading_quietly(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    path.write_bytes(gzip.compress(LINE * 1_000_000, 1))
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "scaling_core", "inspect", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, cwd=root) as process:
        os.close(terminal)
        seen = b""
        while b"%" not in seen:
            seen += os.read(screen, 4096)
        process.send_signal(signal.SIGINT)
        answer, _ = process.communicate(timeout=60)
    while chunk := last(screen):
        seen += chunk
    os.close(screen)
    assert process.returncode == INTERRUPTED
    assert answer == b""
    assert seen.rstrip().endswith(b"stopped")
    assert b"Traceback" not in seen


def last(screen: int) -> bytes:
    """What is still on the screen; nothing once its other end is closed."""
    try:
        return os.read(screen, 4096)
    except OSError:
        return b""
