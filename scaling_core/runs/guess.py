"""Which of a file's columns is what, judged by their names and by whether they hold numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from scaling_core.runs.aliases import (
    ALIASES,
    SPLIT_ORDER,
    alias_rank,
    loss_split_of,
    loss_unit_of,
    matches_by_words,
)
from scaling_core.runs.loss_units import LOSS_UNITS
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.raw import RawTable
from scaling_core.runs.schema import COLUMNS, ORIGIN_COLUMNS, PREDICTORS

Confidence = Literal["exact", "words"]
_SAMPLE_ROWS = 1_000
#: A column in which more than this share of the filled cells is text is not taken for numbers.
MAX_TEXT_SHARE = 0.5
_UNIT_ORDER = tuple(LOSS_UNITS)


@dataclass(frozen=True)
class Choice:
    """The column chosen for a canonical one.

    Attributes
    ----------
    column : str
        The file's column.
    confidence : {"exact", "words"}
        Whether its name is a known one, or only has a telling word in it.
    alternatives : tuple of str
        Other columns that could be meant, best first.
    """

    column: str
    confidence: Confidence
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guess:
    """What a file's columns seem to mean.

    Attributes
    ----------
    choices : dict of str to Choice
        By canonical column, and ``tokens_per_param``, which stands in for ``tokens``.
    loss_unit, loss_split : str
        As the loss column's name says: a key of ``LOSS_UNITS``; validation, test, train or unknown.
    refused : dict of str to str
        Columns whose names fit but whose cells do not, and why.
    questions : tuple of str
        What only a person can answer.
    """

    choices: dict[str, Choice]
    loss_unit: str
    loss_split: str
    refused: dict[str, str]
    questions: tuple[str, ...]

    @property
    def mapping(self) -> dict[str, str]:
        """Canonical column to the file's column."""
        return {canonical: choice.column for canonical, choice in self.choices.items()}


def guess_mapping(raw: RawTable) -> Guess:
    """Guess what each column of a file is.

    Nothing is raised where a column is missing: the guess then has a question instead.
    """
    names = [str(name) for name in raw.frame.columns]
    refused: dict[str, str] = {}
    choices: dict[str, Choice] = {}
    for canonical in (*ALIASES, "loss"):
        ranked = _ranked(canonical, names)
        misfits = {n: why for n in ranked if (why := _misfit(raw, canonical, n))}
        fitting = [n for n in ranked if n not in misfits]
        if fitting:
            choices[canonical] = Choice(fitting[0], _confidence(canonical, fitting[0]), tuple(fitting[1:]))
        # Only those passed over are worth a word, and a lone letter is no name to miss.
        passed = ranked[: ranked.index(fitting[0])] if fitting else ranked
        refused |= {n: misfits[n] for n in passed if len(n) > 1}
    if is_export(names):
        # An empty column is still that column, but for the loss: without it, no row would be left.
        choices |= {c: Choice(c, "exact") for c in COLUMNS if c in names and (c != "loss" or c in choices)}
    loss = choices["loss"].column if "loss" in choices else ""
    return Guess(
        choices=_each_column_once(choices),
        loss_unit=loss_unit_of(loss),
        loss_split=loss_split_of(loss),
        refused=refused,
        questions=_questions(choices, names),
    )


def is_export(names: Iterable[str]) -> bool:
    """Whether these are the columns of a table that this library wrote."""
    return {"run", *PREDICTORS, "loss", *ORIGIN_COLUMNS} <= set(names)


def _ranked(canonical: str, names: list[str]) -> list[str]:
    scored = [(key, i) for i, name in enumerate(names) if (key := _rank(canonical, name)) is not None]
    return [names[i] for _, i in sorted(scored)]


def _rank(canonical: str, name: str) -> tuple[int, ...] | None:
    """Return a sort key, smallest best; None if the name does not fit."""
    exact = alias_rank(canonical, name)
    if exact is None and not matches_by_words(canonical, name):
        return None
    if canonical != "loss":
        return (0, exact) if exact is not None else (1, 0)
    split, unit = SPLIT_ORDER.index(loss_split_of(name)), _UNIT_ORDER.index(loss_unit_of(name))
    return split, int(exact is None), unit, exact or 0


def _confidence(canonical: str, name: str) -> Confidence:
    return "words" if alias_rank(canonical, name) is None else "exact"


def _misfit(raw: RawTable, canonical: str, name: str) -> str:
    """Return why the column's cells cannot be what its name says, or nothing if they can."""
    column = raw.frame[name]
    if canonical == "run":
        return "" if column.notna().any() else "is empty"
    sample = column.head(_SAMPLE_ROWS)
    if sample.hasnans:
        sample = column[column.notna()].head(_SAMPLE_ROWS)
    numbers = to_numbers(sample, raw.decimal)
    if not numbers.any_filled and not to_numbers(column, raw.decimal).any_filled:
        return "is empty"
    if numbers.text_share > MAX_TEXT_SHARE:
        return f"holds text, such as “{str(sample[numbers.is_text].iloc[0])[:40]}”"
    return ""


def _each_column_once(choices: dict[str, Choice]) -> dict[str, Choice]:
    """Let no column be two things: an exact name wins over words, the earlier over the later."""
    order = sorted(choices, key=lambda c: choices[c].confidence != "exact")
    kept: dict[str, Choice] = {}
    for canonical in order:
        used = {choice.column for choice in kept.values()}
        options = [n for n in (choices[canonical].column, *choices[canonical].alternatives) if n not in used]
        if options:
            kept[canonical] = Choice(options[0], _confidence(canonical, options[0]), tuple(options[1:]))
    return {canonical: kept[canonical] for canonical in choices if canonical in kept}


def _questions(choices: dict[str, Choice], names: list[str]) -> tuple[str, ...]:
    questions = []
    found = ", ".join(names[:20])
    if not any(canonical in choices for canonical in (*PREDICTORS, "params_non_embedding")):
        questions.append(f"Which column holds parameters, tokens or FLOPs? The file has: {found}.")
    if "loss" not in choices:
        questions.append(f"Which column is the loss? The file has: {found}.")
    elif LOSS_UNITS[loss_unit_of(choices["loss"].column)].needs_bytes_per_token:
        questions.append("How many bytes does a token stand for on average? Bits per byte need it.")
    return tuple(questions)
