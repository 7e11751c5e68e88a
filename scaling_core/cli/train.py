"""``train``: plan a ladder of small runs, queue it, and watch a law grow."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_core.cli import values
from scaling_core.cli.output import json_text, show
from scaling_core.cli.train_report import plan_text, results_of, summary_text
from scaling_core.cli.train_watch import watch
from scaling_core.errors import UserError
from scaling_core.jobs.executors import EXECUTORS, make_executor
from scaling_core.jobs.starts import find_run
from scaling_core.jobs.store import Queue
from scaling_core.jobs.submit import submit_ladder
from scaling_core.runs import home
from scaling_core.training.asked import read_amount, read_tokens
from scaling_core.training.base_run import called_after, resolved
from scaling_core.training.from_runs import ladder_from_runs
from scaling_core.training.ladder import Ladder, plan_ladder, to_meta
from scaling_core.training.ladder_file import ladder_toml, read_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.presets import PRESETS, SHAPES, for_flops, for_seconds, from_preset, get_preset
from scaling_core.training.spec import DataSpec
from scaling_core.training.speed import Speed
from scaling_core.training.timing import measure_speed, speed_here


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("train", help="train a ladder of small runs and watch its law grow")
    parser.add_argument("file", nargs="?", type=Path, metavar="LADDER.toml", help="a ladder by file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--preset", choices=list(PRESETS), help="a ladder by the time that it takes")
    what.add_argument("--time", type=_time, metavar="20min", help="as much as this machine does in a time")
    what.add_argument("--flops", type=values.flops, metavar="C", help="as much as so many FLOPs pay for")
    what.add_argument("--from-csv", type=Path, metavar="FILE", help="runs by the columns params and tokens, such as "
                      "the next experiments of a plan")  # fmt: skip
    what.add_argument("--tokens", type=_tokens, metavar="D[,D…]", help="runs of so many tokens, with --start-from")
    parser.add_argument("--start-from", metavar="RUN", help="begin with the weights of a finished run: the id or name "
                        "of its job, or its folder; the runs are kept out of laws")  # fmt: skip
    parser.add_argument("--sizes", type=values.count, default=5, metavar="N", help="sizes, with --time or --flops")
    parser.add_argument("--budgets", type=values.count, default=5, metavar="N", help="budgets, with --time or --flops")
    parser.add_argument("--source", metavar="NAME", help="what is learned from; by default Python's standard library")
    parser.add_argument("--path", metavar="PATH", help="a text file or folder, for the source text")
    parser.add_argument("--seed", type=values.count, metavar="S", help="of the weights")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda …")
    parser.add_argument("--executor", choices=list(EXECUTORS), default="local", help="where the runs are trained")
    parser.add_argument("--slots", type=values.count, metavar="N", help="runs at once, for the estimate")
    parser.add_argument("--measure", action=argparse.BooleanOptionalAction, default=None,
                        help="time this machine first; by default where it was not timed yet, or busy")  # fmt: skip
    parser.add_argument("--watch", action=argparse.BooleanOptionalAction, default=True,
                        help="follow the runs to their end (default), or queue them and leave")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    parser.add_argument("--write", type=Path, metavar="LADDER.toml", help="write the plan to a file as well")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="the workspace; by default SCALING_HOME")
    parser.add_argument("--json", action="store_true", help="print JSON at full precision")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Plan, queue, watch and sum up."""
    if options.home:
        os.environ["SCALING_HOME"] = str(options.home.absolute())  # the processes that we start read it too
    queue = Queue(home())
    ladder = planned(options, queue)
    if options.write:
        _write(options.write, ladder.spec)
    if options.dry_run:
        show(json_text(to_meta(ladder)) if options.json else plan_text(ladder))
        return
    if not options.json:
        show(plan_text(ladder))
    number = submit_ladder(queue, ladder, options.executor)
    _follow(options, queue, number, ladder.spec)


def _follow(options: argparse.Namespace, queue: Queue, number: int, spec: LadderSpec) -> None:
    found = queue.ladder(number)
    if not options.watch:
        answer = {"ladder": number, "folder": str(found.folder)}
        show(json_text(answer) if options.json else f"\nLadder {number} is queued. {_look(number, options.home)}")
        return
    out = sys.stderr if options.json else sys.stdout
    print(file=out)
    try:
        well = watch(queue, number, spec.forecast, out)
    except KeyboardInterrupt:
        print(
            f"\nLeft watching; ladder {number} goes on without this window. {_look(number, options.home)}",
            file=sys.stderr,
        )
        return
    if options.json:
        show(json_text({"ladder": number} | results_of(found.folder, spec.forecast)))
        return
    show(f"\n{summary_text(found.folder, spec.forecast)}")
    if not well:
        show(f"\nSome jobs did not end well; jobs list --all says why.{_look(number, options.home)}")
    started = f"SCALING_HOME={options.home.absolute()} " if options.home else ""
    show(f"\nIts files: {found.folder}")
    show(f"In the dashboard: {started}streamlit run app.py, page Train, ladder “{found.name}”")


def _look(number: int, folder: Path | None) -> str:
    command = f"{f'SCALING_HOME={folder.absolute()} ' if folder else ''}python -m scaling_core jobs"
    return f"\n  See:  {command} list --ladder {number}\n  Stop: {command} cancel --ladder {number}"


def planned(options: argparse.Namespace, queue: Queue) -> Ladder:
    """The ladder that the options ask for.

    Raises
    ------
    UserError
        If they ask for none, or for one that cannot be.
    """
    asked = [options.file, options.preset, options.time, options.flops, options.from_csv, options.tokens]
    if sum(bool(value) for value in asked) != 1:
        raise UserError("A ladder is needed.", fix="Give --preset 2min, --time 20min, --flops 1e14 or LADDER.toml; "
                        "with --start-from also --tokens 1M.")  # fmt: skip
    if options.tokens and not options.start_from:
        raise UserError("--tokens says no size.", fix="Give --start-from RUN with it, or a LADDER.toml with sizes.")
    slots = options.slots or _slots(options, queue)
    if options.file:
        spec = _started(options, _overridden(options, read_ladder(options.file)), queue)
        return plan_ladder(spec, _speed(options, queue, slots, spec.device), slots)
    base = _base(options, queue)
    runs = _read_runs(options.from_csv) if options.from_csv else None
    speed = _speed(options, queue, slots, base.device)
    if options.tokens:
        return plan_ladder(replace(base, budgets=options.tokens), speed, slots)
    if options.preset and base.start:
        preset = get_preset(options.preset)
        return for_seconds(preset.seconds, base, speed, slots, 1, preset.budgets, preset.fitted)
    if options.preset:
        ladder = from_preset(options.preset, speed, slots, base.data)
        return plan_ladder(_overridden(options, ladder.spec), speed, slots, ladder.facts)
    if runs is not None:
        spec = ladder_from_runs(runs, replace(base, name=options.from_csv.stem[:60]))
        return plan_ladder(replace(spec, hold_back=False), speed, slots)
    fill, amount = (for_seconds, options.time) if options.time else (for_flops, options.flops)
    return fill(amount, base, speed, slots, options.sizes, options.budgets, min(3, options.budgets))


def _started(options: argparse.Namespace, spec: LadderSpec, queue: Queue) -> LadderSpec:
    """The ladder with the run that it starts from found, where an option or its file names one."""
    asked = options.start_from or spec.start
    return replace(spec, start=str(find_run(queue, asked))) if asked else spec


def _base(options: argparse.Namespace, queue: Queue) -> LadderSpec:
    """What the ladder shares however its budgets are found; of one that starts from a run with its optimiser."""
    spec = _overridden(options, LadderSpec("custom", SHAPES[:1], (1e6,)))
    if not options.start_from:
        return spec
    spec, run = resolved(replace(spec, start=str(find_run(queue, options.start_from)), sizes=()))
    assert run is not None  # it starts from one
    data = replace(run.spec.data, seed=spec.data.seed) if not (options.source or options.path) else spec.data
    return replace(spec, name=called_after(data.source, run), data=data,
                   optimiser=run.spec.optimiser)  # fmt: skip


def _overridden(options: argparse.Namespace, spec: LadderSpec) -> LadderSpec:
    """The ladder with what the options say otherwise."""
    data: DataSpec = spec.data
    if options.source or options.path:
        data = replace(data, source=options.source or "text", path=options.path or data.path)
    seed = spec.seed if options.seed is None else options.seed
    return replace(spec, data=data, seed=seed, device=options.device or spec.device)


def _slots(options: argparse.Namespace, queue: Queue) -> int:
    return make_executor(options.executor, queue.home, queue.limits, queue.setting(options.executor) or {}).slots


def _speed(options: argparse.Namespace, queue: Queue, slots: int, device: str) -> Speed:
    """The speed of this machine; of others nothing is known."""
    known = speed_here(queue.home, slots, device)
    wanted = options.measure if options.measure is not None else not known.measured or known.was_disturbed
    if not wanted or options.executor != "local":
        return known
    print(f"Times this machine with {slots} runs at once, about 20 seconds …", file=sys.stderr, flush=True)
    return measure_speed(queue.home, slots, device)


def _read_runs(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"The runs cannot be read ({error}).", where=str(path)) from None


def _write(path: Path, spec: LadderSpec) -> None:
    try:
        path.write_text(ladder_toml(spec), encoding="utf-8")
    except OSError as error:
        raise UserError(f"The ladder cannot be written: {error.strerror or error}.", where=str(path)) from None


def _tokens(text: str) -> tuple[float, ...]:
    """Tokens of one run each: ``250k,500k,1M``."""
    try:
        return read_tokens(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(error.line()) from None


def _time(text: str) -> float:
    """A time as people write it: ``90s``, ``20min``, ``1h``."""
    try:
        kind, amount = read_amount(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(error.what) from None
    if kind != "seconds":
        raise argparse.ArgumentTypeError(f"{text} is no time: write 90s, 20min or 1h")
    return amount
