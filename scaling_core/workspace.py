"""The folder that a person's uploads, jobs and measurements are kept in."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the folder of the workspace: ``SCALING_HOME``, else the platform's folder for a user's data."""
    given = os.environ.get("SCALING_HOME", "")
    return Path(given).expanduser() if given else Path(platformdirs.user_data_dir("scaling-explorer", appauthor=False))
