"""The same jobs without a browser: ``python -m scaling_core COMMAND``.

A command is a file here and a line below. A person's error prints one line on the error stream and exits with 2;
results go to the output stream. Ctrl-C ends any of them with 130.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from scaling_core.cli import compare, export, fit, inspect, isoflop, jobs, plan, train
from scaling_core.cli.output import json_text
from scaling_core.errors import UserError

INTERRUPTED = 130  # 128 + SIGINT, as shells say it
#: Modules with ``add(commands)``, which adds the command's parser and sets ``command`` to what runs it.
COMMANDS = (inspect, export, fit, compare, isoflop, plan, train, jobs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 after an error that a person can put right, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except UserError as error:
        print(f"error: {error.line()}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scaling_core", description="Fit scaling laws and plan with them.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


__all__ = ["COMMANDS", "json_text", "main"]
