"""The same jobs without a browser: ``python -m scaling_core inspect|fit|plan``.

A person's error prints one line on the error stream and exits with 2; results go to the output stream.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.fitting import (
    DEFAULT_LEVEL,
    DEFAULT_RESAMPLES,
    OBJECTIVES,
    FitResult,
    Selection,
    fit,
    get_objective,
    recommend,
)
from scaling_core.laws import LAWS, get_law
from scaling_core.planning import PUBLISHED, Basis, Scenario, basis_of_fit, basis_of_published, get_published, plan
from scaling_core.planning.plan import Plan
from scaling_core.runs import LOSS_UNITS, Overrides, RunTable, Upload, load
from scaling_core.units import format_count, format_flops, format_number, parse_flops, parse_quantity


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, or 2 after an error that a person can put right."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except UserError as error:
        print(f"error: {error.line()}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
    return 0


def _inspect(options: argparse.Namespace) -> None:
    table = _load(options)
    report = inspect_report(table)
    _print(json_text(report) if options.json else _inspect_text(report))


def _fit(options: argparse.Namespace) -> None:
    result = _fit_files(options)
    _print(json_text(result.to_json(options.level)) if options.json else result.summary(options.level))


def _plan(options: argparse.Namespace) -> None:
    answer = plan(_basis(options), Scenario(options.flops, options.level))
    _print(json_text(answer.to_json()) if options.json else _plan_text(answer))


def inspect_report(table: RunTable) -> dict[str, Any]:
    """What was found in the files, as JSON types."""
    sources = table.sources
    return {
        "format": ", ".join(dict.fromkeys(s.format for s in sources)),
        "runs": int(table.frame["is_final"].sum()),
        "rows": len(table.frame),
        "columns": list(dict.fromkeys(c for s in sources for c in s.columns)),
        "mapping": {k: v for s in reversed(sources) for k, v in s.mapping.items()},
        "notes": [f"{n.file}: {n.text}" if len(sources) > 1 and n.file else n.text for n in table.notes],
        "questions": [n.text for n in table.notes if n.severity == "question"],
        "rejected": table.rejected.to_dict(orient="records"),
        "ranges": {c: table.span(c) for c in ("params", "tokens", "flops", "loss")},
        "files": [
            {
                "file": s.file,
                "sha256": s.sha256,
                "format": s.format,
                "rows": s.rows,
                "mapping": s.mapping,
                "derived": s.derived,
                "loss_unit": s.loss_unit,
                "loss_split": s.loss_split,
                "params_convention": s.params_convention,
                "flops_source": s.flops_source,
            }
            for s in sources
        ],
        "digest": table.digest,
    }


def json_text(value: Any) -> str:
    """JSON at full precision; what is not a finite number becomes null, since JSON has no NaN."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "item"):  # a NumPy scalar
        return _finite(value.item())
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _inspect_text(report: dict[str, Any]) -> str:
    left_out = f", {len(report['rejected'])} left out" if report["rejected"] else ""
    lines = [f"{report['runs']} runs in {report['rows']} rows{left_out} ({report['format']})"]
    lines += [f"  {canonical:<22} from “{column}”" for canonical, column in report["mapping"].items()]
    for name, span in report["ranges"].items():
        write = format_flops if name == "flops" else format_number if name == "loss" else format_count
        lines.append(f"  {name:<22} {write(span[0])} to {write(span[1])}" if span else f"  {name:<22} unknown")
    lines += [f"  - {note}" for note in report["notes"]]
    lines += [f"  left out: {r['file']} line {r['line']}: {r['reason']}" for r in report["rejected"]]
    return "\n".join(lines)


def _plan_text(answer: Plan) -> str:
    def between(name: str, write: Any) -> str:
        low_high = answer.intervals.get(name)
        return f" ({write(low_high[0])} to {write(low_high[1])})" if low_high else ""

    lines = [f"With {format_flops(answer.flops)} FLOPs:"]
    for name, title, write in (
        ("params", "parameters", format_count),
        ("tokens", "tokens", format_count),
        ("tokens_per_param", "tokens per parameter", format_number),
        ("loss", "loss", lambda v: format_number(v, 4)),
    ):
        lines.append(f"  {title:<22} {write(getattr(answer, name))}{between(name, write)}")
    lines.append(f"  intervals are {answer.level:.0%}" if answer.intervals else "  no intervals")
    return "\n".join(lines + [f"  - {note}" for note in answer.notes])


def _load(options: argparse.Namespace) -> RunTable:
    overrides = Overrides.parse(";".join(options.map or []))
    if options.loss_unit or options.bytes_per_token:
        unit = options.loss_unit or overrides.loss_unit
        overrides = Overrides(overrides.columns, unit, options.bytes_per_token or overrides.bytes_per_token)
    return load([Upload.from_path(Path(f)) for f in options.files], overrides)


def _fit_files(options: argparse.Namespace) -> FitResult:
    table = _load(options)
    questions = [n for n in table.notes if n.severity == "question"]
    if questions and not table.has_loss:
        raise UserError(questions[0].text, where=questions[0].file, fix="Say it with --bytes-per-token.")
    law = options.law or (found.law if (found := recommend(table)) else "power-c")
    selection = Selection(checkpoints=options.checkpoints, drop_highest_loss=options.drop_highest_loss,
                          box=Selection.parse_box(options.box))  # fmt: skip
    objective = get_objective(options.objective)
    return fit(get_law(law), table, objective, selection, resamples=options.bootstrap, seed=options.seed)


def _basis(options: argparse.Namespace) -> Basis:
    given = [bool(options.fit), bool(options.published), bool(options.files)]
    if sum(given) != 1:
        raise UserError("A plan needs one law.", fix="Give --fit FIT.json, or --published NAME, or files of runs.")
    if options.published:
        return basis_of_published(get_published(options.published))
    return basis_of_fit(_read_fit(Path(options.fit)) if options.fit else _fit_files(options))


def _read_fit(path: Path) -> FitResult:
    upload = Upload.from_path(path)
    try:
        data = json.loads(upload.data)
    except (ValueError, RecursionError) as error:
        raise UserError(
            "This file is not JSON.", where=str(path), fix="Give a file that `fit --json` wrote."
        ) from error
    return FitResult.from_json(data)


def _print(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scaling_core", description="Fit scaling laws and plan with them.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    inspect = commands.add_parser("inspect", help="say what is in files of runs")
    _add_files(inspect, nargs="+")
    inspect.set_defaults(command=_inspect)
    fitter = commands.add_parser("fit", help="fit a law to files of runs")
    _add_files(fitter, nargs="+")
    _add_fit_options(fitter)
    fitter.set_defaults(command=_fit)
    planner = commands.add_parser("plan", help="say what to train with a budget")
    _add_files(planner, nargs="*")
    _add_fit_options(planner)
    planner.add_argument("--fit", metavar="FIT.json", help="a fit written by `fit --json`")
    planner.add_argument("--published", metavar="NAME", help=f"published constants: {', '.join(PUBLISHED)}")
    planner.add_argument("--flops", type=_flops, required=True, metavar="C", help="training compute, say 5.76e23")
    planner.set_defaults(command=_plan)
    return parser


def _add_files(parser: argparse.ArgumentParser, nargs: str) -> None:
    parser.add_argument("files", nargs=nargs, metavar="FILE", help="CSV, TSV, JSONL or Parquet")
    parser.add_argument("--map", action="append", metavar="loss=COLUMN",
                        help="which column is which: run, params, tokens, flops, loss … (repeatable)")  # fmt: skip
    parser.add_argument("--loss-unit", choices=list(LOSS_UNITS), help="unit of the loss column")
    parser.add_argument("--bytes-per-token", type=_positive, metavar="X", help="for a loss in bits per byte")
    parser.add_argument("--json", action="store_true", help="print JSON at full precision")


def _add_fit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--law", metavar="LAW", help=f"one of {', '.join(LAWS)}; by default what the runs support")
    parser.add_argument("--objective", default="huber-log", metavar="NAME", help=f"one of {', '.join(OBJECTIVES)}")
    parser.add_argument(
        "--drop-highest-loss", type=_count, default=0, metavar="K", help="leave out the K highest losses"
    )
    parser.add_argument("--checkpoints", choices=("final", "all"), default="final", help="last row of each run, or all")
    parser.add_argument(
        "--box", default="", metavar="RANGES", help="fit only rows inside, say flops:1e18:1e20;loss:2:3"
    )
    parser.add_argument(
        "--bootstrap", type=_count, default=DEFAULT_RESAMPLES, metavar="N", help="resamples; 0 for none"
    )
    parser.add_argument("--seed", type=_count, default=0, metavar="S", help="seed of the bootstrap")
    parser.add_argument("--level", type=_level, default=DEFAULT_LEVEL, metavar="P", help="level of the intervals")


def _flops(text: str) -> float:
    try:
        return parse_flops(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(error.line()) from error


def _quantity(text: str) -> float:
    try:
        return parse_quantity(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(error.line()) from error


def _positive(text: str) -> float:
    value = _quantity(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return value


def _level(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1, say 0.9")
    return value
