"""A file's table completed by what a person gave: columns are added, none is written over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.errors import UserError
from scaling_core.runs.aliases import take_apart
from scaling_core.runs.given import FAMILY, FROM_NAME, NEEDED_SIZES, PLAIN, SIZES, TIED, Given, number_of
from scaling_core.runs.guess import guess_mapping
from scaling_core.runs.name_pattern import read_names
from scaling_core.runs.names import run_names
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.raw import RawTable
from scaling_core.runs.schema import COLUMNS, Note, Severity
from scaling_core.runs.shape import ShapeCount, count_sizes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Completed:
    """A table with what was given as further columns, and the corrections that point at them.

    ``own`` is the file's column under each given one, where it has one; ``rules`` says how each was given.
    """

    raw: RawTable
    overrides: Overrides
    own: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def of_file(self, mapping: Mapping[str, str]) -> dict[str, str]:
        """Return a mapping with the file's own columns in place of given ones."""
        kept = {c: self.own.get(c, "") if c in self.rules else column for c, column in mapping.items()}
        return {c: column for c, column in kept.items() if column}


def complete(raw: RawTable, overrides: Overrides, file: str) -> Completed:
    """Add what was given to a file's table.

    What is typed stands over what a name says, that over a product, a product over a count from a shape, and all of
    them over the file's own column, which fills the rows that they leave out.

    Raises
    ------
    UserError
        If a column is named that the file has not, an expression takes too long, or nothing in any name matches it.
    """
    if not overrides.given:
        return Completed(raw, overrides)
    guessed = guess_mapping(raw).mapping
    work = _Work(raw, overrides.given, {**guessed, **{c: n or "" for c, n in overrides.columns.items()}}, file)
    work.read_names()
    work.multiply()
    work.count_shapes()
    work.type_in()
    return work.done(overrides)


def names_of(raw: RawTable, overrides: Overrides, file: str) -> pd.Series:
    """Name the run of each row as the file does, or after its place where the file has no names."""
    guessed = guess_mapping(raw).mapping
    return _Work(raw, Given(), {**guessed, **{c: n or "" for c, n in overrides.columns.items()}}, file).names


def what_is_given(raw: RawTable, overrides: Overrides, file: str) -> pd.DataFrame:
    """Return the name of every run and what was given of it: canonical columns, then other groups of an expression.

    Raises
    ------
    UserError
        As ``complete``.
    """
    done = complete(raw, overrides, file)
    given = {c: done.overrides.columns[c] or "" for c in done.rules}
    run = given.pop("run", "")
    columns = {"run": done.raw.frame[run] if run else names_of(raw, overrides, file)}
    columns |= {canonical: done.raw.frame[column] for canonical, column in given.items()}
    named = {*done.overrides.columns.values(), *raw.frame.columns}
    columns |= {str(name): done.raw.frame[name] for name in done.raw.frame if name not in named}
    return pd.DataFrame(columns).drop_duplicates("run", keep="last", ignore_index=True)


class _Work:
    """The table on its way: values by canonical column, those that stand over others last."""

    def __init__(self, raw: RawTable, given: Given, mapping: dict[str, str], file: str) -> None:
        self.raw, self.given, self.file = raw, given, file
        self.mapping = {c: name for c, name in mapping.items() if name}
        self.names = self._names(self.mapping.get("run"))
        self.from_names: dict[str, pd.Series] = {}
        self.values: dict[str, Floats] = {}
        self.rules: dict[str, str] = {}
        self.notes: list[Note] = []
        self.renamed = False

    def read_names(self) -> None:
        """Search the names by the expression."""
        if not self.given.pattern:
            return
        codes, distinct = pd.factorize(self.names)
        found = read_names(self.given.pattern, [str(name) for name in distinct])
        matched = sum(map(bool, found))
        if not matched:
            raise UserError(
                f"No name of a run matches “{self.given.pattern}”; the first is “{distinct[0]}”.",
                where=self.file,
                fix="Change the expression, or take it out.",
            )
        for group in self.given.group_names:
            texts = np.array([f.get(group) for f in found] + [None], dtype=object)[codes]
            self.from_names[group] = pd.Series(texts, dtype="str")
        text = f"{', '.join(self.given.group_names)} were read from names by “{self.given.pattern}”: "
        severity: Severity = "info" if matched == len(distinct) else "warning"
        self.notes.append(Note(severity, f"{text}{matched:,} of {len(distinct):,} match.", self.file))
        for group in self.given.group_names:
            if group == "run":
                self.names = self.from_names[group].fillna(self.names)
                self.renamed = True
            elif group in FROM_NAME:
                self._put(group, to_numbers(self.from_names[group]).values, "name")

    def multiply(self) -> None:
        """Multiply batch, sequence and step."""
        for target, factors in self.given.products.items():
            with np.errstate(all="ignore"):
                product = np.prod([self._numbers(f) for f in factors], axis=0) * np.ones(len(self.raw.frame))
            # Step 0 stands before the first token; without it the row has no D rather than an impossible one.
            self._put(
                target, np.where(np.isfinite(product) & (product > 0), product, np.nan), " × ".join(factors), first=True
            )
            text = f"{COLUMNS[target].title} were computed as {' × '.join(factors)}, as you said."
            self.notes.append(Note("info", text, self.file))

    def count_shapes(self) -> None:
        """Count N from the sizes of the model."""
        sizes = {size: self.given.shape.get(size, size) for size in SIZES if size in self.given.shape}
        sizes |= {size: size for size in SIZES if size in self.from_names and size not in sizes}
        if not sizes:
            return
        if missing := [size for size in NEEDED_SIZES if size not in sizes]:
            raise UserError(
                f"To count parameters, {' and '.join(missing)} must be known.",
                where=self.file,
                fix="Name their columns, too.",
            )
        known = pd.DataFrame(
            {size: self._numbers(source) for size, source in sizes.items()}, index=self.raw.frame.index
        )
        distinct = known.drop_duplicates()
        family, tied = self.given.shape.get(FAMILY, PLAIN), self.given.shape.get(TIED) == "yes"
        counts = [count_sizes(_whole(row), family, tied) for row in distinct.to_dict("records")]
        place = known.merge(distinct.assign(__at=np.arange(len(distinct))), how="left")["__at"].to_numpy()
        for target, column in _counted(counts).items():
            self._put(target, np.asarray(column[place], dtype=np.float64), "shape", first=True)
        self.notes.append(self._shape_note(counts))

    def type_in(self) -> None:
        """Take typed values, by name of run."""
        for target, values in self.given.typed.items():
            typed = np.asarray(self.names.map(values), dtype=np.float64)
            self._put(target, typed, "typed")
            unknown = [run for run in values if not (self.names == run).any()]
            count = len(values) - len(unknown)
            text = f"{COLUMNS[target].title} typed for {count:,} run{'s' * (count != 1)}."
            text += f" There is no run “{unknown[0]}”." if unknown else ""
            self.notes.append(Note("warning" if unknown else "info", text, self.file))

    def done(self, overrides: Overrides) -> Completed:
        """Return the table with its new columns."""
        frame = self.raw.frame
        taken = {*frame.columns}
        added: dict[str, pd.Series] = {}
        columns = dict(overrides.columns)
        for canonical, values in self.values.items():
            columns[canonical] = _free(f"{canonical} (given)", taken)
            added[columns[canonical] or ""] = pd.Series(self._over_own(canonical, values), index=frame.index)
        if self.renamed or (self.given.typed and "run" not in self.mapping):
            columns["run"] = _free("run (given)", taken)
            added[columns["run"] or ""] = pd.Series(self.names.to_numpy(), index=frame.index, dtype="str")
            self.rules["run"] = "name"
        for group, texts in self.from_names.items():
            if group not in FROM_NAME:
                added[_free(group, taken)] = _typed_column(texts)
        raw = replace(self.raw, frame=pd.concat([frame, pd.DataFrame(added, index=frame.index)], axis=1))
        own = {c: self.mapping[c] for c in self.rules if c in self.mapping}
        return Completed(raw, replace(overrides, columns=columns, given=Given()), own, self.rules, tuple(self.notes))

    def _names(self, column: str | None) -> pd.Series:
        if column is not None and column not in self.raw.frame:
            column = None  # ``understand`` says that there is none
        named = self.raw.frame[column] if column else None
        steps = self._own("step") if "step" in self.mapping else None
        rows = len(self.raw.frame)
        return run_names(named, steps, np.full(rows, np.nan), np.arange(rows), self.file)[0]

    def _put(self, target: str, values: Floats, rule: str, *, first: bool = False) -> None:
        """Lay values over those that are there, or under them where a name has spoken already."""
        there = self.values.get(target)
        if there is not None:
            over, under = (there, values) if first else (values, there)
            values = np.where(np.isnan(over), under, over)
            rule = f"{self.rules[target]} or {rule}"
        self.values[target], self.rules[target] = values, rule

    def _over_own(self, canonical: str, values: Floats) -> Floats:
        own = self._own(canonical)
        return np.where(np.isnan(values), own, values)

    def _own(self, canonical: str) -> Floats:
        """Return the file's own column for a canonical one, in its own unit; NaN where it has none."""
        column = self.mapping.get(canonical, "")
        if column not in self.raw.frame:
            return np.full(len(self.raw.frame), np.nan)
        scale = take_apart(column).scale if canonical != "step" else 1.0
        return to_numbers(self.raw.frame[column], self.raw.decimal).values * scale

    def _numbers(self, source: str) -> Floats:
        """Return a factor or size: a number, something read from names, a column, or what a column means."""
        number = number_of(source)
        if number is not None:
            return np.full(len(self.raw.frame), number)
        if source in self.from_names:
            return to_numbers(self.from_names[source]).values
        if source in self.raw.frame:
            return to_numbers(self.raw.frame[source], self.raw.decimal).values
        if source in self.mapping:
            return self._own(source)
        raise UserError(
            f"There is no column “{source}” to multiply or count with.",
            where=self.file,
            fix="Choose a column of the file, or write a number.",
        )

    def _shape_note(self, counts: list[ShapeCount | None]) -> Note:
        known = [count for count in counts if count is not None]
        if not known:
            text = "The sizes of the model do not fit together in any row, so that N could not be counted."
            return Note("warning", text, self.file)
        what = "N" if any(count.total for count in known) else "N without embeddings (the vocabulary is not known)"
        unfit = f" {len(counts) - len(known):,} shapes could not be counted." if len(known) < len(counts) else ""
        text = f"{what} was counted from the sizes of {len(known):,} models, {known[0].how}.{unfit}"
        return Note("warning" if unfit else "info", text, self.file)


def _whole(row: Mapping[object, float]) -> dict[str, int]:
    return {str(size): int(v) for size, v in row.items() if np.isfinite(v) and v >= 1 and v == int(v)}


def _counted(counts: list[ShapeCount | None]) -> dict[str, Floats]:
    """Return N with embeddings, where known of any, and without, a value a shape."""
    without = np.array([np.nan if c is None else float(c.non_embedding) for c in counts])
    total = np.array([np.nan if c is None or c.total is None else float(c.total) for c in counts])
    return {"params_non_embedding": without} | ({} if np.isnan(total).all() else {"params": total})


def _typed_column(texts: pd.Series) -> pd.Series:
    """Numbers where every cell is one, else text."""
    numbers = to_numbers(texts)
    return texts if numbers.is_text.any() or not numbers.any_filled else pd.Series(numbers.values, index=texts.index)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{name} (given)"
    taken.add(name)
    return name
