"""Numbers that may be one value or many: a slider's position, or a draw for each row. Checks that speak plainly."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.laws import Array

#: One number, or an array of them that broadcasts against the others.
Number = float | Array


def positive(value: Any, what: str, fix: str) -> Number:
    """Return the value as floats if all of it lies above zero and is finite.

    Raises
    ------
    UserError
        Otherwise, saying what was asked and ``fix``.
    """
    return _checked(value, what, fix, lambda x: x > 0, "must be above zero")


def not_negative(value: Any, what: str, fix: str) -> Number:
    """Return the value as floats if none of it lies below zero and all is finite.

    Raises
    ------
    UserError
        Otherwise.
    """
    return _checked(value, what, fix, lambda x: x >= 0, "cannot be below zero")


def at_least_one(value: Any, what: str, fix: str) -> Number:
    """Return the value as floats if none of it lies below one and all is finite.

    Raises
    ------
    UserError
        Otherwise.
    """
    return _checked(value, what, fix, lambda x: x >= 1, "must be 1 or more")


def share(value: Any, what: str, fix: str) -> Number:
    """Return the value as floats if all of it lies between 0 and 1, 1 itself left out.

    Raises
    ------
    UserError
        Otherwise.
    """
    return _checked(value, what, fix, lambda x: (x >= 0) & (x < 1), "must lie between 0 and 1, 1 left out")


def fraction(value: Any, what: str, fix: str) -> Number:
    """Return the value as floats if all of it lies between 0 and 1, both included.

    Raises
    ------
    UserError
        Otherwise.
    """
    return _checked(value, what, fix, lambda x: (x >= 0) & (x <= 1), "must lie between 0 and 1")


def utilisation(value: Any, what: str, fix: str) -> Number:
    """Return the value as floats if all of it lies above 0 and no higher than 1.

    Raises
    ------
    UserError
        Otherwise.
    """
    return _checked(value, what, fix, lambda x: (x > 0) & (x <= 1), "must lie above 0 and no higher than 1")


def plain(value: Any) -> Number:
    """Return an array of no dimensions as a float, any other as it is."""
    array = np.asarray(value, dtype=float)
    return float(array) if array.ndim == 0 else array


def _checked(value: Any, what: str, fix: str, holds: Any, rule: str) -> Number:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise UserError(f"{what} is not a number: “{value}”.", fix=fix) from None
    good = np.isfinite(array) & holds(array)
    if not good.all():
        raise UserError(f"{what} {rule}, not {array[~good].flat[0]:g}.", fix=fix)
    return plain(array)
