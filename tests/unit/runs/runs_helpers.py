"""Short ways to load text and to look into what came out."""

from __future__ import annotations

import pytest

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, RunTable, Upload, load


def table(text: str | bytes, name: str = "runs.csv", overrides: str = "") -> RunTable:
    data = text if isinstance(text, bytes) else text.encode()
    return load([Upload(name, data)], Overrides.parse(overrides))


def error(text: str | bytes, name: str = "runs.csv", overrides: str = "") -> UserError:
    """Load what must fail, and check that the error says where and what to do."""
    with pytest.raises(UserError) as caught:
        table(text, name, overrides)
    found = caught.value
    assert name in found.where
    assert found.what
    assert found.fix
    return found


def notes(runs: RunTable, severity: str = "") -> str:
    return "\n".join(n.text for n in runs.notes if severity in ("", n.severity))


def rejected(runs: RunTable) -> dict[int, str]:
    return dict(zip(runs.rejected["line"], runs.rejected["reason"], strict=True))
