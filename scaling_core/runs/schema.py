"""What a run is: the canonical columns, and the table that every reader's output becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from scaling_core.runs.digest import digest_of
from scaling_core.runs.metrics import LOSS, Metric, Values, metric_of

_FIRST = 1_000
Severity = Literal["info", "warning", "question"]


@dataclass(frozen=True)
class Column:
    """A canonical column: its name, the letter the field writes, and what it holds."""

    name: str
    symbol: str
    title: str
    unit: str
    numeric: bool = True


COLUMNS: dict[str, Column] = {
    c.name: c
    for c in (
        Column("run", "", "Run", "", numeric=False),
        Column("params", "N", "Parameters", "parameters"),
        Column("params_non_embedding", "N", "Parameters without embeddings", "parameters"),
        Column("tokens", "D", "Training tokens", "tokens"),
        Column("unique_tokens", "U", "Unique tokens", "tokens"),
        Column("flops", "C", "Training compute", "FLOPs"),
        Column("loss", "L", "Loss", "nats per token"),
        Column("step", "", "Step", "steps"),
        Column("proxy_loss", "L", "Loss that the metric follows", "nats per token"),
    )
}
#: Columns that a law of loss can be fitted on.
PREDICTORS = ("params", "tokens", "flops")
#: Columns that ``RunTable.frame`` has besides the canonical ones: where a row came from, and whether it ends its run.
ORIGIN_COLUMNS = ("file", "line", "is_final")
#: Columns that ``RunTable.curves`` always has; ``seconds`` are those since the run began.
CURVE_COLUMNS = ("run", "file", "step", "tokens", "flops", "seconds", "loss")
#: Columns that a fit adds to its rows. A column of a file that is called so gets another name, as for the others.
FIT_COLUMNS = ("role", "predicted", "residual")


@dataclass(frozen=True)
class Note:
    """Something that was dropped, guessed, derived or doubted, for a person to see beside the result."""

    severity: Severity
    text: str
    file: str = ""


@dataclass(frozen=True)
class Source:
    """Where the rows of one file came from and how they were understood.

    ``mapping`` goes from canonical column to the file's own column; ``derived`` from canonical column to the
    rule that filled it ("6ND"); ``reason`` says why the file was taken for its format.
    """

    file: str
    sha256: str
    format: str
    rows: int
    columns: tuple[str, ...]
    mapping: dict[str, str]
    loss_unit: str
    params_convention: str
    flops_source: str
    loss_split: str
    derived: dict[str, str] = field(default_factory=dict)
    reason: str = ""


def no_curves() -> pd.DataFrame:
    """Return the curves of runs that have no steps: the columns, and no row."""
    texts = {"run": "str", "file": "str"}
    return pd.DataFrame({name: pd.Series(dtype=texts.get(name, "float64")) for name in CURVE_COLUMNS})


@dataclass(frozen=True)
class RunTable:
    """Runs in canonical columns, with their provenance.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row a run or checkpoint. Has ``run``, ``params``, ``tokens``, ``flops``, ``loss`` (NaN where unknown),
        ``file``, ``line`` and ``is_final``; other canonical columns where given; then the file's own further columns.
        The index is 0..n-1.
    rejected : pandas.DataFrame
        Rows that cannot be used: ``file``, ``line``, ``reason``, ``content`` (the row as it was read).
    sources : tuple of Source
        One for each file.
    notes : tuple of Note
        Everything that was guessed, derived, converted or left out.
    metric : Metric
        What ``loss`` holds: a loss in nats, or the cost of another metric (see ``measured_by``).
    curves : pandas.DataFrame
        One row a logged step, with the loss or without: ``CURVE_COLUMNS``, NaN where unknown, then the file's own
        columns of numbers that change within a run. Its ``loss`` stays a loss in nats. Empty where there are no steps.
    """

    frame: pd.DataFrame
    rejected: pd.DataFrame
    sources: tuple[Source, ...]
    notes: tuple[Note, ...]
    metric: Metric = LOSS
    curves: pd.DataFrame = field(default_factory=no_curves)

    def measured_by(self, text: str) -> RunTable:
        """Return the same runs judged by another column: its cost becomes ``loss``, the loss ``proxy_loss``.

        Parameters
        ----------
        text : str
            ``accuracy``, or with what is else guessed: ``accuracy:higher:1``, ``wer:lower`` (see ``metric_of``).

        Raises
        ------
        UserError
            If the column is no metric.
        """
        frame = self.frame
        if self.metric != LOSS:  # judged by another metric so far
            frame = frame.assign(loss=frame["proxy_loss"]).drop(columns="proxy_loss")
        metric = metric_of(frame, text)
        if metric == LOSS:
            return replace(self, frame=frame, metric=LOSS)
        cost = metric.cost(frame[metric.column].to_numpy(dtype=float))
        frame = frame.assign(proxy_loss=frame["loss"], loss=cost)
        return replace(self, frame=frame, metric=metric, notes=(*self.notes, *_metric_notes(metric, cost)))

    @property
    def has_curves(self) -> bool:
        """Whether any run has more than its last row."""
        # Two rows of one run mostly stand at the beginning already; else all must be looked at.
        return any(part.duplicated(["run", "file"]).any() for part in (self.curves.head(_FIRST), self.curves))

    @property
    def has_loss(self) -> bool:
        """Whether any row has a loss."""
        return bool(self.frame["loss"].notna().any())

    @property
    def digest(self) -> str:
        """A hash of the rows, what was left out, and the curves: equal tables, equal digest."""
        return digest_of((self.frame, self.rejected, self.curves))

    def span(self, column: str) -> tuple[float, float] | None:
        """Smallest and largest value of a numeric column, or None where it holds nothing."""
        low, high = self.frame[column].min(), self.frame[column].max()
        return None if pd.isna(low) else (float(low), float(high))


def _metric_notes(metric: Metric, cost: Values) -> list[Note]:
    way = "higher" if metric.higher_is_better else "lower"
    distance = "" if metric.cost_title == metric.title else f" as its distance from {metric.best:g}"
    notes = [Note("info", f"Fitted is “{metric.title}”{distance}, since {way} is better.")]
    if perfect := int((cost == 0).sum()):
        text = f"{perfect} rows reach the best value {metric.best:g}: a law that only comes near to it leaves them out."
        notes.append(Note("warning", text))
    return notes


def concatenate(tables: Sequence[RunTable]) -> RunTable:
    """Join the tables of several files into one, keeping their order."""
    if len(tables) == 1:
        return tables[0]
    return RunTable(
        frame=pd.concat([t.frame for t in tables], ignore_index=True),
        rejected=pd.concat([t.rejected for t in tables], ignore_index=True),
        sources=tuple(s for t in tables for s in t.sources),
        notes=tuple(n for t in tables for n in t.notes),
        curves=_joined_curves([t.curves for t in tables]),
    )


def _joined_curves(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [c for c in curves if len(c)]
    return pd.concat(filled, ignore_index=True) if filled else no_curves()
