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

Values = NDArray[np.float64]
_HIGHER = re.compile(
    r"(?:^|[_\W])(?:acc|accuracy|f1|bleu|rouge\w*|em|exact_match|pass|recall|precision|auc|auroc|map|iou|core|score|"
    r"win_?rate|top\d?|r2|mcc|chrf\w*|average)(?:$|[_\W\d@])",
    re.IGNORECASE,
)


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
        The best value possible: what a metric that rises approaches. Not used where lower is better.
    """

    column: str
    title: str
    higher_is_better: bool = False
    best: float = 0.0

    def cost(self, values: Values) -> Values:
        """What a law is fitted to: the values, or their distance from the best."""
        return np.asarray(self.best - values if self.higher_is_better else values, dtype=float)

    def shown(self, cost: Values) -> Values:
        """The metric again from its cost."""
        return self.cost(cost)  # the same reflection

    @property
    def cost_title(self) -> str:
        """What the fitted quantity is called."""
        return f"{self.best:g} − {self.title}" if self.higher_is_better else self.title


LOSS = Metric("loss", "loss")


def metric_of(frame: pd.DataFrame, column: str) -> Metric:
    """The metric in a numeric column, its direction by its name and its range by its values.

    Raises
    ------
    UserError
        If the frame has no such column of numbers, or its values have no best one that could be guessed.
    """
    if column == LOSS.column:
        return LOSS
    if column not in frame or not pd.api.types.is_numeric_dtype(frame[column]):
        raise UserError(
            f"These runs have no column of numbers called “{column}” to fit.",
            fix=f"Choose one of: {', '.join(measurable(frame)) or 'loss'}.",
        )
    if not _HIGHER.search(column):
        return Metric(column, column)
    highest = float(np.nanmax(frame[column].to_numpy(dtype=float), initial=-math.inf))
    best = next((b for b in (1.0, 100.0) if highest <= b), None)
    if best is None:
        raise UserError(
            f"“{column}” looks like a metric where higher is better, but reaches {highest:g}, so its best value is "
            "not known.",
            fix="Give it as a share of 1 or of 100.",
        )
    return Metric(column, column, True, best)


def measurable(frame: pd.DataFrame) -> list[str]:
    """Columns that a law could be fitted to: the loss, then the file's own columns of numbers that vary."""
    taken = {"params", "params_non_embedding", "tokens", "unique_tokens", "flops", "step", "line", "is_final"}
    own = [
        c
        for c in frame.columns
        if c not in taken and c != "loss"
        if pd.api.types.is_numeric_dtype(frame[c]) and not pd.api.types.is_bool_dtype(frame[c])
        if frame[c].nunique() > 1
    ]
    return (["loss"] if frame["loss"].notna().any() else []) + own
