"""Run the jobs of run folders, whoever asks: a person, the local pool, Ray or SLURM.

    python -m scaling_core.worker FOLDER...     run these folders one after another
    python -m scaling_core.worker --serve       run each folder whose path comes on a line of the input, until it ends

A folder is run by one process at a time and never again once it has a result. SIGTERM makes the run save a checkpoint
and stop as "interrupted". With ``--serve`` a line of JSON answers each folder: its path, its state and a message.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from scaling_core.jobs.control import Stop
from scaling_core.jobs.work import Outcome, one_thread, run_folder, said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker. Returns the exit code: 0, or 1 where a run did not end well."""
    parser = argparse.ArgumentParser(prog="python -m scaling_core.worker", description="Run the jobs of run folders.")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--serve", action="store_true", help="read folders from the input, one a line")
    options = parser.parse_args(arguments)
    one_thread()
    stop = Stop()
    stop.listen()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    ended_well = True
    for folder in _lines() if options.serve else options.folders:
        outcome = run_folder(folder, stop)
        ended_well = ended_well and outcome.state == "done"
        with suppress(BrokenPipeError):  # whoever asked has gone; the folder says how it ended
            print(_answer(folder, outcome) if options.serve else f"{folder}: {said(outcome)}", file=answers)
        if stop.asked:
            break
    with suppress(BrokenPipeError):
        answers.close()
    return 0 if ended_well or options.serve else 1


def _lines() -> Iterable[Path]:
    # readline instead of iterating: no reading ahead, a folder is taken up when it comes.
    return map(Path, iter(lambda: sys.stdin.readline().strip(), ""))


def _answer(folder: Path, outcome: Outcome) -> str:
    return json.dumps({"folder": str(folder), "state": outcome.state, "message": outcome.message})


if __name__ == "__main__":
    sys.exit(main())
