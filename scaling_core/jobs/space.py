"""Whether there is room for another run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from scaling_core.jobs.model import Limits


def why_no_space(home: Path, limits: Limits) -> str:
    """Why nothing new may start, or empty where it may."""
    free = shutil.disk_usage(home).free / 1e9
    if free < limits.free_gb:
        return f"The disk has {free:.2g} GB free; new jobs wait for {limits.free_gb:g} GB."
    if limits.disk_gb:
        used = size_of(home / "ladders") / 1e9
        if used >= limits.disk_gb:
            return f"The run folders take {used:.2g} GB of the {limits.disk_gb:g} GB that they may."
    return ""


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(_sizes(str(folder)))


def _sizes(folder: str) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(entry.path)
                else:
                    yield _size(entry)
    except FileNotFoundError:
        return


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:  # replaced just now
        return 0
