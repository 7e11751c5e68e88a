"""Short ways to load text and to look into what came out."""

from __future__ import annotations

from scaling_core.errors import UserError
from scaling_core.runs import Overrides, RunTable, Upload, load


def table(text: str | bytes, name: str = "runs.csv", overrides: str = "") -> RunTable:
    data = text if isinstance(text, bytes) else text.encode()
    return load([Upload(name, data)], Overrides.parse(overrides))


def error(text: str | bytes, name: str = "runs.csv", overrides: str = "") -> UserError:
    """Load what must fail, and check that the error says where and what to do."""
    try:
        table(text, name, overrides)
    except UserError as found:
        assert name in found.where
        assert found.what
        assert found.fix
        return found
    raise AssertionError("this should not have loaded")


def notes(runs: RunTable, severity: str = "") -> str:
    return "\n".join(n.text for n in runs.notes if severity in ("", n.severity))


def rejected(runs: RunTable) -> dict[int, str]:
    return dict(zip(runs.rejected["line"], runs.rejected["reason"], strict=True))
