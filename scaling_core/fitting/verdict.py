"""How far a fit can be believed in all: its solve is certified or not, and the fit is doubted or not.

Two things: an exact optimum of a law that its runs speak against is a certified solve and a doubtful fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scaling_core.fitting.certificate import Certificate, Grade, lonely, not_an_optimum
from scaling_core.fitting.finding import Finding

#: What counts against a fit.
_AGAINST = ("problem", "doubt")


@dataclass(frozen=True)
class Verdict:
    """The certificate of a solve and the findings about its fit, taken together.

    Attributes
    ----------
    grade : {"good", "doubtful", "failed"}
        Failed where the solver reached no optimum; doubtful where anything counts against the fit.
    certified : bool
        Whether the solve reached an optimum that several starts agree on.
    solve : str
        One sentence on the solve.
    reasons : tuple of str
        What counts against the fit, worst first; empty where nothing does.
    """

    grade: Grade
    certified: bool
    solve: str
    reasons: tuple[str, ...]

    @property
    def fit(self) -> str:
        """One or two sentences on the fit: the worst that counts against it, and how much more there is."""
        if not self.reasons:
            return "Nothing that was looked at counts against the fit."
        more = len(self.reasons) - 1
        rest = f" {more} more point{'s' if more > 1 else ''} against it." if more else ""
        return f"The fit is doubted: {self.reasons[0]}{rest}"

    @property
    def text(self) -> str:
        """Both, as a paragraph."""
        return f"{self.solve} {self.fit}"

    def summary(self) -> str:
        """A few lines for a terminal."""
        return "\n".join(
            [f"verdict: {self.grade}", f"  {self.solve}", *(f"  ! {r}" for r in self.reasons)]
            + ([] if self.reasons else [f"  {self.fit}"])
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {"grade": self.grade, "certified": self.certified, "solve": self.solve, "reasons": list(self.reasons)}


def judge(certificate: Certificate, findings: Sequence[Finding]) -> Verdict:
    """Take the certificate of a fit and what ``diagnose`` found of it together."""
    c = certificate
    certified = not_an_optimum(c.gradient_norm) is None and lonely(c.starts_agreeing, c.starts) is None
    against = [f.text for f in findings if f.severity in _AGAINST]
    reasons = tuple(dict.fromkeys([*against, *c.reasons]))  # a finding that lowered the grade stands in both
    grade: Grade = "failed" if c.grade == "failed" else "doubtful" if reasons else "good"
    return Verdict(grade, certified, _solve(c, certified), reasons)


def _solve(c: Certificate, certified: bool) -> str:
    numbers = f"scaled gradient {c.gradient_norm:.0e}; {c.starts_agreeing} of {c.starts} starts agree"
    return f"The solve is {'certified' if certified else 'not certified'} ({numbers})."
