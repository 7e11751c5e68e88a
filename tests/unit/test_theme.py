"""Streamlit's settings agree with the library, and keep a visitor from what is not for them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.runs import MAX_FILE_BYTES


@pytest.fixture(scope="module")
def config(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / ".streamlit" / "config.toml").read_text())


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_pages_wear_the_colours_of_the_charts(config: dict[str, Any], theme: str, palette: Palette) -> None:
    colours = config["theme"][theme]
    assert colours["primaryColor"] == palette.accent
    assert colours["backgroundColor"] == palette.background
    assert colours["textColor"] == palette.ink
    assert tuple(colours["chartCategoricalColors"]) == palette.categories
    assert tuple(colours["chartSequentialColors"]) == palette.sequence


def test_light_and_dark_set_the_same_things(config: dict[str, Any]) -> None:
    assert config["theme"]["light"].keys() == config["theme"]["dark"].keys()


def test_the_upload_limit_is_the_librarys(config: dict[str, Any]) -> None:
    assert config["server"]["maxUploadSize"] * 2**20 == MAX_FILE_BYTES


def test_no_traceback_reaches_a_visitor_and_no_statistics_leave(config: dict[str, Any]) -> None:
    assert config["client"]["showErrorDetails"] == "none"
    assert config["browser"]["gatherUsageStats"] is False


def test_the_port_is_left_to_who_starts_it(config: dict[str, Any]) -> None:
    assert "port" not in config["server"]  # Streamlit takes the next free one only if none is set
    assert config["server"]["address"] == "localhost"
