"""``compare``: rank laws by how well they foretold the largest runs, which they were not shown."""

from __future__ import annotations

import argparse
from typing import Any

from scaling_core.cli import values
from scaling_core.cli.options import (
    add_files,
    add_objective,
    add_points,
    chosen_objective,
    chosen_selection,
    load_measured,
)
from scaling_core.cli.output import columns, json_text, show
from scaling_core.fitting.compare import Comparison, compare
from scaling_core.laws import LAWS, get_law
from scaling_core.units import format_count, format_flops, format_number, format_ratio

_TITLES = ("law", "held out", "±", "bias", "in sample", "AICc", "BIC", "N*", "D*", "D*/N*", "loss", "certificate")


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("compare", help="rank laws by what they foretold of runs they were not shown")
    add_files(parser)
    parser.add_argument(
        "--law",
        action="append",
        metavar="LAW",
        help=f"a law to compare (repeatable), of {', '.join(LAWS)}; default all",
    )
    add_objective(parser)
    add_points(parser)
    parser.add_argument("--holdout-above", type=values.flops, metavar="C",
                        help="hold out runs of so many FLOPs or more; by default about the top fifth")  # fmt: skip
    parser.add_argument("--target-flops", type=values.flops, metavar="C",
                        help="a budget to split by each law; by default the largest of the runs")  # fmt: skip
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print the laws, best first."""
    found = compare(
        load_measured(options),
        chosen_objective(options),
        chosen_selection(options),
        laws=[get_law(name) for name in options.law] if options.law else None,
        above=options.holdout_above,
        target_flops=options.target_flops,
    )
    show(json_text([c.to_json() for c in found]) if options.json else _text(found))


def _text(found: list[Comparison]) -> str:
    fitted = [c for c in found if c.fitted]
    judged = [c for c in fitted if c.held_out]
    lines = _head(judged)
    if fitted:
        titles = (
            "law",
            "held out",
            "±",
            "bias",
            "in sample",
            "AICc",
            "BIC",
            "N*",
            "D*",
            "D*/N*",
            "loss",
            "certificate",
        )
        lines += columns([titles, *map(_row, fitted)], left=(0, 11))
    lines += [f"  - {c.law.name}: {c.reason}" for c in found if c.reason]
    return "\n".join(lines)


def _head(judged: list[Comparison]) -> list[str]:
    if not judged:
        return ["No law could be judged by runs that it was not shown."]
    out = max((c.held_out for c in judged if c.held_out), key=lambda h: h.n_train + h.n_test)
    return [
        f"Fitted to {out.n_train} runs below {format_flops(out.above)} FLOPs and judged by the other {out.n_test}, "
        f"up to {format_ratio(out.beyond)} beyond; errors in %.",
        f"Scores, certificates and the best split of {format_flops(judged[0].target_flops)} FLOPs are of all "
        f"{out.n_train + out.n_test} runs.",
    ]


def _row(c: Comparison) -> tuple[str, ...]:
    out, at = c.held_out, c.target
    return (
        c.law.name,
        _percent(out.error) if out else "",
        _percent(out.error_se) if out else "",
        f"{100 * out.bias:+.2f}" if out else "",
        _percent(c.in_sample_error),
        f"{c.criteria.aicc:.1f}" if c.criteria else "",
        f"{c.criteria.bic:.1f}" if c.criteria else "",
        *(write(v) if v == v else "" for write, v in (
            (_count, at.params), (_count, at.tokens), (format_number, at.tokens_per_param),
        )),
        format_number(at.loss, 4) if at.loss == at.loss else "",
        c.certificate.grade if c.certificate else "",
    )  # fmt: skip


def _count(value: float) -> str:
    """A count; where a law asks for more than there is in the world, or less than one, its size only."""
    return format_count(value) if 1 <= value < 1e16 else format_flops(value)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}" if share == share else ""
