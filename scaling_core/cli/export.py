"""``export``: write runs as CSV, Parquet or JSON, in canonical columns and in full."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from scaling_core.cli.options import add_files, load_runs
from scaling_core.cli.output import json_text, show
from scaling_core.errors import UserError
from scaling_core.runs.exchange import KINDS, ROWS, export


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("export", help="write runs as CSV, Parquet or JSON, in canonical columns")
    add_files(parser)
    parser.add_argument("--to", choices=KINDS, default="csv", help="kind of file (default: csv)")
    parser.add_argument("--rows", choices=ROWS, default="runs", help="what is fitted, or every logged step")
    parser.add_argument("--out", type=Path, metavar="PATH", help="where to write; the output stream unless given")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Write the file."""
    table = load_runs(options)
    data = export(table, options.to, options.rows)
    if options.out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        options.out.write_bytes(data)
    except OSError as error:
        raise UserError(
            f"The file cannot be written: {error.strerror or error}.", where=str(options.out), fix="Give another path."
        ) from None
    rows = len(table.frame if options.rows == "runs" else table.curves)
    said = {"path": str(options.out), "rows": rows, "bytes": len(data)}
    show(json_text(said) if options.json else f"{rows:,} rows written to {options.out}")
