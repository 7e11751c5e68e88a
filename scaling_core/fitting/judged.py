"""A fit together with what was found of it when its runs were at hand: what is kept of it, and what a file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scaling_core.errors import UserError
from scaling_core.fitting.finding import SEVERITIES, Finding
from scaling_core.fitting.result import DEFAULT_LEVEL, FitResult
from scaling_core.fitting.verdict import Verdict, judge


@dataclass(frozen=True)
class JudgedFit:
    """A fit and how far it can be believed.

    Attributes
    ----------
    fit : FitResult
    findings : tuple of Finding, or None
        What ``diagnose`` found of it, as it was given. None for a fit that was written down without.
    """

    fit: FitResult
    findings: tuple[Finding, ...] | None = None

    @property
    def verdict(self) -> Verdict:
        """The certificate and the findings together; the certificate alone where nothing was looked at."""
        return judge(self.fit.certificate, self.findings or ())

    def to_json(self, level: float = DEFAULT_LEVEL) -> dict[str, Any]:
        """Return the fit as its own ``to_json`` does, with the verdict and the findings."""
        found = {} if self.findings is None else {"findings": [asdict(f) for f in self.findings]}
        return {**self.fit.to_json(level), "verdict": self.verdict.to_json(), **found}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JudgedFit:
        """Rebuild from ``to_json``, or a fit from its own.

        Raises
        ------
        UserError
            If it is no fit, or its findings are none.
        """
        fit = FitResult.from_json(data)
        found = data.get("findings")
        return cls(fit, None if found is None else _read(found))


def _read(found: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    try:
        read = tuple(_finding(one) for one in found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(
            f"What was found of this fit cannot be read ({type(error).__name__}: {error}).",
            fix="Take “findings” out of the file, or write the fit again.",
        ) from error
    return read


def _finding(said: Mapping[str, Any]) -> Finding:
    number = said.get("number")
    return Finding(
        str(said["name"]),
        SEVERITIES[SEVERITIES.index(said["severity"])],
        str(said["text"]),
        None if number is None else float(number),
        str(said.get("fix", "")),
    )
