"""A workspace whose processes are gone after the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_helpers import nothing_left

from scaling_core.jobs import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A queue in an empty workspace."""
    with nothing_left(tmp_path):
        yield Queue(tmp_path)
