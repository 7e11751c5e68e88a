"""A fit as text to paste elsewhere: Python that predicts, LaTeX with numbers and intervals."""

from __future__ import annotations

import textwrap

from scaling_core.fitting import DEFAULT_LEVEL, FitResult
from scaling_core.fitting.verdict import Verdict, judge
from scaling_core.units import format_latex

_PYTHON = '''"""{title}, fitted to {n} points: objective {objective} = {value!r}.

{verdict}
"""

import numpy as np

from scaling_core.laws import get_law

PARAMETERS = {{
{parameters}
}}
LAW = get_law({law!r})


def predict(columns):
    """Predicted {what} for a mapping with {predictors}, as numbers or arrays."""
    x = {{name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in columns.items()}}
    return LAW.predict(np.array(list(PARAMETERS.values())), x)


if __name__ == "__main__":
    print(predict({{{example}}}))
'''


def as_python(fit: FitResult, verdict: Verdict | None = None) -> str:
    """A module that holds the parameters at full precision and predicts with them; it runs as it stands.

    Without a ``verdict``, which takes the runs, it says what the certificate alone tells.
    """
    verdict = verdict or judge(fit.certificate, ())
    middle = {name: (fit.ranges[name][0] * fit.ranges[name][1]) ** 0.5 for name in fit.law.predictors}
    return _PYTHON.format(
        title=_quotable(fit.law.title),
        n=fit.n_points,
        objective=_quotable(fit.objective) + (f" (delta {fit.delta:g})" if fit.delta else ""),
        value=fit.value,
        verdict=textwrap.fill(_quotable(f"Verdict: {verdict.grade}. {verdict.text}"), 100),
        parameters="\n".join(f"    {name!r}: {value!r}," for name, value in fit.parameters.items()),
        law=fit.law.name,
        what=_quotable(fit.metric.cost_title),
        predictors=_quotable(", ".join(fit.law.predictors)),
        example=", ".join(f"{name!r}: {value:.6g}" for name, value in middle.items()),
    )


def _quotable(text: str) -> str:
    """Text that can stand in a docstring: names of columns come from files, and must neither end it nor escape."""
    plain = text.replace("\\", "/").replace('"', "'")
    return "".join(c if c.isprintable() else " " for c in plain)


def as_latex(fit: FitResult, level: float = DEFAULT_LEVEL) -> str:
    """The formula with its numbers, and a table of parameters with intervals."""
    numbers = {name: format_latex(value) for name, value in fit.parameters.items()}
    intervals = fit.intervals(level)
    rows = []
    for p in fit.law.parameters:
        pair = intervals.get(p.name)
        between = f"[{format_latex(pair[0], 4)},\\ {format_latex(pair[1], 4)}]" if pair else "--"
        rows.append(f"  ${p.symbol}$ & ${numbers[p.name]}$ & ${between}$ \\\\")
    return "\n".join(
        [
            r"\begin{equation}",
            f"  {fit.law.formula(numbers)}",
            r"\end{equation}",
            r"\begin{tabular}{lll}",
            f"  parameter & value & {100 * level:g}\\% interval \\\\ \\hline",
            *rows,
            r"\end{tabular}",
        ]
    )
