"""A file's own table becomes a table of runs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.runs.aliases import RATIO, take_apart
from scaling_core.runs.complete import complete
from scaling_core.runs.curves import curve_frame, metric_columns, unmeasured_notes, without_loss
from scaling_core.runs.derive import Derived, derive
from scaling_core.runs.guess import is_export
from scaling_core.runs.meaning import Meaning, understand
from scaling_core.runs.names import final_rows, in_order, run_codes, run_names
from scaling_core.runs.numbers import Numbers, to_numbers
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.progress import tick
from scaling_core.runs.raw import RawTable, rejected_frame, same_text
from scaling_core.runs.rows import Rejections, reject_bad_loss, reject_bad_size, reject_repeats
from scaling_core.runs.schema import (
    COLUMNS,
    CURVE_COLUMNS,
    FIT_COLUMNS,
    ORIGIN_COLUMNS,
    PREDICTORS,
    Note,
    RunTable,
    Source,
    no_curves,
)
from scaling_core.runs.upload import Upload

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Number = TypeVar("Number", np.float64, np.int64)
_COUNTS = ("params", "params_non_embedding", "tokens", "unique_tokens", "flops")
#: No model has more parameters and no corpus more tokens than this: a unit suffix that leads beyond was none.
_LARGEST_COUNT = 1e18
_SMALLEST_MODEL = 1e4  # parameters; smaller numbers in a name are rather a count of runs
#: Medians below these are rather counts of millions or billions, even of models that train in seconds.
_SMALLEST = {"params": 1e3, "tokens": 1e4}
_NUMBER = re.compile(r"-?\d[\d.e+-]*")
_PERPLEXITY_LIKE = 15.0  # nats per token; an untrained model of 100,000 tokens has 11.5


@dataclass(frozen=True)
class _Measured:
    """The canonical columns as numbers, before rows are judged."""

    numbers: dict[str, Numbers]
    nats: Floats
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class _Logged:
    """Runs and curves of a file's rows: ``names`` and ``codes`` are those of the marked ``rows`` alone.

    ``codes`` numbers the runs, and tells those of one name apart where the file's rows come from several files;
    ``along`` marks, among all rows, those that lack the loss and only belong to a curve; ``metrics`` are the columns
    that change within a run.
    """

    rows: Mask
    names: pd.Series
    codes: NDArray[np.intp]
    along: Mask
    metrics: tuple[str, ...]
    notes: tuple[Note, ...]

    def names_of(self, mask: Mask) -> pd.Series:
        """Take the names of the rows in a mask of all rows."""
        return self.names if mask.all() else self.names[mask[self.rows]].reset_index(drop=True)

    def codes_of(self, mask: Mask) -> NDArray[np.intp]:
        """Take the numbers of runs of the rows in a mask of all rows."""
        return self.codes if mask.all() else self.codes[mask[self.rows]]


def build(raw: RawTable, upload: Upload, overrides: Overrides | None = None) -> RunTable:
    """Understand a file's table and return it as runs.

    Parameters
    ----------
    raw : RawTable
    upload : Upload
        The file it came from, for name and hash.
    overrides : Overrides, optional
        What a person corrected.

    Raises
    ------
    UserError
        If parameters, tokens and FLOPs are all unknown, a correction does not fit the file, or no row is usable.
    """
    file = upload.name
    tick(0.0)
    completed = complete(raw, overrides or Overrides(), file)
    read, raw = raw, completed.raw
    meaning = understand(raw, file, completed.overrides, frozenset(completed.rules))
    measured = _measure(raw, meaning, file)
    derived = derive(_sizes(measured, len(raw.frame)))
    tick(0.0)
    rejections = _judge(raw, meaning, measured, derived)
    logged = _logged(raw, meaning, measured, derived, rejections, file)
    tick(0.0)
    rejected = [*raw.rejected[["line", "reason", "content"]].itertuples(index=False, name=None)]
    rejected += rejections.rows(raw)
    fitted = rejections.kept & ~logged.along
    if not fitted.any():
        raise _nothing_left(file, len(raw.frame), rejections.rows(raw), meaning)
    frame = _frame(raw, meaning, measured, derived, logged, fitted, file)
    notes = (*raw.notes, *completed.notes, *meaning.notes, *measured.notes, *derived.notes(fitted, file), *logged.notes)
    notes = (*notes, *_convention_notes(meaning, file), *_closing_notes(frame, meaning, len(rejected), file))
    return RunTable(
        frame,
        rejected_frame(file, rejected),
        (
            replace(
                _source(read, upload, meaning, derived.rules(fitted) | completed.rules, len(frame)),
                mapping=completed.of_file(meaning.mapping),
            ),
        ),
        notes,
        curves=_curves(raw, meaning, measured, derived, logged, rejections.kept, frame, file),
    )


def _measure(raw: RawTable, meaning: Meaning, file: str) -> _Measured:
    numbers: dict[str, Numbers] = {}
    notes: list[Note] = []
    for canonical, column in meaning.mapping.items():
        if canonical != "run":
            numbers[canonical] = to_numbers(raw.frame[column], raw.decimal)
        if canonical in _COUNTS:
            numbers[canonical], scale_notes = _scaled(numbers[canonical], canonical, column, file)
            notes += scale_notes
    nats = np.full(len(raw.frame), np.nan)
    if meaning.can_convert_loss:
        with np.errstate(all="ignore"):
            nats = meaning.unit.to_nats(numbers["loss"].values, meaning.bytes_per_token or np.nan)
    return _Measured(numbers, nats, tuple(notes))


def _scaled(numbers: Numbers, canonical: str, column: str, file: str) -> tuple[Numbers, list[Note]]:
    """Multiply by what the column's name states: 1e9 for ``tokens (B)``."""
    scale = take_apart(column).scale
    if scale == 1:
        return numbers, []
    with np.errstate(over="ignore"):
        values = numbers.values * scale
    known = values[np.isfinite(values)]
    if canonical != "flops" and len(known) and np.median(known) > _LARGEST_COUNT:
        text = f"“{column}” names a unit ({scale:g}), but its values are too large for it and were taken as they are."
        return numbers, [Note("warning", text, file)]
    text = f"“{column}” was multiplied by {scale:g}, as its name says."
    return Numbers(values, numbers.is_text), [Note("info", text, file)]


def _sizes(measured: _Measured, rows: int) -> dict[str, Floats]:
    values = {c: measured.numbers[c].values for c in PREDICTORS if c in measured.numbers}
    if "params" not in measured.numbers and "params_non_embedding" in measured.numbers:
        values["params"] = measured.numbers["params_non_embedding"].values
    if RATIO in measured.numbers:
        values[RATIO] = measured.numbers[RATIO].values
    sizes = {c: column if _all_sizes(column) else _sizes_only(column) for c, column in values.items()}
    unknown = np.full(rows, np.nan)
    return {c: sizes.get(c, unknown) for c in (*PREDICTORS, *(c for c in sizes if c not in PREDICTORS))}


def _all_sizes(column: Floats) -> bool:
    return bool(len(column) and column.min() > 0 and column.max() < np.inf)


def _sizes_only(column: Floats) -> Floats:
    return np.where(np.isfinite(column) & (column > 0), column, np.nan)


def _judge(raw: RawTable, meaning: Meaning, measured: _Measured, derived: Derived) -> Rejections:
    rejections = Rejections(len(raw.frame))
    sizes = PREDICTORS if "params" in meaning.mapping else (*PREDICTORS, "params_non_embedding")
    for canonical in sizes:
        if canonical in meaning.mapping:
            cells = raw.frame[meaning.mapping[canonical]]
            reject_bad_size(rejections, measured.numbers[canonical], cells)
    nothing = np.all([np.isnan(derived.values[c]) for c in PREDICTORS], axis=0)
    before = _before_training(measured, derived)
    rejections.add(nothing & ~before, "Neither parameters nor tokens nor FLOPs are given.")
    if meaning.can_convert_loss:
        loss = raw.frame[meaning.mapping["loss"]]
        blank = np.isnan(measured.numbers["loss"].values) & ~measured.numbers["loss"].is_text
        # A row that stands at a step may belong to a curve: whether it does is settled once its run is known.
        pending = blank & _at_a_step(measured, len(blank))
        reject_bad_loss(rejections, measured.numbers["loss"], measured.nats, loss, pending)
    if not _tells_apart(raw, meaning, measured):
        reject_repeats(rejections, raw, ~nothing)
    return rejections


def _before_training(measured: _Measured, derived: Derived) -> Mask:
    """Mark rows at step 0 of which no size is known: nothing was trained yet, and they only begin a curve."""
    nothing = np.all([np.isnan(derived.values[c]) for c in PREDICTORS], axis=0)
    if "step" not in measured.numbers or nothing.all():
        return np.zeros(len(nothing), dtype=bool)
    return np.asarray(nothing & (measured.numbers["step"].values <= 0), dtype=np.bool_)


def _tells_apart(raw: RawTable, meaning: Meaning, measured: _Measured) -> bool:
    """Whether runs and steps alone show that no two rows are the same, as in most logs."""
    if "run" not in meaning.mapping or "step" not in measured.numbers:
        return False
    return in_order(run_codes(raw.frame[meaning.mapping["run"]]), measured.numbers["step"].values)


def _at_a_step(measured: _Measured, rows: int) -> Mask:
    return np.isfinite(measured.numbers["step"].values) if "step" in measured.numbers else np.zeros(rows, dtype=bool)


def _logged(
    raw: RawTable, meaning: Meaning, measured: _Measured, derived: Derived, rejections: Rejections, file: str
) -> _Logged:
    """Name the runs, and reject what lacks the loss and belongs to no curve."""
    rows = rejections.kept
    place = np.flatnonzero(rows)
    frame = _taken(raw.frame, rows)
    named = frame[meaning.mapping["run"]] if "run" in meaning.mapping else None
    steps = measured.numbers["step"].values[rows] if "step" in measured.numbers else None
    names, notes = run_names(named, steps, derived.values["params"][rows], place, file)
    # Of files that were joined before, two may use one name.
    own = is_export(raw.frame.columns)
    codes = run_codes(frame["file"].reset_index(drop=True).astype("str") + "\n" + names if own else names)
    along = np.zeros(len(rows), dtype=bool)
    if steps is None:
        return _Logged(rows, names, codes, along, (), notes)
    metrics = metric_columns(frame, codes, frozenset(meaning.mapping.values()) | raw.settings)
    if meaning.can_convert_loss:
        loss = measured.numbers["loss"].values[rows]
        along[place], faulty = without_loss(frame, codes, loss, metrics, raw.is_log)
        rejections.add(_marked(place[faulty], len(rows)), f"The loss (“{meaning.mapping['loss']}”) is blank.")
        notes = (*notes, *unmeasured_notes(names, along[place], meaning.mapping["loss"], file))
    along |= rejections.kept & _before_training(measured, derived)
    return _Logged(rows, names, codes, along, tuple(metrics), notes)


def _marked(place: NDArray[np.intp], rows: int) -> Mask:
    mask = np.zeros(rows, dtype=bool)
    mask[place] = True
    return mask


def _values(column: NDArray[Number], mask: Mask) -> NDArray[Number]:
    """Return the marked values, without a copy where all are."""
    return column if mask.all() else column[mask]


def _taken(frame: pd.DataFrame, mask: Mask) -> pd.DataFrame:
    """Return the marked rows, without a copy where all are."""
    return frame if mask.all() else frame.iloc[np.flatnonzero(mask)]


def _frame(
    raw: RawTable,
    meaning: Meaning,
    measured: _Measured,
    derived: Derived,
    logged: _Logged,
    fitted: Mask,
    file: str,
) -> pd.DataFrame:
    numeric = {c: measured.numbers[c].values for c in COLUMNS if c in measured.numbers}
    numeric |= {c: derived.values[c] for c in PREDICTORS} | {"loss": measured.nats}
    rows = _taken(raw.frame, fitted)
    columns: dict[str, object] = {"run": logged.names_of(fitted)}
    columns |= {c: _values(numeric[c], fitted) for c in COLUMNS if c in numeric}
    columns |= _origin(rows, _values(raw.line, fitted), file)
    steps = _values(numeric["step"], fitted) if "step" in numeric else None
    columns["is_final"] = final_rows(logged.codes_of(fitted), steps)
    columns |= {name: rows[own].reset_index(drop=True) for name, own in _further(raw.frame, meaning).items()}
    # Columns are taken as they are: what a large file holds is not copied once more.
    return pd.DataFrame(columns, copy=False)


def _origin(rows: pd.DataFrame, line: NDArray[np.int64], file: str) -> dict[str, object]:
    """Return where each row came from: of a table written here, what it says of that itself."""
    if not _says_origin(rows):
        return {"file": same_text(file, len(rows)), "line": line}
    return {c: rows[c].reset_index(drop=True) for c in ("file", "line")}


def _says_origin(rows: pd.DataFrame) -> bool:
    """Whether a table written here still has its origins as they were written."""
    return (
        is_export(rows.columns)
        and isinstance(rows["file"].dtype, pd.StringDtype)
        and pd.api.types.is_integer_dtype(rows["line"].dtype)
        and pd.api.types.infer_dtype(rows["is_final"]) == "boolean"
        and not rows["file"].hasnans
    )


def _curves(
    raw: RawTable,
    meaning: Meaning,
    measured: _Measured,
    derived: Derived,
    logged: _Logged,
    kept: Mask,
    frame: pd.DataFrame,
    file: str,
) -> pd.DataFrame:
    shown = kept & _at_a_step(measured, len(kept))
    if not shown.any():
        return no_curves()
    titles = {own: name for name, own in _further(raw.frame, meaning).items()}
    if len(frame) == len(shown):  # every row is fitted and on a curve: the same columns serve both
        metrics = {titles[own]: frame[titles[own]] for own in logged.metrics if own in titles}
        return curve_frame(frame["run"], frame["file"], {c: frame[c] for c in CURVE_COLUMNS if c in frame}, metrics)
    known = {"step": measured.numbers["step"].values, "loss": measured.nats, **derived.values}
    rows = _taken(raw.frame, shown)
    metrics = {titles[own]: rows[own].reset_index(drop=True) for own in logged.metrics if own in titles}
    origin = same_text(file, len(rows))
    return curve_frame(logged.names_of(shown), origin, {c: v[shown] for c, v in known.items()}, metrics)


def _further(rows: pd.DataFrame, meaning: Meaning) -> dict[str, str]:
    """Return the file's columns that have no canonical meaning, by title; a clash of names gets `` (file)``."""
    used = {column for canonical, column in meaning.mapping.items() if canonical in COLUMNS}
    if _says_origin(rows):
        used |= {*ORIGIN_COLUMNS, *(["loss"] if rows["loss"].isna().all() else [])}
    ours = {*COLUMNS, *ORIGIN_COLUMNS, *FIT_COLUMNS}
    taken = {*ours, *rows.columns}
    titles: dict[str, str] = {}
    for name in rows.columns:
        if name in used:
            continue
        free = name
        while free in ours or (free != name and free in taken):
            free = f"{free} (file)"
        taken.add(free)
        titles[free] = name
    return titles


def _nothing_left(file: str, rows: int, rejected: list[tuple[int, str, str]], meaning: Meaning) -> UserError:
    if not rejected:
        return UserError(
            f"No run ever logged the loss (“{meaning.mapping.get('loss', '')}”).",
            where=file,
            fix="Say which column is the loss, or that there is none.",
        )
    kinds = [_NUMBER.sub("", reason) for _, reason, _ in rejected]
    counts = Counter(kinds)
    # The commonest kind; of equals that of the first row. A row before the others may only hold settings.
    chosen = kinds.index(max(counts, key=counts.__getitem__))
    line, reason, _ = rejected[chosen]
    return UserError(
        f"None of the {rows:,} rows can be used. {'Most' if chosen else 'The first'}: {reason}",
        where=f"{file}, line {line}",
        fix="Correct the rows, or say which columns are meant.",
    )


def _convention(meaning: Meaning) -> str:
    if "params" not in meaning.mapping:
        return "non-embedding" if "params_non_embedding" in meaning.mapping else "unknown"
    words = take_apart(meaning.mapping["params"]).words
    return "total" if "total" in words or "params_non_embedding" in meaning.mapping else "unknown"


def _convention_notes(meaning: Meaning, file: str) -> list[Note]:
    if _convention(meaning) != "non-embedding":
        return []
    column = meaning.mapping["params_non_embedding"]
    return [Note("info", f"N is the count without embeddings (“{column}”): no other count was found.", file)]


def _closing_notes(frame: pd.DataFrame, meaning: Meaning, rejected: int, file: str) -> list[Note]:
    notes = []
    if rejected:
        text = f"{rejected:,} row{'s' * (rejected > 1)} could not be used; each is listed with its reason."
        notes.append(Note("warning", text, file))
    loss = frame["loss"].to_numpy()
    if meaning.loss_unit == "nats" and _mostly(loss > _PERPLEXITY_LIKE, loss):
        text = f"The median loss is {np.nanmedian(loss):.3g}, too much for nats per token: is it perplexity?"
        notes.append(Note("warning", text, file))
    notes += _unknown_notes(frame, file)
    for name, least in _SMALLEST.items():
        sizes = frame[name].to_numpy()
        if _mostly(sizes < least, sizes):
            small = np.nanmedian(sizes)
            text = f"The median of {COLUMNS[name].title.lower()} is only {small:.3g}: are they in millions or billions?"
            notes.append(Note("warning", f"{text} Write the unit into the cells (70M) or the header (params_M).", file))
    for name, symbol in (("params", "N"), ("tokens", "D")):
        if len(frame) > 1 and frame[name].min() == frame[name].max():
            text = f"All rows have the same {symbol}, so how the loss depends on {symbol} cannot be fitted."
            notes.append(Note("warning", text, file))
    return notes


def _mostly(marked: Mask, values: Floats) -> bool:
    """Whether most of the values that are known are marked; quicker than their median, which then is, too."""
    return bool(2 * np.count_nonzero(marked) > len(values) - np.count_nonzero(np.isnan(values)))


def _unknown_notes(frame: pd.DataFrame, file: str) -> list[Note]:
    """Name what no row gives; where the runs are called by their sizes, ask whether those are N."""
    unknown = [c for c in PREDICTORS if frame[c].isna().all()]
    if not unknown:
        return []
    named = " and ".join(f"{COLUMNS[c].title.lower()} ({COLUMNS[c].symbol})" for c in unknown)
    notes = [Note("warning", f"No row gives {named}, and nothing in the file implies them.", file)]
    sizes = to_numbers(frame["run"].head(1_000))
    if "params" in unknown and not sizes.is_text.any() and pd.Series(sizes.values).median() >= _SMALLEST_MODEL:
        notes.append(
            Note("question", f"Runs are called “{frame['run'].iloc[0]}” and so on: are these parameters?", file)
        )
    return notes


def _source(raw: RawTable, upload: Upload, meaning: Meaning, rules: dict[str, str], rows: int) -> Source:
    if "params" not in meaning.mapping and "params_non_embedding" in meaning.mapping:
        rules.setdefault("params", "params_non_embedding")
    given = "file" if meaning.mapping.get("flops") in raw.frame.columns else ""
    return Source(
        file=upload.name,
        sha256=upload.sha256,
        format=raw.format,
        rows=rows,
        columns=tuple(str(name) for name in raw.frame.columns),
        mapping=dict(meaning.mapping),
        loss_unit=meaning.loss_unit if "loss" in meaning.mapping else "",
        params_convention=_convention(meaning),
        flops_source=" or ".join(filter(None, (given, rules.get("flops", "")))),
        loss_split=meaning.loss_split,
        derived=rules,
        reason=raw.reason,
    )
