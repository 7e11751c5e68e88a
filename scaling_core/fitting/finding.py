"""Something that a look at a fit and its runs found: one sentence, how bad it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["problem", "doubt", "info", "good"]
#: Worst first.
SEVERITIES: tuple[Severity, ...] = ("problem", "doubt", "info", "good")


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes
    ----------
    name : str
        Which look it was: a key of ``scaling_core.fitting.diagnostics.DIAGNOSTICS``.
    severity : {"problem", "doubt", "info", "good"}
    text : str
        One sentence with the number in it.
    number : float or None
        The number that decided, where there is one.
    fix : str
        What to do; empty where nothing needs to be done.
    """

    name: str
    severity: Severity
    text: str
    number: float | None = None
    fix: str = ""


def present(*found: Finding | None) -> tuple[Finding, ...]:
    """Those that there are, in order."""
    return tuple(finding for finding in found if finding)
