"""What every test may ask for: where the tree is, and the reference values beside it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder that holds app.py."""
    return ROOT


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder of published values that lies beside a checkout, or skip where there is none."""
    folder = ROOT.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip(f"no reference values at {folder}")
    return folder
