"""Options that say what is asked of a planner, and the scenario they make."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaling_core.cli import values
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL, FitResult
from scaling_core.planning import PRECISIONS, Basis, Budget, Demand, Scenario, Terms, get_hardware
from scaling_core.planning.budget import DEFAULT_MFU
from scaling_core.planning.goal import example, read_goal
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.typed import refuse_a_size_as_goal
from scaling_core.runs import LOSS, Upload

#: Ways to say how much, of which one is given.
BUDGETS = ("flops", "usd", "gpu_hours", "days", "budget", "loss", "as_good_as")
#: What else a saved scenario says, too.
_WHAT_ELSE = ("params", "unique_tokens", "inference_tokens", "written_share", "decode_mfu", "hardware", "gpus", "mfu",
              "lost", "precision", "price")  # fmt: skip
DEFAULT_HARDWARE = "H100 SXM 80GB"


def add_scenario(parser: argparse.ArgumentParser) -> None:
    """Add the options of a scenario."""
    much = parser.add_argument_group("how much (one of these)")
    much.add_argument("--flops", type=values.flops, metavar="C", help="training compute, say 5.76e23")
    much.add_argument("--usd", type=values.positive, metavar="X", help="dollars, say 2M")
    much.add_argument("--gpu-hours", type=values.positive, metavar="X", help="accelerator-hours")
    much.add_argument("--days", type=values.positive, metavar="X", help="days on all --gpus")
    much.add_argument("--budget", metavar="TEXT", help="any of these as text: '$2M', '3 weeks', '200 MWh'")
    much.add_argument("--loss", type=values.positive, metavar="L", help="a loss to reach at the lowest cost")
    much.add_argument(
        "--as-good-as",
        metavar="TEXT",
        help="as good as a model by the law, '70B on 1.4T', or as a value of the metric that was fitted",
    )
    much.add_argument("--scenario", metavar="FILE.json", help="a scenario that was saved; other options "
                      "take the place of what it says")  # fmt: skip
    what = parser.add_argument_group("what else is asked")
    what.add_argument("--params", type=values.positive, metavar="N", help="a size that is wanted, in place of the best")
    what.add_argument("--unique-tokens", type=values.positive, metavar="U", help="distinct tokens that there are")
    what.add_argument("--inference-tokens", type=values.positive, metavar="T", help="tokens to serve over its life")
    what.add_argument(
        "--written-share", type=values.share, metavar="P", help="share of them written one by one (default .5)"
    )
    what.add_argument(
        "--decode-mfu", type=values.share, metavar="P", help="utilisation while writing; default counts alike"
    )
    machine = parser.add_argument_group("on which machine")
    machine.add_argument("--hardware", metavar="NAME|FILE.json", help=f"accelerator (default {DEFAULT_HARDWARE})")
    machine.add_argument("--gpus", type=values.positive, metavar="N", help="how many (default 256)")
    machine.add_argument(
        "--mfu", type=values.share, metavar="P", help=f"utilisation while training (default {DEFAULT_MFU})"
    )
    machine.add_argument(
        "--lost", type=values.share, metavar="P", help="share of paid time lost to restarts and waiting"
    )
    machine.add_argument("--precision", choices=PRECISIONS, help="number format of the matrix products")
    machine.add_argument("--price", type=values.price, metavar="X", help="dollars an accelerator-hour")


def scenario_of(options: argparse.Namespace, basis: Basis, mappings: Sequence[FitResult] = ()) -> Scenario:
    """Return the scenario that the options say, on top of a saved one where that is given.

    ``mappings``, fits from the loss to another metric, let a goal be of that metric.

    Raises
    ------
    UserError
        If not exactly one budget is given, or one cannot be read or be.
    """
    given = [name for name in BUDGETS if getattr(options, name) is not None]
    if len(given) > 1 or not (given or options.scenario is not None):
        spelt = ", ".join(_spelt(name) for name in (*BUDGETS, "scenario"))
        what = "A plan needs a budget." if not given else f"{len(given)} budgets are given."
        raise UserError(what, fix=f"Give one of {spelt}.")
    if options.scenario is not None:
        return _changed(Scenario.from_json(_read(options.scenario)), options, _loss(options, basis, mappings))
    terms = _terms(options, None)
    return Scenario(
        _flops(options, terms or _default_terms()),
        DEFAULT_LEVEL if options.level is None else options.level,
        loss=_loss(options, basis, mappings),
        params=options.params,
        unique_tokens=options.unique_tokens or math.inf,
        demand=_demand(options, Demand()),
        terms=terms or (_default_terms() if given[0] not in ("flops", "loss", "as_good_as") else None),
    )


def _changed(saved: Scenario, options: argparse.Namespace, loss: float | None) -> Scenario:
    """The saved scenario with what other options say in place of its own."""
    terms = _terms(options, saved.terms)
    flops = _flops(options, terms or _default_terms())
    if flops is None and loss is None:
        flops, loss = saved.flops, saved.loss
    own = {"level": options.level, "params": options.params, "unique_tokens": options.unique_tokens}
    said = {name: value for name, value in own.items() if value is not None}
    return replace(saved, flops=flops, loss=loss, demand=_demand(options, saved.demand), terms=terms, **said)


def overridden(options: argparse.Namespace) -> list[str]:
    """Options that take the place of what a saved scenario says, as they are spelt."""
    if options.scenario is None:
        return []
    return [_spelt(name) for name in (*BUDGETS, "level", *_WHAT_ELSE) if getattr(options, name) is not None]


def _spelt(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _loss(options: argparse.Namespace, basis: Basis, mappings: Sequence[FitResult]) -> float | None:
    if options.as_good_as is None:
        return None if options.loss is None else _loss_itself(options.loss, basis)
    refuse_a_size_as_goal(options.as_good_as)
    return read_goal(options.as_good_as, basis, mappings)


def _loss_itself(loss: float, basis: Basis) -> float:
    if basis.metric != LOSS:
        raise UserError(
            f"This law is of {basis.metric.title}: it does not know the loss.", where="--loss",
            fix=f"Give --as-good-as {example(basis.metric)}, or --as-good-as '70B on 1.4T'.",
        )  # fmt: skip
    return float(loss)


def _flops(options: argparse.Namespace, terms: Terms) -> float | None:
    for name, unit in (("usd", "USD"), ("gpu_hours", "GPU-hours"), ("days", "days")):
        if (value := getattr(options, name)) is not None:
            return float(Budget(value, unit).flops(terms))
    if options.budget is not None:
        return float(Budget.parse(options.budget).flops(terms))
    return None if options.flops is None else float(options.flops)


def _demand(options: argparse.Namespace, saved: Demand) -> Demand:
    said = {
        "tokens": options.inference_tokens,
        "written_share": options.written_share,
        "decode_mfu": options.decode_mfu,
    }
    return replace(saved, **{name: value for name, value in said.items() if value is not None})


def _terms(options: argparse.Namespace, saved: Terms | None) -> Terms | None:
    """The machine, where anything was said of it, on top of a saved one."""
    said = {
        "hardware": None if options.hardware is None else _hardware(options.hardware),
        "precision": options.precision,
        "mfu": options.mfu,
        "n_gpus": options.gpus,
        "price_usd_per_hour": options.price,
        "restart_share": options.lost,
    }
    given = {name: value for name, value in said.items() if value is not None}
    if not given:
        return saved
    return replace(saved or _default_terms(), **given)


def _default_terms() -> Terms:
    return Terms(get_hardware(DEFAULT_HARDWARE), n_gpus=256)


def _hardware(text: str) -> Hardware:
    return Hardware.from_json(_read(text)) if text.endswith(".json") else get_hardware(text)


def _read(path: str) -> dict[str, Any]:
    upload = Upload.from_path(Path(path))
    try:
        data = json.loads(upload.data)
    except (ValueError, RecursionError) as error:
        raise UserError("This file is not JSON.", where=path, fix="Give a file that was saved here.") from error
    if not isinstance(data, dict):
        raise UserError("This file holds no JSON object.", where=path, fix="Give a file that was saved here.")
    inner = data.get("scenario")
    return inner if isinstance(inner, dict) else data
