"""What every test may ask for: where the tree is, and the reference values beside it."""

import gc
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What the imports of all tests make stays to the end: looking through it for rubbish again and again costs seconds.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is rubbish to collect, among what the tests make."""
    gc.freeze()
    gc.enable()


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
