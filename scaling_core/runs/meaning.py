"""What each column of a file is taken to mean: the guess, as a person corrected it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from scaling_core.errors import UserError
from scaling_core.runs.aliases import loss_split_of, loss_unit_of
from scaling_core.runs.guess import MAX_TEXT_SHARE, Guess, guess_mapping
from scaling_core.runs.loss_units import LOSS_UNITS, LossUnit
from scaling_core.runs.numbers import to_numbers
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.raw import RawTable
from scaling_core.runs.readers.binary import unknown_log
from scaling_core.runs.schema import COLUMNS, PREDICTORS, Note

_SIZES = (*PREDICTORS, "params_non_embedding")
#: Extensions of what programs print, rather than of tables.
_PRINTED = (".log", ".out", ".txt", ".err")


@dataclass(frozen=True)
class Meaning:
    """How a file is understood.

    Attributes
    ----------
    mapping : dict of str to str
        Canonical column (or ``tokens_per_param``) to the file's column.
    loss_unit, loss_split : str
    bytes_per_token : float or None
    notes : tuple of Note
        What was guessed, and what a person must answer.
    """

    mapping: dict[str, str]
    loss_unit: str
    loss_split: str
    bytes_per_token: float | None
    notes: tuple[Note, ...]

    @property
    def unit(self) -> LossUnit:
        """The loss column's unit."""
        return LOSS_UNITS[self.loss_unit]

    @property
    def can_convert_loss(self) -> bool:
        """Whether all is known to give the loss in nats per token."""
        return "loss" in self.mapping and (not self.unit.needs_bytes_per_token or self.bytes_per_token is not None)


def understand(raw: RawTable, file: str, overrides: Overrides, told: frozenset[str] = frozenset()) -> Meaning:
    """Settle what each column means; of corrections to the canonical columns in ``told``, notes were made already.

    Raises
    ------
    UserError
        If a correction names a column that the file has not or that holds text, or if the file has neither
        parameters nor tokens nor FLOPs.
    """
    guess = guess_mapping(raw)
    mapping = _corrected(raw, file, guess, overrides)
    _require_size(raw, file, mapping, guess)
    loss = mapping.get("loss", "")
    meaning = Meaning(
        mapping=mapping,
        loss_unit=overrides.loss_unit or loss_unit_of(loss),
        loss_split=loss_split_of(loss),
        bytes_per_token=overrides.bytes_per_token,
        notes=(
            *_mapping_notes(guess, mapping, overrides, told, file),
            *_refusal_notes(guess, mapping, file),
        ),
    )
    return Meaning(**{**vars(meaning), "notes": (*meaning.notes, *_loss_notes(raw, meaning, file))})


def _corrected(raw: RawTable, file: str, guess: Guess, overrides: Overrides) -> dict[str, str]:
    for canonical, column in overrides.columns.items():
        if column is not None:
            _check_column(raw, file, canonical, column)
    claimed = {column for column in overrides.columns.values() if column is not None}
    mapping: dict[str, str] = {}
    for canonical, choice in guess.choices.items():
        free = [c for c in (choice.column, *choice.alternatives) if c not in claimed | set(mapping.values())]
        if canonical not in overrides.columns and free:
            mapping[canonical] = free[0]
    return mapping | {c: column for c, column in overrides.columns.items() if column is not None}


def _check_column(raw: RawTable, file: str, canonical: str, column: str) -> None:
    if column not in raw.frame.columns:
        raise UserError(
            f"There is no column “{column}” to take for {canonical}.",
            where=file,
            fix=f"The file has: {_listed(raw)}.",
        )
    if canonical in COLUMNS and not COLUMNS[canonical].numeric:
        return
    numbers = to_numbers(raw.frame[column], raw.decimal)
    if numbers.text_share > MAX_TEXT_SHARE:
        first = int(numbers.is_text.argmax())
        raise UserError(
            f"Most of the column holds text, such as “{str(raw.frame[column].iloc[first])[:40]}”, "
            f"so it cannot be taken for {canonical}.",
            where=f"{file}, line {raw.line[first]}, column “{column}”",
            fix="Choose a column of numbers.",
        )


def _require_size(raw: RawTable, file: str, mapping: dict[str, str], guess: Guess) -> None:
    if any(canonical in mapping for canonical in _SIZES):
        return
    refused = "".join(f" “{name}” {why}." for name, why in guess.refused.items())
    if not mapping and raw.format.startswith("CSV") and PurePath(file).suffix.lower() in _PRINTED:
        raise unknown_log(file)
    if raw.frame.shape[1] == 1 and raw.format.startswith("CSV"):
        refused += " Are the columns separated by commas, tabs, semicolons or pipes?"
    given = ", or give what no column holds: typed.params=RUN:124e6"
    if "step" in mapping:
        given += ", product.tokens=step*524288 (the tokens of a step)"
    raise UserError(
        f"No column for parameters, tokens or FLOPs was found. The file has: {_listed(raw)}.{refused}",
        where=file,
        fix=f"Name a column params, tokens or flops, or say which one it is, like params=my_column{given}.",
    )


def _listed(raw: RawTable) -> str:
    names = [str(name) for name in raw.frame.columns]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _mapping_notes(
    guess: Guess, mapping: dict[str, str], overrides: Overrides, told: frozenset[str], file: str
) -> list[Note]:
    chosen = {c: n for c, n in mapping.items() if c not in overrides.columns}
    renamed = [f"{c} from “{n}”" for c, n in chosen.items() if c != n]
    notes = [Note("info", f"Columns read: {', '.join(renamed)}.", file)] if renamed else []
    said = {c: n for c, n in overrides.columns.items() if c not in told}
    corrected = [f"{c} from “{n}”" if n else f"{c} from no column" for c, n in said.items()]
    notes += [Note("info", f"As corrected: {', '.join(corrected)}.", file)] if corrected else []
    for canonical, column in chosen.items():
        choice = guess.choices[canonical]
        others = [n for n in (choice.column, *choice.alternatives) if n not in mapping.values()]
        # Which column names a run changes no number; the rest does.
        if others and canonical != "run":
            rest = ", ".join(f"“{n}”" for n in others[:8])
            text = f"For {canonical}, “{column}” was taken; {rest} could be meant as well."
            notes.append(Note("warning" if canonical == "loss" else "info", text, file))
        if choice.column == column and choice.confidence == "words":
            notes.append(Note("info", f"“{column}” was taken for {canonical} because of its words.", file))
    return notes


def _refusal_notes(guess: Guess, mapping: dict[str, str], file: str) -> list[Note]:
    return [
        Note("warning", f"The column “{name}” {why}, so it was not used.", file)
        for name, why in guess.refused.items()
        if name not in mapping.values()
    ]


def _loss_notes(raw: RawTable, meaning: Meaning, file: str) -> list[Note]:
    if "loss" not in meaning.mapping:
        text = f"No loss column was found; the columns are {_listed(raw)}. To fit a law of loss, pick one."
        return [Note("warning", text, file)]
    column, unit = meaning.mapping["loss"], meaning.unit
    if not meaning.can_convert_loss:
        text = f"The loss “{column}” is in bits per byte. How many bytes does a token stand for on average?"
        return [Note("question", f"{text} Until that is known there is no loss in nats per token.", file)]
    if meaning.loss_unit == "nats":
        return []
    ratio = f" ({meaning.bytes_per_token:g} bytes per token)" if unit.needs_bytes_per_token else ""
    return [Note("info", f"The loss “{column}” was converted from {unit.title} to nats: {unit.rule}{ratio}.", file)]
