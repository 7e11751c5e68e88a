"""``fit``: fit a law to files of runs."""

from __future__ import annotations

import argparse
from typing import Any

from scaling_core.cli.options import add_files, add_fit_options, add_law, fit_table, load_measured
from scaling_core.cli.output import json_text, show
from scaling_core.fitting.diagnostics import diagnose
from scaling_core.fitting.judged import JudgedFit


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("fit", help="fit a law to files of runs")
    add_files(parser)
    add_law(parser)
    add_fit_options(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print the fit, and what a second look makes of it."""
    table = load_measured(options)
    result = fit_table(options, table)
    judged = JudgedFit(result, diagnose(table, result))
    if options.json:
        show(json_text(judged.to_json(options.level)))
    else:
        show(f"{result.summary(options.level)}\n{judged.verdict.summary()}")
