"""What a person gives where a file says nothing: read from names, typed, multiplied, or counted from a shape."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from scaling_core.errors import UserError
from scaling_core.runs.schema import COLUMNS
from scaling_core.runs.shape import FAMILIES
from scaling_core.units import parse_quantity

#: Canonical columns that can be typed or multiplied, and read from a name.
TYPED = ("params", "params_non_embedding", "tokens", "unique_tokens", "flops")
FROM_NAME = (*TYPED, "step", "run")
#: Sizes of a model that N is counted from; the others are optional.
NEEDED_SIZES = ("layers", "d_model")
SIZES = (*NEEDED_SIZES, "heads", "vocabulary", "context", "d_ff", "kv_heads", "head_size")
#: What a model is built like where it is of no known family: no biases, no gates, nothing learned of positions.
PLAIN = "plain"
FAMILY, TIED = "family", "tied"
MAX_PATTERN = 300
MAX_TYPED = 2_000
_WHERE = "column corrections"
_PATTERN, _SHAPE, _PRODUCT, _TYPED = "pattern", "shape.", "product.", "typed."
_PLAIN_IN_LIST = "/()[]. @="


@dataclass(frozen=True)
class Given:
    """Values that no column holds.

    Attributes
    ----------
    pattern : str
        A regular expression on the name of a run. Its named groups become values: those called as canonical columns
        or sizes of a model are used as such, the others become columns.
    shape : dict of str to str
        Sizes of a model (``SIZES``) to the column that holds each, or a number; also ``family`` and ``tied``.
    products : dict of str to tuple of str
        Canonical column to the columns and numbers whose product it is: batch, sequence and step for tokens.
    typed : dict of str to dict of str to float
        Canonical column to values by name of run.

    Raises
    ------
    UserError
        If one of them names what there is not, or is no number above zero.
    """

    pattern: str = ""
    shape: dict[str, str] = field(default_factory=dict)
    products: dict[str, tuple[str, ...]] = field(default_factory=dict)
    typed: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups(self.pattern)
        _check_names(self.shape, (*SIZES, FAMILY, TIED), "size of a model")
        _check_names([*self.products, *self.typed], TYPED, "column that can be given")
        if (family := self.shape.get(FAMILY, PLAIN)) not in (PLAIN, *FAMILIES):
            raise UserError(
                f"There is no family “{family}”.", where=_WHERE, fix=f"Use {PLAIN} or one of {', '.join(FAMILIES)}."
            )
        if sum(map(len, self.typed.values())) > MAX_TYPED:
            raise UserError(
                f"More than {MAX_TYPED:,} values were typed.", where=_WHERE, fix="Put them into a column of the file."
            )
        for name, values in self.typed.items():
            for run, value in values.items():
                _check_positive(value, f"{name} of “{run[:60]}”")

    def __bool__(self) -> bool:
        return bool(self.pattern or self.shape or self.products or self.typed)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the groups of the expression."""
        return groups(self.pattern)

    @property
    def columns(self) -> set[str]:
        """The columns of a file that are read, as far as they are neither numbers nor come from names."""
        read = {v for k, v in self.shape.items() if k in SIZES} | {f for p in self.products.values() for f in p}
        return {name for name in read if number_of(name) is None} - {*self.group_names, *COLUMNS}

    def restricted(self, known: set[str]) -> Given:
        """Keep what a file with these columns can follow."""
        fine = {*known, *self.group_names, *COLUMNS}
        shape = {k: v for k, v in self.shape.items() if k not in SIZES or number_of(v) is not None or v in fine}
        if self.shape and len(shape) < len(self.shape):
            shape = {}  # a model without one of its sizes would be counted wrong
        products = {k: p for k, p in self.products.items() if all(number_of(f) is not None or f in fine for f in p)}
        return Given(self.pattern, shape, products, self.typed)

    def pairs(self) -> list[tuple[str, str]]:
        """Return names and texts that ``from_pairs`` reads back."""
        found = [(_PATTERN, self.pattern)] if self.pattern else []
        found += [(_SHAPE + size, column) for size, column in self.shape.items()]
        found += [(_PRODUCT + name, "*".join(map(_listable, factors))) for name, factors in self.products.items()]
        for name, values in self.typed.items():
            found.append((_TYPED + name, ",".join(f"{_listable(run)}:{value:.15g}" for run, value in values.items())))
        return found

    @classmethod
    def from_pairs(cls, pairs: Mapping[str, str]) -> Given:
        """Read what ``pairs`` writes; ``is_given`` says which names are meant.

        Raises
        ------
        UserError
            If a text is not of that form.
        """
        products = {
            k.removeprefix(_PRODUCT): tuple(unquote(f.strip()) for f in v.split("*") if f.strip())
            for k, v in pairs.items()
            if k.startswith(_PRODUCT)
        }
        typed = {k.removeprefix(_TYPED): _read_typed(v) for k, v in pairs.items() if k.startswith(_TYPED)}
        return cls(
            pairs.get(_PATTERN, ""),
            {k.removeprefix(_SHAPE): v for k, v in pairs.items() if k.startswith(_SHAPE)},
            products,
            typed,
        )


def is_given(name: str) -> bool:
    """Whether a pair of this name is one of ``Given``."""
    return name == _PATTERN or name.startswith((_SHAPE, _PRODUCT, _TYPED))


def groups(pattern: str) -> tuple[str, ...]:
    """Names of an expression's groups, in order; none for no expression.

    Raises
    ------
    UserError
        If it is no regular expression, is too long, or names no group.
    """
    if not pattern:
        return ()
    where = "expression on names"
    if len(pattern) > MAX_PATTERN:
        raise UserError(f"The expression is longer than {MAX_PATTERN} signs.", where=where, fix="Write a shorter one.")
    try:
        names = tuple(re.compile(pattern).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(
            f"“{pattern}” is no regular expression: {error}.",
            where=where,
            fix=r"Write it like d=(?P<d_model>\d+)_l=(?P<layers>\d+).",
        ) from None
    if not names:
        raise UserError(
            f"“{pattern}” names nothing that it finds.",
            where=where,
            fix=r"Put names into it, as in (?P<params>[\d.]+[kMB]).",
        )
    return names


def number_of(text: str) -> float | None:
    """Return a text as a number above zero, or None where it is the name of a column."""
    try:
        value = parse_quantity(text)
    except (UserError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _read_typed(text: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        run, colon, value = part.rpartition(":")
        if not colon:
            raise UserError(
                f"“{part[:60]}” is no value of a run.", where=_WHERE, fix="Write typed.tokens=run a:1e9,run b:2e9."
            )
        values[unquote(run)] = parse_quantity(value)
    return values


def _listable(text: str) -> str:
    # Space at either end would be lost where the text is read.
    bare = text.strip()
    lead, rest = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :] if bare else ""
    return quote(lead, safe="") + quote(bare, safe=_PLAIN_IN_LIST) + quote(rest, safe="")


def _check_names(names: Iterable[str], known: tuple[str, ...], what: str) -> None:
    for name in names:
        if name not in known:
            raise UserError(f"“{name[:60]}” is no {what}.", where=_WHERE, fix=f"Use one of {', '.join(known)}.")


def _check_positive(value: float, what: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{what} is {value:g}.", where=_WHERE, fix="Give a number above zero.")
