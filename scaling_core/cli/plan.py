"""``plan``: say what to train with a budget."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scaling_core.cli.options import add_files, add_fit_options, add_law, fit_table, load_measured
from scaling_core.cli.output import json_text, show
from scaling_core.cli.scenario import add_scenario, overridden, scenario_of
from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.fitting.diagnostics import diagnose
from scaling_core.fitting.judged import JudgedFit
from scaling_core.planning import PUBLISHED, Basis, basis_of_fit, basis_of_published, get_published, plan
from scaling_core.planning.downstream import Downstream, downstream
from scaling_core.planning.figures import duration, energy, hours, money, passes, rate, saving, size
from scaling_core.planning.plan import Plan
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.typed import asked_back
from scaling_core.runs import LOSS, Metric, Upload
from scaling_core.units import format_flops, format_number, format_percent


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("plan", help="say what to train with a budget")
    add_files(parser, nargs="*")
    add_law(parser)
    add_fit_options(parser)
    parser.add_argument("--fit", metavar="FIT.json", help="a fit written by `fit --json`")
    parser.add_argument("--published", metavar="NAME", help=f"published constants: {', '.join(PUBLISHED)}")
    parser.add_argument(
        "--downstream", action="append", default=[], metavar="FIT.json",
        help="a fit from the loss to a metric: what the plan reaches of it, and --as-good-as 'accuracy 60%%' "
        "(repeatable)",
    )  # fmt: skip
    add_scenario(parser)
    parser.set_defaults(command=run, level=None)  # so that a level that is said is told from the usual one


def run(options: argparse.Namespace) -> None:
    """Print the plan."""
    basis, look = _basis(options)
    mappings = _mappings(options, basis)
    scenario = scenario_of(options, basis, mappings)
    basis = replace(basis, doubts=look(scenario.flops))
    metric = basis.metric
    answer = plan(basis, scenario)
    if instead := overridden(options):
        print(f"note: {', '.join(instead)} in place of what {options.scenario} says", file=sys.stderr)
    for doubt in asked_back(options.budget or "", scenario.flops):
        print(f"note: {doubt}", file=sys.stderr)
    further = [(fit.metric, downstream(fit, answer)) for fit in mappings]
    if options.json:
        said = {"downstream": [{"metric": m.text, **d._asdict()} for m, d in further]} if further else {}
        show(json_text({**answer.to_json(metric), **said}))
    else:
        show(_text(answer, metric, basis, scenario, further))


_EXTRAS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("epochs", "passes over the data", passes),
    ("cost_usd", "cost", money),
    ("gpu_hours", "accelerator-hours", hours),
    ("days", "time", duration),
    ("energy_kwh", "energy", energy),
    ("lifetime_flops", "lifetime FLOPs", format_flops),
    ("lifetime_saving", "saved over its life", saving),
)


def _shown(answer: Plan, metric: Metric) -> tuple[float, tuple[float, ...]]:
    """The metric that the plan reaches, and its interval; no ends without draws."""
    ends = metric.shown(np.array(answer.intervals.get("loss", ())))
    return float(metric.shown(np.array(answer.loss))), tuple(sorted(map(float, ends)))


def _machine(scenario: Scenario) -> list[str]:
    """What is trained on, where cost and time are told of it."""
    if scenario.terms is None:
        return []  # then there is no cost or time either
    terms = scenario.terms
    price = terms.usd_per_gpu_hour
    costs = f", {rate(float(price))} an hour" if price is not None else ", no price known"
    used = format_percent(float(terms.all_in_utilisation))
    return [f"  {'machine':<22} {float(terms.n_gpus):,.0f} × {terms.hardware.name}, {used} of the peak{costs}"]


def _text(
    answer: Plan, metric: Metric, basis: Basis, scenario: Scenario, further: list[tuple[Metric, Downstream]]
) -> str:
    def between(name: str, write: Any) -> str:
        low_high = answer.intervals.get(name)
        return f" ({write(low_high[0])} to {write(low_high[1])})" if low_high else ""

    lines = [f"With {format_flops(answer.flops)} FLOPs:", f"  {'law':<22} {basis.title}"]
    for name, title, write in (
        ("params", "parameters", size),
        ("tokens", "tokens", size),
        ("tokens_per_param", "tokens per parameter", format_number),
        ("loss", "loss", lambda v: format_number(v, 4)),
    ):
        lines.append(f"  {title:<22} {write(getattr(answer, name))}{between(name, write)}")
    if metric != LOSS:
        value, ends = _shown(answer, metric)
        lines[-1] = f"  {metric.title:<22} {format_number(value, 4)}"
        lines[-1] += f" ({format_number(ends[0], 4)} to {format_number(ends[1], 4)})" if ends else ""
    lines += [
        f"  {m.title:<22} {format_number(d.value, 4)} ({format_number(d.low, 4)} to {format_number(d.high, 4)})"
        for m, d in further
    ]
    lines += _machine(scenario)
    lines += [
        f"  {title:<22} {write(value)}{between(name, write)}"
        for name, title, write in _EXTRAS
        if (value := getattr(answer, name)) is not None
    ]
    if answer.intervals:
        lines.append(f"In brackets: the middle {format_percent(answer.level)} of what the draws of the law say.")
    return "\n".join(lines + [f"- {note}" for note in answer.notes])


def _basis(options: argparse.Namespace) -> tuple[Basis, Callable[[float | None], tuple[str, ...]]]:
    """What to plan with, and what tells the doubts about it for a budget."""
    given = [bool(options.fit), bool(options.published), bool(options.files)]
    if sum(given) != 1:
        raise UserError("A plan needs one law.", fix="Give --fit FIT.json, or --published NAME, or files of runs.")
    if options.published:
        return basis_of_published(get_published(options.published)), lambda flops: ()
    if options.fit:
        judged = _read_fit(Path(options.fit))
        return basis_of_fit(judged.fit), lambda flops: judged.verdict.reasons
    table = load_measured(options)
    fit = fit_table(options, table)
    return basis_of_fit(fit), lambda flops: JudgedFit(fit, diagnose(table, fit, flops)).verdict.reasons


def _mappings(options: argparse.Namespace, basis: Basis) -> list[FitResult]:
    """Fits from the loss to a metric, which only a law of loss can be followed by."""
    mappings = [_read_fit(Path(path)).fit for path in options.downstream]
    if mappings and basis.metric != LOSS:
        raise UserError(
            f"This law is of {basis.metric.title}: it gives no loss to read a metric off.", where="--downstream",
            fix="Plan with a law of loss.",
        )  # fmt: skip
    return mappings


def _read_fit(path: Path) -> JudgedFit:
    upload = Upload.from_path(path)
    try:
        data = json.loads(upload.data)
    except (ValueError, RecursionError) as error:
        raise UserError(
            "This file is not JSON.", where=str(path), fix="Give a file that `fit --json` wrote."
        ) from error
    return JudgedFit.from_json(data)
