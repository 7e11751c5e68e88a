"""Options that several commands share, and what they stand for: the runs, and how a law is fitted to them."""

from __future__ import annotations

import argparse
from pathlib import Path

from scaling_core.cli import values
from scaling_core.errors import UserError
from scaling_core.fitting import (
    DEFAULT_LEVEL,
    DEFAULT_RESAMPLES,
    OBJECTIVES,
    FitResult,
    Objective,
    Selection,
    fit,
    get_objective,
    recommend,
)
from scaling_core.laws import LAWS, Law, get_law
from scaling_core.runs import LOSS_UNITS, Overrides, RunTable, Upload, load


def add_files(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    """Add the files of runs, and how to read them."""
    parser.add_argument("files", nargs=nargs, metavar="FILE", help="CSV, TSV, JSONL or Parquet")
    parser.add_argument("--map", action="append", metavar="loss=COLUMN",
                        help="which column is which: run, params, tokens, flops, loss … (repeatable)")  # fmt: skip
    parser.add_argument("--loss-unit", choices=list(LOSS_UNITS), help="unit of the loss column")
    parser.add_argument("--bytes-per-token", type=values.positive, metavar="X", help="for a loss in bits per byte")
    parser.add_argument("--json", action="store_true", help="print JSON at full precision")


def add_law(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a law."""
    parser.add_argument("--law", metavar="LAW", help=f"one of {', '.join(LAWS)}; by default what the runs support")


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    """Add how a law is fitted: the objective, the points, the intervals."""
    add_objective(parser)
    add_points(parser)
    add_draws(parser)


def add_objective(parser: argparse.ArgumentParser) -> None:
    """Add what is minimised."""
    parser.add_argument("--objective", default="huber-log", metavar="NAME", help=f"one of {', '.join(OBJECTIVES)}")


def add_points(parser: argparse.ArgumentParser) -> None:
    """Add which points are fitted."""
    parser.add_argument(
        "--drop-highest-loss", type=values.count, default=0, metavar="K", help="leave out the K highest losses"
    )
    parser.add_argument("--checkpoints", choices=("final", "all"), default="final", help="last row of each run, or all")
    parser.add_argument(
        "--box", default="", metavar="RANGES", help="fit only rows inside, say flops:1e18:1e20;loss:2:3"
    )


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Add how intervals are made."""
    parser.add_argument(
        "--bootstrap", type=values.count, default=DEFAULT_RESAMPLES, metavar="N", help="resamples; 0 for none"
    )
    parser.add_argument("--seed", type=values.count, default=0, metavar="S", help="seed of the bootstrap")
    add_level(parser)


def add_level(parser: argparse.ArgumentParser) -> None:
    """Add the level of intervals."""
    parser.add_argument("--level", type=values.level, default=DEFAULT_LEVEL, metavar="P", help="level of the intervals")


def load_runs(options: argparse.Namespace) -> RunTable:
    """The runs of all files, as the options say to read them."""
    overrides = Overrides.parse(";".join(options.map or []))
    if options.loss_unit or options.bytes_per_token:
        unit = options.loss_unit or overrides.loss_unit
        overrides = Overrides(overrides.columns, unit, options.bytes_per_token or overrides.bytes_per_token)
    return load([Upload.from_path(Path(f)) for f in options.files], overrides)


def load_measured(options: argparse.Namespace) -> RunTable:
    """The runs with what is fitted as their ``loss``.

    Raises
    ------
    UserError
        If a question about the loss has to be answered first.
    """
    table = load_runs(options)
    questions = [n for n in table.notes if n.severity == "question"]
    if questions and not table.has_loss:
        raise UserError(questions[0].text, where=questions[0].file, fix="Say it with --bytes-per-token.")
    return table


def chosen_law(options: argparse.Namespace, table: RunTable) -> Law:
    """The law asked for, or the one that the runs support."""
    return get_law(options.law or (found.law if (found := recommend(table)) else "power-c"))


def chosen_objective(options: argparse.Namespace) -> Objective:
    """What is minimised."""
    return get_objective(options.objective)


def chosen_selection(options: argparse.Namespace) -> Selection:
    """Which points are fitted."""
    return Selection(checkpoints=options.checkpoints, drop_highest_loss=options.drop_highest_loss,
                     box=Selection.parse_box(options.box))  # fmt: skip


def fit_files(options: argparse.Namespace) -> FitResult:
    """The law asked for, fitted to the runs of the files."""
    table = load_measured(options)
    return fit(
        chosen_law(options, table),
        table,
        chosen_objective(options),
        chosen_selection(options),
        resamples=options.bootstrap,
        seed=options.seed,
    )
