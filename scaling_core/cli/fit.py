"""``fit``: fit a law to files of runs."""

from __future__ import annotations

import argparse
from typing import Any

from scaling_core.cli.options import add_files, add_fit_options, add_law, fit_files
from scaling_core.cli.output import json_text, show


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("fit", help="fit a law to files of runs")
    add_files(parser)
    add_law(parser)
    add_fit_options(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print the fit."""
    result = fit_files(options)
    show(json_text(result.to_json(options.level)) if options.json else result.summary(options.level))
