"""How good a model shall be, as people say it: a loss, an accuracy, or “as good as 70B on 1.4T”."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.planning.basis import Basis
from scaling_core.planning.downstream import loss_for
from scaling_core.planning.surface import Surface
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import parse_quantity

_MODEL = re.compile(
    r"^\s*(?:as good as\s+)?(?P<params>[^\s/]+(?:\s*params?)?)\s*(?:on|/)\s*(?P<tokens>\S+(?:\s*tokens?)?)\s*$", re.I
)
_WORDS = re.compile(r"^\s*(?P<words>[^\d.+-][^\d]*?)\s*[:=]?\s*(?P<number>[+-]?[\d.].*)$")


def read_goal(text: str, basis: Basis, mappings: Sequence[FitResult] = ()) -> float:
    """Return the cost that is meant, which for a law of loss is the loss.

    A number is one of the metric that the law is of, as it is shown: ``2.1``, ``0.55``, ``55%``, its name before it
    or not. A model's is what the law says of it with endless data. With ``mappings``, fits from the loss to another
    metric, a law of loss takes goals of those too: ``accuracy 60%`` is the loss at which the mapping says so.

    Raises
    ------
    UserError
        If the text is none of these, is better than the metric can be, or the law does not read N and D.
    """
    if match := _MODEL.match(text):
        of = basis.metric
        return loss_of(basis, _number(match["params"], text, of), _number(match["tokens"], text, of))
    if mapping := _mapping_of(text, basis, mappings):
        return loss_for(mapping, _cost_of(_named(text, mapping.metric), text, mapping.metric))
    return _cost_of(_named(text, basis.metric), text, basis.metric)


def _mapping_of(text: str, basis: Basis, mappings: Sequence[FitResult]) -> FitResult | None:
    """The mapping whose metric is named, or the only one where a percentage is given; None where a loss is meant.

    Raises
    ------
    UserError
        If it is a percentage of what nobody can tell.
    """
    if basis.metric != LOSS:
        return None
    match = _WORDS.match(text)
    named = [m for m in mappings if _is_named(text, match, m.metric)]
    if named or not text.rstrip().endswith("%") or match:
        return named[-1] if named else None
    titles = list(dict.fromkeys(m.metric.title for m in mappings))
    if len(titles) == 1:
        return mappings[-1]
    fix = "Write a loss, 2.1 say; to ask for a metric in percent, first fit it from the loss and keep that fit."
    raise UserError(
        f"“{text.strip()}” is no loss.", fix=f"Say of what: {titles[0]} {text.strip()}, say." if titles else fix
    )


def _is_named(text: str, match: re.Match[str] | None, metric: Metric) -> bool:
    words = match["words"].strip().casefold() if match else ""
    return text.strip().casefold().startswith(metric.title.casefold()) or words in _spellings(metric)


def loss_of(basis: Basis, params: float, tokens: float) -> float:
    """Loss that a law gives a model of N parameters on D tokens.

    Raises
    ------
    UserError
        If the law does not read N and D.
    """
    if basis.law is None or not basis.has_optimum:
        raise UserError(f"{basis.title} does not say the loss of a model by its N and D.", fix="Choose a law in both.")
    surface = Surface(basis.law, basis.theta[None])
    return float(surface.loss(np.array([[params]]), np.array([[tokens]]))[0, 0])


def _cost_of(value: str, typed: str, metric: Metric) -> float:
    percent = value.rstrip().endswith("%")
    number = _number(value.rstrip().removesuffix("%"), typed, metric) / (100 if percent and metric.best <= 1 else 1)
    cost = float(metric.cost(np.array(number)))
    if not cost > 0:
        raise UserError(
            f"No model reaches {metric.title} {number:g}: the best there is, {metric.best:g}, is never quite reached.",
            fix=_fix(metric),
        )
    return cost


def _named(text: str, metric: Metric) -> str:
    """The text without the name of the metric before the number.

    Raises
    ------
    UserError
        If another quantity is named.
    """
    stripped, title = text.strip(), metric.title
    if stripped.casefold().startswith(title.casefold()):  # the name may hold digits
        return stripped[len(title) :].lstrip(" \t:=")
    match = _WORDS.match(text)
    if not match:
        return text
    if match["words"].strip().casefold() in _spellings(metric):
        return match["number"]
    more = " To ask for another metric, fit it from the loss and keep that fit." if metric == LOSS else ""
    raise UserError(f"“{match['words'].strip()}” is not what this law is of: it says {title}.", fix=_fix(metric) + more)


def _spellings(metric: Metric) -> set[str]:
    """What a metric may be called: by its title, its column, or as people say accuracy for any that rises to 1."""
    own = {metric.title.casefold(), metric.column.casefold(), metric.column.replace("_", " ").casefold()}
    return own | ({"accuracy", "acc"} if metric.higher_is_better else set())


def example(metric: Metric) -> str:
    """A value of the metric, as one may type it."""
    if metric == LOSS:
        return "2.1"
    return f"{0.55 * metric.best if metric.higher_is_better else metric.best + 0.1:g}"


def _fix(metric: Metric) -> str:
    what = "a loss" if metric == LOSS else f"a value of {metric.title}"
    return f"Write {what}, {example(metric)} say, or a model: 70B on 1.4T."


def _number(text: str, typed: str, metric: Metric) -> float:
    try:
        value = parse_quantity(text)
    except UserError:
        raise UserError(f"“{typed.strip()}” does not say how good.", fix=_fix(metric)) from None
    if not value > 0:
        raise UserError(f"“{typed.strip()}” is not above zero.", fix=_fix(metric))
    return value
