"""Options that several commands share, and what they stand for: the runs, and how a law is fitted to them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from scaling_core.cli import values
from scaling_core.cli.reading import told
from scaling_core.errors import UserError
from scaling_core.fitting import (
    BY_COMPUTE,
    BY_SETTING,
    DEFAULT_LEVEL,
    DEFAULT_METHOD,
    DEFAULT_RESAMPLES,
    METHODS,
    OBJECTIVES,
    Constraint,
    FitResult,
    Objective,
    Selection,
    fit,
    get_method,
    get_objective,
    recommend,
)
from scaling_core.laws import LAWS, Law, get_law
from scaling_core.runs import CHECKS, LOSS, LOSS_UNITS, Overrides, RunTable, Upload, from_folder, load


def add_files(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    """Add the files of runs, and how to read them."""
    parser.add_argument(
        "files", nargs=nargs, metavar="FILE", help="tables or logs of runs, archives or folders of them"
    )
    parser.add_argument("--map", action="append", metavar="loss=COLUMN",
                        help="which column is which: run, params, tokens, flops, loss … (repeatable)")  # fmt: skip
    parser.add_argument("--mapping", metavar="FILE", type=Path,
                        help="column corrections as the Runs page exports them; --map goes on top")  # fmt: skip
    parser.add_argument("--loss-unit", choices=list(LOSS_UNITS), help="unit of the loss column")
    parser.add_argument("--bytes-per-token", type=values.positive, metavar="X", help="for a loss in bits per byte")
    parser.add_argument("--json", action="store_true", help="print JSON at full precision")


def add_law(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a law."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--law", metavar="LAW", help=f"one of {', '.join(LAWS)}, or ratio:COLUMN/COLUMN; by default what "
                     "the runs support")  # fmt: skip
    one.add_argument("--formula", metavar="TEXT", help="a law of your own in N, D, C, U, M = D/N and columns, say "
                     "'E + A/N^alpha + B/D^beta'")  # fmt: skip


def add_fit_options(parser: argparse.ArgumentParser) -> None:
    """Add how a law is fitted: the objective, the points, the intervals."""
    add_objective(parser)
    add_points(parser)
    parser.add_argument(
        "--weights", default="", metavar="COLUMN", help=f"weight the runs by a column, {BY_COMPUTE}, or {BY_SETTING}"
    )
    parser.add_argument("--bound", action="append", default=[], metavar="NAME=LOW:HIGH",
                        help="keep a parameter between two values, say alpha=0.2:0.5 (repeatable)")  # fmt: skip
    parser.add_argument("--fix", action="append", default=[], metavar="NAME=VALUE",
                        help="fix a parameter, say alpha=0.34 (repeatable)")  # fmt: skip
    parser.add_argument("--method", default=DEFAULT_METHOD, metavar="NAME",
                        help=f"how intervals are made, one of {', '.join(METHODS)}")  # fmt: skip
    add_draws(parser)


def add_objective(parser: argparse.ArgumentParser) -> None:
    """Add what is minimised."""
    parser.add_argument("--objective", default="huber-log", metavar="NAME", help=f"one of {', '.join(OBJECTIVES)}")
    parser.add_argument("--delta", type=values.positive, metavar="X", help="threshold of a Huber objective")


def add_points(parser: argparse.ArgumentParser) -> None:
    """Add which points are fitted, and by what they are judged."""
    parser.add_argument("--metric", default=LOSS.column, metavar="COLUMN[:higher|lower[:BEST]]",
                        help="fit another column than the loss, say accuracy:higher:100")  # fmt: skip
    parser.add_argument(
        "--drop-highest-loss", type=values.count, default=0, metavar="K", help="leave out the K highest losses"
    )
    parser.add_argument("--checkpoints", default="final", metavar="final|best|last:K|all",
                        help="which rows of a run: its last, that of its lowest loss, its last K, or all")  # fmt: skip
    parser.add_argument("--warm-up", type=values.share, default=0.0, metavar="P",
                        help="leave out rows before this share of their run's steps, say 10%%")  # fmt: skip
    parser.add_argument("--leave-out", action="append", default=[], choices=list(CHECKS),
                        help="leave out rows that a check flags; inspect lists them (repeatable)")  # fmt: skip
    parser.add_argument("--tuned", action="store_true",
                        help="fit runs that began with weights of another too; else they are left out")  # fmt: skip
    parser.add_argument(
        "--box", default="", metavar="RANGES", help="fit only rows inside, say flops:1e18:1e20;loss:2:3"
    )


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Add how intervals are made."""
    parser.add_argument(
        "--bootstrap", type=values.resamples, default=DEFAULT_RESAMPLES, metavar="N", help="resamples; 0 for none"
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
        overrides = replace(
            overrides, loss_unit=unit, bytes_per_token=options.bytes_per_token or overrides.bytes_per_token
        )
    if options.mapping is not None:
        overrides = overrides.after(Overrides.from_file(options.mapping))
    with told():
        return load([from_folder(f) if Path(f).is_dir() else Upload.from_path(f) for f in options.files], overrides)


def load_measured(options: argparse.Namespace) -> RunTable:
    """The runs with what is fitted as their ``loss``.

    Raises
    ------
    UserError
        If a question about the loss has to be answered first.
    """
    table = load_runs(options)
    measured = table.measured_by(options.metric)
    questions = [n for n in table.notes if n.severity == "question"]
    if questions and not measured.has_loss:
        raise UserError(questions[0].text, where=questions[0].file, fix="Say it with --bytes-per-token.")
    return measured


def chosen_law(options: argparse.Namespace, table: RunTable) -> Law:
    """The law asked for, or the one that the runs support."""
    if options.formula is not None:
        return get_law(f"custom:{options.formula}")
    return get_law(options.law or (found.law if (found := recommend(table)) else "power-c"))


def chosen_objective(options: argparse.Namespace) -> Objective:
    """What is minimised."""
    objective = get_objective(options.objective)
    return objective if options.delta is None else objective.with_delta(options.delta)


def chosen_constraints(options: argparse.Namespace) -> tuple[Constraint, ...]:
    """What parameters may be.

    Raises
    ------
    UserError
        If a bound is no range, or a value to fix at is one.
    """
    bounds, fixed = ([Constraint.parse(text) for text in texts] for texts in (options.bound, options.fix))
    for text, constraint in zip(options.fix, fixed, strict=True):
        if not constraint.is_fixed:
            raise UserError(f"“{text}” fixes nothing.", fix=f"Write --bound {text}, or --fix {constraint.name}=VALUE.")
    return (*bounds, *fixed)


def chosen_selection(options: argparse.Namespace) -> Selection:
    """Which points are fitted."""
    return Selection(checkpoints=options.checkpoints, drop_highest_loss=options.drop_highest_loss,
                     box=Selection.parse_box(options.box), warm_up=options.warm_up,
                     leave_out=tuple(dict.fromkeys(options.leave_out)), tuned=options.tuned)  # fmt: skip


def fit_table(options: argparse.Namespace, table: RunTable) -> FitResult:
    """The law asked for, fitted to runs that are already read."""
    return fit(
        chosen_law(options, table),
        table,
        chosen_objective(options),
        chosen_selection(options),
        resamples=options.bootstrap,
        seed=options.seed,
        weights=options.weights,
        constraints=chosen_constraints(options),
        method=get_method(options.method).name,
    )
