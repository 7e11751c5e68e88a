"""What a run is judged by: a loss, or a metric with a direction and a range.

Laws describe something that falls towards a floor. A metric where higher is better is turned into its distance from
the best value possible (accuracy .8 becomes .2), and turned back wherever it is shown.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.units import format_number

Values = NDArray[np.float64]
_BEGIN, _END = r"(?:^|[_\W])", r"(?:$|[_\W\d@])"
_LOWER = re.compile(
    rf"{_BEGIN}(?:\w*loss|nll|ppl|perplexity|bpb|bits|nats|ce|\w*error|err|wer|cer|rmse|mse|mae|fid|brier|ece){_END}",
    re.IGNORECASE,
)
#: Words for metrics, then names of benchmarks, whose columns hold accuracies.
_HIGHER = re.compile(
    rf"{_BEGIN}(?:acc|accuracy|f1|bleu|rouge\w*|em|exact_match|pass|recall|precision|auc|auroc|map|iou|core|score|"
    r"win_?rate|top\d?|r2|mcc|chrf\w*|average|"
    r"mmlu\w*|hellaswag|arc|arc_\w+|piqa|siqa|winogrande|boolq|openbookqa|obqa|csqa|commonsenseqa|gsm8k|humaneval|mbpp|"
    rf"triviaqa|naturalqs|nq|squad|coqa|gpqa|bbh|agieval|jeopardy|copa|race|sciq|drop){_END}",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"^(?P<column>.+?)(?::(?P<direction>higher|lower)(?::(?P<best>(?!higher$|lower$)[^:]+))?)?$", re.DOTALL
)
#: A share of an unknown name that goes with less loss, or with more compute, by this much rises as runs get better.
_RISES = 0.5
#: Best values that a metric may have without saying so.
_USUAL_BEST = (1.0, 100.0)


@dataclass(frozen=True)
class Metric:
    """A measure of a run.

    Attributes
    ----------
    column : str
        Where it stands in the frame.
    title : str
        What a person reads on an axis.
    higher_is_better : bool
    best : float
        The best value possible: what a metric that rises approaches, or one that falls.
    """

    column: str
    title: str
    higher_is_better: bool = False
    best: float = 0.0

    def cost(self, values: Values) -> Values:
        """What a law is fitted to: how far the values are from the best."""
        return np.asarray(self.best - values if self.higher_is_better else values - self.best, dtype=float)

    def shown(self, cost: Values) -> Values:
        """The metric again from its cost."""
        return np.asarray(self.best - cost if self.higher_is_better else self.best + cost, dtype=float)

    def text_of(self, cost: float, digits: int = 4) -> str:
        """The metric at a cost, as it is read: the loss 2.1345, an accuracy 0.5512."""
        return format_number(float(self.shown(np.array(cost))), digits)

    @property
    def cost_title(self) -> str:
        """What the fitted quantity is called."""
        if self.higher_is_better:
            return f"{self.best:g} − {self.title}"
        return f"{self.title} − {self.best:g}" if self.best else self.title

    @property
    def text(self) -> str:
        """The metric as ``metric_of`` reads it: ``accuracy:higher:1``; the loss is ``loss``."""
        if self == LOSS:
            return LOSS.column
        return f"{self.column}:{'higher' if self.higher_is_better else 'lower'}:{self.best:.10g}"


LOSS = Metric("loss", "loss")


def metric_of(frame: pd.DataFrame, text: str) -> Metric:
    """The metric in a numeric column: ``accuracy``, ``accuracy:higher``, ``accuracy:higher:100``, ``wer:lower``.

    What is not said is guessed: the direction by the name, or by what goes with less loss; the best value by the range.

    Raises
    ------
    UserError
        If the frame has no such column of numbers, or no best value could be guessed, or a value is better than it.
    """
    column, direction, best = _split(frame, text)
    if column == LOSS.column:
        if direction == "higher" or best is not None:
            raise UserError(
                "The loss is fitted as it is: lower is better.", fix="Write --metric loss, or leave it out."
            )
        return LOSS
    if column not in frame or not pd.api.types.is_numeric_dtype(frame[column]):
        raise UserError(
            f"These runs have no column of numbers called “{column}” to fit.",
            fix=f"Choose one of: {', '.join(measurable(frame)) or 'loss'}.",
        )
    higher = _is_higher_better(frame, column) if direction is None else direction == "higher"
    return _bounded(frame, column, higher, best)


def _split(frame: pd.DataFrame, text: str) -> tuple[str, str | None, float | None]:
    """Column, direction and best value of ``column[:higher|lower[:BEST]]``; None where not said."""
    match = _TEXT.match(text)
    if text in frame or not match:  # a colon may belong to the column's own name
        return text, None, None
    try:
        best = None if match["best"] is None else float(match["best"])
    except ValueError:
        best = math.nan
    if best is not None and not math.isfinite(best):
        raise UserError(
            f"“{match['best']}” is no best value of a metric.", fix=f"Write {match['column']}:higher:1, say."
        )
    return match["column"], match["direction"], best


def _is_higher_better(frame: pd.DataFrame, column: str) -> bool:
    if _LOWER.search(column):
        return False
    return bool(_HIGHER.search(column)) or _rises(frame, column)


def _rises(frame: pd.DataFrame, column: str) -> bool:
    """Whether a column of shares is the better the larger, by the company it keeps."""
    values = frame[column]
    if not ((values >= 0) & (values <= 1) | values.isna()).all():
        return False
    for known, sign in (("loss", -1.0), ("flops", 1.0)):
        both = frame[[column, known]].dropna() if known in frame else frame[[]]
        if len(both) >= 3 and both.nunique().min() > 1:
            return float(sign * both[column].rank().corr(both[known].rank())) > _RISES
    return False


def _bounded(frame: pd.DataFrame, column: str, higher: bool, best: float | None) -> Metric:
    values = frame[column].to_numpy(dtype=float)
    reached = float(np.nanmax(values, initial=-math.inf) if higher else np.nanmin(values, initial=math.inf))
    if best is None:
        best = next((b for b in _USUAL_BEST if reached <= b), None) if higher else 0.0
        if best is None:
            raise UserError(
                f"“{column}” looks like a metric where higher is better, but reaches {reached:g}, so its best value is "
                "not known.",
                fix=f"Say it, as in {column}:higher:{_round_up(reached):g}, or {column}:lower if lower is better.",
            )
        return Metric(column, column, higher, best)
    if reached > best if higher else reached < best:
        raise UserError(f"“{column}” reaches {reached:g}, which is better than the best value {best:g}.",
                        fix="Give the best value that is possible.")  # fmt: skip
    return Metric(column, column, higher, best)


def _round_up(value: float) -> float:
    """The next power of ten."""
    return 10.0 ** math.ceil(math.log10(value)) if value > 0 else 1.0


def measurable(frame: pd.DataFrame) -> list[str]:
    """Columns that a law could be fitted to: the loss, then the file's own columns of numbers that vary."""
    taken = {"params", "params_non_embedding", "tokens", "unique_tokens", "flops", "step", "line", "is_final"}
    own = [
        c
        for c in frame.columns
        if c not in taken and c != "loss"
        if pd.api.types.is_numeric_dtype(frame[c]) and not pd.api.types.is_bool_dtype(frame[c])
        if frame[c].min() < frame[c].max()
    ]
    return (["loss"] if frame["loss"].notna().any() else []) + own
