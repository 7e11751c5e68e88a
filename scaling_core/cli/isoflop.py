"""``isoflop``: the best size at each budget, and how it grows."""

from __future__ import annotations

import argparse
from typing import Any

from scaling_core.cli import values
from scaling_core.cli.options import add_draws, add_files, add_points, chosen_selection, load_measured
from scaling_core.cli.output import columns, json_text, show
from scaling_core.fitting.exponents import PowerFit
from scaling_core.fitting.isoflop import DEFAULT_TOLERANCE, IsoflopProfiles, isoflop_profiles
from scaling_core.fitting.minimum import METHODS
from scaling_core.units import format_count, format_flops, format_number


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("isoflop", help="find the best size at each budget, and how it grows")
    add_files(parser)
    add_points(parser)
    parser.add_argument("--tolerance", type=values.positive, default=DEFAULT_TOLERANCE, metavar="SHARE",
                        help="how far the compute of runs of one budget may differ, 0.1 by default")  # fmt: skip
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="curve through the runs of a budget")
    add_draws(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print the profiles."""
    found = isoflop_profiles(
        load_measured(options),
        chosen_selection(options),
        tolerance=options.tolerance,
        method=options.method,
        resamples=options.bootstrap,
        seed=options.seed,
        level=options.level,
    )
    show(json_text(report(found, options.level)) if options.json else _text(found, options.level))


def report(found: IsoflopProfiles, level: float) -> dict[str, Any]:
    """Profiles and exponents as JSON types; null where there are too few budgets for an exponent."""
    return {
        "method": found.method,
        "budgets": found.profiles.to_dict(orient="records"),
        **_exponent("params", found.params, level),
        **_exponent("tokens", found.tokens, level),
        "interval_level": level,
        "budgets_used": found.params.n if found.params else 0,
        "findings": [{"name": f.name, "severity": f.severity, "text": f.text, "fix": f.fix} for f in found.findings],
        "notes": list(found.notes),
    }


def _exponent(name: str, fit: PowerFit | None, level: float) -> dict[str, Any]:
    return {
        f"exponent_{name}": fit.exponent if fit else None,
        f"exponent_{name}_interval": list(fit.interval(level)) if fit else None,
        f"log_coefficient_{name}": fit.intercept if fit else None,
    }


def _text(found: IsoflopProfiles, level: float) -> str:
    titles = ("C", "runs", "sizes", "N*", "between", "D*", "D*/N*", "loss", "flags")
    lines = columns([titles, *(_row(row) for row in found.profiles.to_dict("records"))], left=(8,))
    for letter, fit in (("N*", found.params), ("D*", found.tokens)):
        if fit is None:
            lines.append(f"{letter} against C: too few budgets to tell")
            continue
        low, high = fit.interval(level)
        between = f" ({level:.0%} interval {low:.3f} to {high:.3f})" if low == low else ""
        lines.append(f"{letter} grows as C^{fit.exponent:.3f}{between}, over {fit.n} budgets")
    lines += [f"  ! {f.text} {f.fix}" for f in found.findings]
    return "\n".join(lines + [f"  - {note}" for note in found.notes])


def _row(row: dict[Any, Any]) -> tuple[str, ...]:
    known = row["params"] == row["params"]
    low, high = row["params_low"], row["params_high"]
    return (
        format_flops(row["flops"]),
        str(row["n"]),
        str(row["sizes"]),
        format_count(row["params"]) if known else "",
        f"{format_count(low)} to {format_count(high)}" if known and low == low else "",
        format_count(row["tokens"]) if known else "",
        format_number(row["tokens_per_param"]) if known else "",
        format_number(row["loss"], 4) if known else "",
        ", ".join(row["flags"]) + ("" if row["used"] else " (not used)"),
    )
