"""What a person corrected about a file: which column is what, and in which unit the loss is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from scaling_core.errors import UserError
from scaling_core.runs.aliases import RATIO
from scaling_core.runs.given import Given, is_given
from scaling_core.runs.loss_units import check_loss_unit
from scaling_core.runs.schema import COLUMNS
from scaling_core.runs.upload import Upload
from scaling_core.units import parse_quantity

#: What a column of a file can be taken for: the canonical columns, and the ratio that stands in for ``tokens``.
MAPPABLE = (*COLUMNS, RATIO)
_SETTINGS = ("loss_unit", "bytes_per_token")
#: What a file of corrections says of itself.
FILE_KIND, FILE_VERSION = "scaling-explorer mapping", 1
_MAX_FILE = 5_000_000
_BEFORE = 64  # marks of the encoding and space may stand before the first brace
# An equals sign, semicolon or percent sign in a column's name must not be taken for ours; "/" may stay for eval/loss.
_PLAIN = "/()[],.:@* "
_NEED_BYTES = "Give the average number of bytes a token stands for, like 4.3."


@dataclass(frozen=True)
class Overrides:
    """Corrections to what was guessed about a file.

    Attributes
    ----------
    columns : dict of str to str or None
        From canonical column (or ``tokens_per_param``) to the file's own; None says that the file has none.
    loss_unit : str, optional
        One of ``LOSS_UNITS``.
    bytes_per_token : float, optional
        Average bytes of text that a token stands for, to convert bits per byte.
    given : Given
        What no column holds: read from names, typed, multiplied, counted.

    Raises
    ------
    UserError
        If a canonical column or the loss unit is unknown, or ``bytes_per_token`` is not positive.
    """

    columns: dict[str, str | None] = field(default_factory=dict)
    loss_unit: str | None = None
    bytes_per_token: float | None = None
    given: Given = field(default_factory=Given)

    def __post_init__(self) -> None:
        for name in self.columns:
            _check_mappable(name)
        if self.loss_unit is not None:
            check_loss_unit(self.loss_unit)
        ratio = self.bytes_per_token
        if ratio is not None and not (math.isfinite(ratio) and ratio > 0):
            raise UserError(f"{ratio} bytes per token is not possible.", fix=_NEED_BYTES)

    @classmethod
    def parse(cls, text: str) -> Overrides:
        """Read what ``format`` writes: ``loss=val_loss;params=n_params;loss_unit=nats``.

        A column without a value (``flops=``) says "use none". Percent signs escape, as in a link.

        Raises
        ------
        UserError
            If the text is not of that form.
        """
        pairs = dict(_pair(part) for part in text.split(";") if part.strip())
        settings = {name: pairs.pop(name, "") for name in _SETTINGS}
        given = {name: pairs.pop(name) for name in [*pairs] if is_given(name)}
        return cls(
            columns={name: value or None for name, value in pairs.items()},
            loss_unit=settings["loss_unit"] or None,
            bytes_per_token=_ratio(settings["bytes_per_token"]),
            given=Given.from_pairs(given),
        )

    def format(self) -> str:
        """Write the corrections as compact text that ``parse`` reads back."""
        pairs = [(name, column or "") for name, column in self.columns.items()]
        if self.loss_unit is not None:
            pairs.append(("loss_unit", self.loss_unit))
        if self.bytes_per_token is not None:
            pairs.append(("bytes_per_token", repr(float(self.bytes_per_token))))
        pairs += self.given.pairs()
        return ";".join(f"{name}={_escape(value)}" for name, value in pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the corrections as JSON types, for a file of their own."""
        given = {
            "name_pattern": self.given.pattern,
            "shape": self.given.shape,
            "products": {name: list(factors) for name, factors in self.given.products.items()},
            "typed": self.given.typed,
        }
        said = {"columns": self.columns, "loss_unit": self.loss_unit, "bytes_per_token": self.bytes_per_token, **given}
        return {"kind": FILE_KIND, "version": FILE_VERSION, **{name: value for name, value in said.items() if value}}

    @classmethod
    def from_json(cls, data: object, where: str = "mapping file") -> Overrides:
        """Read what ``to_json`` returns.

        Raises
        ------
        UserError
            If it is something else.
        """
        if not isinstance(data, dict) or data.get("kind") != FILE_KIND or data.get("version") != FILE_VERSION:
            raise UserError(
                "This is no file of column corrections.",
                where=where,
                fix="Take one that the Runs page exported (*.mapping.json).",
            )
        try:
            given = Given(
                _text(data.get("name_pattern", "")),
                {_text(k): _text(v) for k, v in data.get("shape", {}).items()},
                {_text(k): tuple(map(_text, v)) for k, v in data.get("products", {}).items()},
                {_text(k): {_text(run): float(n) for run, n in v.items()} for k, v in data.get("typed", {}).items()},
            )
            columns = {_text(k): None if v is None else _text(v) for k, v in data.get("columns", {}).items()}
            ratio = data.get("bytes_per_token")
            return cls(columns, data.get("loss_unit"), None if ratio is None else float(ratio), given)
        except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
            if isinstance(error, UserError):
                raise UserError(error.what, where=where, fix=error.fix) from None
            raise UserError(
                f"The corrections cannot be read: {error}.", where=where, fix="Export them again from the Runs page."
            ) from None

    @classmethod
    def from_file(cls, path: Path) -> Overrides:
        """Read a file of corrections.

        Raises
        ------
        UserError
            If it cannot be opened, or is none.
        """
        try:
            data = json.loads(path.read_bytes()[:_MAX_FILE])
        except OSError as error:
            raise UserError(f"The file cannot be opened: {error.strerror or error}.", where=str(path)) from None
        except (ValueError, RecursionError):
            data = None
        return cls.from_json(data, path.name)

    @classmethod
    def from_upload(cls, upload: Upload) -> Overrides | None:
        """Read a file that may be one of corrections, by what it says of itself; None if it is another.

        Raises
        ------
        UserError
            If it is one, and damaged.
        """
        is_small = len(upload.data) <= _MAX_FILE
        if not is_small or b"{" not in upload.data[:_BEFORE] or FILE_KIND.encode() not in upload.data:
            return None
        try:
            data = json.loads(upload.data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(data, dict) or data.get("kind") != FILE_KIND:
            return None
        return cls.from_json(data, upload.name)

    def after(self, other: Overrides) -> Overrides:
        """Return these corrections on top of others: what both say, these decide."""
        given = Given(
            self.given.pattern or other.given.pattern,
            self.given.shape or other.given.shape,
            {**other.given.products, **self.given.products},
            {**other.given.typed, **self.given.typed},
        )
        return Overrides(
            {**other.columns, **self.columns},
            self.loss_unit or other.loss_unit,
            self.bytes_per_token or other.bytes_per_token,
            given,
        )

    def restricted(self, columns: Iterable[str]) -> Overrides:
        """Keep only what concerns a file with these columns."""
        known = set(columns)
        kept = {name: column for name, column in self.columns.items() if column is None or column in known}
        # A unit that was given with its column is not that of another file's loss.
        elsewhere = "loss" in self.columns and "loss" not in kept
        unit = None if elsewhere else self.loss_unit
        return Overrides(kept, unit, self.bytes_per_token, self.given.restricted(known))

    @property
    def wanted(self) -> set[str]:
        """The columns of a file that are read."""
        return {column for column in self.columns.values() if column is not None} | self.given.columns

    @property
    def is_empty(self) -> bool:
        """Whether nothing is corrected."""
        return not (self.columns or self.loss_unit or self.bytes_per_token or self.given)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _escape(value: str) -> str:
    # A space at either end would be lost to the trimming that makes hand-written text comfortable.
    inner = quote(value, safe=_PLAIN, errors="surrogatepass")
    lead = len(inner) - len(inner.lstrip(" "))
    trail = len(inner) - len(inner.rstrip(" ")) if lead < len(inner) else 0
    return "%20" * lead + inner[lead : len(inner) - trail] + "%20" * trail


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise UserError(
            f"“{part.strip()}” does not say what it corrects.",
            where="column corrections",
            fix="Write it like loss=val_loss;params=n_params;loss_unit=nats.",
        )
    try:
        return name.strip(), unquote(value.strip(" "), errors="surrogatepass")
    except UnicodeDecodeError:
        raise UserError(
            f"“{value}” has a percent sign that escapes nothing.",
            where="column corrections",
            fix="Write % as %25.",
        ) from None


def _ratio(text: str) -> float | None:
    try:
        return parse_quantity(text) if text.strip() else None
    except UserError as error:
        raise UserError(error.what, where="bytes_per_token", fix=_NEED_BYTES) from None


def _check_mappable(name: str) -> None:
    if name not in MAPPABLE:
        raise UserError(
            f"There is no canonical column “{name}”.",
            where="column corrections",
            fix=f"Use one of {', '.join(MAPPABLE)}, or {' and '.join(_SETTINGS)}.",
        )
