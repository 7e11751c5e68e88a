"""Pages without a browser: each test has a workspace of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """Give the test a workspace of its own, and Streamlit our settings."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("SCALING_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def open_page(root: Path) -> Open:
    """Return ``open_page(name, **query)``: a new session that follows a link to a page, and what it shows."""

    def follow(name: str = "runs", **query: str) -> AppTest:
        at = AppTest.from_file(str(root / "app.py"), default_timeout=60)
        for key, value in query.items():
            at.query_params[key] = value
        return (at if name == "runs" else at.switch_page(f"pages/views/{name}.py")).run()

    return follow
