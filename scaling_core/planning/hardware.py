"""Accelerators: what they compute at most, hold, draw and cost. A table of known ones, and others made by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from scaling_core.errors import UserError
from scaling_core.planning.tables import Row, number, read_table

#: Number formats by name, widest first. TF32 and below run on matrix units and add up in FP32.
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4")
#: The format that training uses unless said: the first of these that the accelerator knows.
_FOR_TRAINING = ("bf16", "fp16", "tf32", "fp32")
_SURE = ("yes", "partly", "no")
_SIZES = ("memory_gb", "memory_bandwidth_gb_per_s", "tdp_w", "intranode_gb_per_s", "gpus_per_node")


@dataclass(frozen=True)
class Price:
    """Rent of one accelerator in US dollars an hour, with the date and source of the quotes."""

    low: float
    typical: float
    high: float
    date: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.low <= self.typical <= self.high < math.inf):
            raise UserError(
                f"Prices of {self.low:g}, {self.typical:g} and {self.high:g} dollars an hour are not in order.",
                fix="Give low, typical and high, none below zero, in rising order.",
            )


@dataclass(frozen=True)
class Hardware:
    """One kind of accelerator.

    Attributes
    ----------
    peak_flops_per_s : dict
        Dense peak rate in FLOP/s by number format (``PRECISIONS``). Rates with 2:4 sparsity do not belong here.
    memory_gb : float, optional
        In units of 10⁹ bytes, like the rest. None where unknown, here and below.
    memory_bandwidth_gb_per_s, intranode_gb_per_s : float, optional
        The second is the link to its neighbours in one machine, in one direction.
    tdp_w : float, optional
        Rated power of the accelerator alone.
    price : Price, optional
    verified : {'yes', 'partly', 'no'}
        How well the sources of the rates agree.
    gpus_per_node : float
        Accelerators in one machine; most have eight.
    """

    name: str
    peak_flops_per_s: Mapping[str, float] = field(hash=False)
    vendor: str = ""
    memory_gb: float | None = None
    memory_bandwidth_gb_per_s: float | None = None
    tdp_w: float | None = None
    intranode_gb_per_s: float | None = None
    price: Price | None = None
    verified: str = "no"
    source: str = ""
    notes: str = ""
    gpus_per_node: float = 8

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise UserError("An accelerator needs a name.", fix="Give it any name, “our cluster” say.")
        _check_peaks(self.name, self.peak_flops_per_s)
        for field_name in _SIZES:
            _check_size(self.name, field_name, getattr(self, field_name))
        if self.verified not in _SURE:
            raise UserError(f"“{self.verified}” does not say how sure this is.", fix=f"Use one of: {', '.join(_SURE)}.")

    @property
    def training_precision(self) -> str:
        """The number format that training uses here unless said."""
        return next((p for p in _FOR_TRAINING if p in self.peak_flops_per_s), next(iter(self.peak_flops_per_s)))

    def peak(self, precision: str = "") -> float:
        """Dense peak rate in FLOP/s in one number format, by default the one for training.

        Raises
        ------
        UserError
            If this accelerator has no rate in that format.
        """
        wanted = precision or self.training_precision
        if wanted not in self.peak_flops_per_s:
            raise UserError(
                f"No {wanted} rate is known for {self.name}.",
                fix=f"Choose one of: {', '.join(self.peak_flops_per_s)}.",
            )
        return self.peak_flops_per_s[wanted]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return dataclasses.asdict(dataclasses.replace(self, peak_flops_per_s=dict(self.peak_flops_per_s)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hardware:
        """Make one from what ``to_json`` gave, or from the same written by hand.

        Raises
        ------
        UserError
            If a name is unknown or missing, or a value makes no sense.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        fix = 'Give at least “name” and “peak_flops_per_s”, like {"bf16": 312e12}.'
        if unknown := sorted(set(data) - known):
            raise UserError(f"An accelerator has no “{unknown[0]}”.", fix=f"It may have: {', '.join(sorted(known))}.")
        if missing := sorted({"name", "peak_flops_per_s"} - set(data)):
            raise UserError(f"The accelerator lacks “{missing[0]}”.", fix=fix)
        try:
            price = data.get("price")
            made = {**data, "price": Price(**price) if isinstance(price, Mapping) else price}
            peaks = {precision: float(rate) for precision, rate in dict(data["peak_flops_per_s"]).items()}
            sizes = {name: float(data[name]) for name in _SIZES if data.get(name) is not None}
            return cls(**{**made, **sizes, "peak_flops_per_s": peaks})
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"The accelerator cannot be read: {error}.", fix=fix) from None


@cache
def known_hardware() -> tuple[Hardware, ...]:
    """All accelerators of the table."""
    return tuple(_from_row(row) for row in read_table("hardware"))


def get_hardware(name: str) -> Hardware:
    """Return an accelerator by name, or by beginnings of its words that fit no other (“B200”, “a100 sxm 80”).

    Raises
    ------
    UserError
        If no name, or more than one, fits.
    """
    choices = known_hardware()
    wanted = name.casefold().split()
    exact = [h for h in choices if h.name.casefold().split() == wanted]
    found = exact or [h for h in choices if wanted and all(_begins_a_word(h.name, word) for word in wanted)]
    if len(found) == 1:
        return found[0]
    what = f"“{name}” could be any of several." if found else f"There is no accelerator called “{name}”."
    raise UserError(what, fix=f"Choose one of: {', '.join(h.name for h in found or choices)}.")


def _begins_a_word(name: str, beginning: str) -> bool:
    return any(word.startswith(beginning) for word in name.casefold().split())


def _from_row(row: Row) -> Hardware:
    peaks = {p: number(row[f"{p}_flops_per_s"]) for p in PRECISIONS}
    prices = [number(row[f"price_{which}_usd_per_h"]) for which in ("low", "typical", "high")]
    low, typical, high = prices
    known = low is not None and typical is not None and high is not None
    return Hardware(
        row["name"],
        {p: rate for p, rate in peaks.items() if rate is not None},
        row["vendor"],
        number(row["memory_gb"]),
        number(row["memory_bandwidth_gb_per_s"]),
        number(row["tdp_w"]),
        number(row["intranode_gb_per_s"]),
        Price(low, typical, high, row["price_date"], row["price_source"]) if known else None,  # type: ignore[arg-type]
        row["verified"],
        row["spec_source"],
        row["notes"],
    )


def _check_peaks(name: str, peaks: Mapping[str, float]) -> None:
    fix = f'Give rates in FLOP/s by format, of {", ".join(PRECISIONS)}: {{"bf16": 312e12}}.'
    if not peaks:
        raise UserError(f"No rate is given for {name}.", fix=fix)
    for precision, rate in peaks.items():
        if precision not in PRECISIONS:
            raise UserError(f"“{precision}” is no number format known here.", where=name, fix=fix)
        if not 0 < float(rate) < math.inf:
            raise UserError(f"A {precision} rate of {rate} FLOP/s cannot be.", where=name, fix=fix)


def _check_size(name: str, what: str, value: float | None) -> None:
    if value is not None and not 0 < float(value) < math.inf:
        raise UserError(f"“{what}” of {value} cannot be.", where=name, fix="Leave it out where it is unknown.")
