"""A budget in any unit: FLOPs, accelerator-hours, days, dollars, energy, carbon, and how each follows from the others.

Everything passes through accelerator-hours: FLOPs by the rate that is really reached, days by the number of
accelerators, dollars by rent, energy by power, carbon by the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from scaling_core.errors import UserError
from scaling_core.planning.budget_text import UNITS, Amount, read_amount
from scaling_core.planning.energy import ACCELERATORS_ONLY, PowerTerms, power_kw
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.values import Number, not_negative, plain, positive, share, utilisation

#: Median model FLOPs utilisation of 33 published runs is 37.5% (Epoch AI, training-cost-trends 263c40a).
DEFAULT_MFU = 0.4


@dataclass(frozen=True)
class Terms:
    """What turns FLOPs into hours, money and energy. Every number may be an array of draws.

    Attributes
    ----------
    hardware : Hardware
    precision : str
        Number format of the matrix products; by default the accelerator's own for training.
    mfu : float or array
        Model FLOPs utilisation while training runs: useful FLOP/s over dense peak (Chowdhery et al. 2022).
    n_gpus : float or array
    price_usd_per_hour : float or array, optional
        Rent of one accelerator. None takes the table's typical price, where there is one.
    restart_share, idle_share : float or array
        Shares of the rented time lost to work done twice after failures, and to waiting.
    power : PowerTerms
    """

    hardware: Hardware
    precision: str = ""
    mfu: Number = DEFAULT_MFU
    n_gpus: Number = 1
    price_usd_per_hour: Number | None = None
    restart_share: Number = 0.0
    idle_share: Number = 0.0
    power: PowerTerms = field(default=ACCELERATORS_ONLY)

    def __post_init__(self) -> None:
        self.hardware.peak(self.precision)
        utilisation(self.mfu, "The utilisation (MFU)", "0.3 to 0.55 is usual for large runs; at 0 nothing is trained.")
        positive(self.n_gpus, "The number of accelerators", "Give 1 or more.")
        share(self.restart_share, "The share of time lost to restarts", "0.05 to 0.15 is usual for large runs.")
        share(self.idle_share, "The share of idle time", "Give 0 if accelerators are paid only while they train.")
        if self.price_usd_per_hour is not None:
            not_negative(self.price_usd_per_hour, "The price of an hour", "Give 0 for accelerators that cost nothing.")

    @property
    def all_in_utilisation(self) -> Number:
        """Useful FLOP/s over dense peak across all rented time, restarts and idle time counted."""
        return plain(plain(self.mfu) * (1 - plain(self.restart_share)) * (1 - plain(self.idle_share)))

    @property
    def flops_per_gpu_hour(self) -> Number:
        """Useful FLOPs that one rented accelerator-hour gives."""
        return plain(self.hardware.peak(self.precision) * 3600 * plain(self.all_in_utilisation))

    @property
    def usd_per_gpu_hour(self) -> Number | None:
        """Rent of one accelerator-hour, or None where no price is known."""
        if self.price_usd_per_hour is not None:
            return plain(self.price_usd_per_hour)
        return self.hardware.price.typical if self.hardware.price else None

    @property
    def kwh_per_gpu_hour(self) -> Number | None:
        """Energy of one accelerator-hour at the meter, or None where the power is unknown."""
        return None if self.hardware.tdp_w is None else power_kw(self.hardware.tdp_w, self.power)

    @property
    def kg_per_gpu_hour(self) -> Number | None:
        """CO₂-equivalent of one accelerator-hour, or None where the power is unknown."""
        energy = self.kwh_per_gpu_hour
        return None if energy is None else plain(plain(energy) * self.power.carbon_kg_per_kwh)


@dataclass(frozen=True)
class Amounts:
    """One run in every unit. NaN where it cannot be told; ``notes`` say why."""

    flops: Number
    gpu_hours: Number
    days: Number
    usd: Number
    energy_kwh: Number
    co2e_kg: Number
    notes: tuple[str, ...] = ()


def amounts(flops: Number, terms: Terms) -> Amounts:
    """Return what a run of so many useful FLOPs takes, in every unit."""
    hours = plain(plain(not_negative(flops, "The compute", "Give FLOPs, 1e22 say.")) / terms.flops_per_gpu_hour)
    per_hour = {"usd": terms.usd_per_gpu_hour, "energy_kwh": terms.kwh_per_gpu_hour, "co2e_kg": terms.kg_per_gpu_hour}
    found = {name: plain(plain(hours) * rate) if rate is not None else math.nan for name, rate in per_hour.items()}
    return Amounts(plain(flops), hours, plain(plain(hours) / terms.n_gpus / 24), **found, notes=_unknown(terms))


def implied_utilisation(flops: Number, gpu_hours: Number, hardware: Hardware, precision: str = "") -> Number:
    """All-in utilisation that a run's FLOPs and rented accelerator-hours imply."""
    hours = positive(gpu_hours, "The accelerator-hours", "Give those that were rented.")
    return plain(plain(flops) / (plain(hours) * 3600 * hardware.peak(precision)))


@dataclass(frozen=True)
class Budget:
    """An amount of one thing to spend.

    Attributes
    ----------
    value : float
    unit : str
        One of ``UNITS``: FLOPs, GPU-hours, days, USD, kWh, kg CO2e.
    device : str
        The accelerator that was named with it (“1000 H100-hours”), if one was.
    """

    value: float
    unit: str = "FLOPs"
    device: str = ""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UserError(f"A budget cannot be in “{self.unit}”.", fix=f"Choose one of: {', '.join(UNITS)}.")
        positive(self.value, "A budget", "Give an amount, $2M or 1e22 FLOPs say.")

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read a budget as people type it: ``1e24``, ``$2M``, ``3 weeks``, ``5000 GPU-hours``, ``200 MWh``.

        Raises
        ------
        UserError
            If it cannot be read.
        """
        amount = read_amount(text)
        return cls(amount.value, amount.unit, amount.device)

    def flops(self, terms: Terms) -> Number:
        """Return the useful FLOPs that this buys.

        Raises
        ------
        UserError
            If it does not limit the compute (rent of $0) or something is unknown (a price, say).
        """
        self._check_device(terms.hardware)
        return plain(self.value * _flops_per_unit(self.unit, terms))

    def to(self, unit: str, terms: Terms) -> Budget:
        """Return the same budget in another unit.

        Raises
        ------
        UserError
            As ``flops`` does, or if the terms hold draws: then it is not one amount.
        """
        if unit not in UNITS:
            raise UserError(f"A budget cannot be in “{unit}”.", fix=f"Choose one of: {', '.join(UNITS)}.")
        if unit == self.unit:
            return self
        value = np.asarray(plain(self.flops(terms)) / _flops_per_unit(unit, terms))
        if value.ndim:
            raise UserError("A budget is one amount, not many draws.", fix="Convert with one set of terms.")
        return Budget(float(value), unit, self.device if unit == "GPU-hours" else "")

    def text(self) -> str:
        """Return it as text that ``parse`` reads back to the last digit."""
        return Amount(self.value, self.unit, self.device).text()

    def _check_device(self, hardware: Hardware) -> None:
        if not set(self.device.casefold().split()) <= set(hardware.name.casefold().split()):
            raise UserError(
                f"The budget is in hours of {self.device}, the hardware is {hardware.name}.",
                fix=f"Choose {self.device} as the hardware, or give the budget in GPU-hours.",
            )


def _flops_per_unit(unit: str, terms: Terms) -> Number:
    """FLOPs that one of a unit buys."""
    if unit == "FLOPs":
        return 1.0
    per_hour = plain(terms.flops_per_gpu_hour)
    if unit == "GPU-hours":
        return per_hour
    if unit == "days":
        return plain(per_hour * 24 * terms.n_gpus)
    return plain(per_hour / _spent_per_hour(unit, terms))


def _spent_per_hour(unit: str, terms: Terms) -> Number:
    spent = {"USD": terms.usd_per_gpu_hour, "kWh": terms.kwh_per_gpu_hour, "kg CO2e": terms.kg_per_gpu_hour}[unit]
    what, give = {
        "USD": ("price", "a price in dollars an hour"),
        "kWh": ("power", "a rated power in W"),
        "kg CO2e": ("power", "a rated power in W"),
    }[unit]
    if spent is None:
        raise UserError(f"The {what} of {terms.hardware.name} is not known.", fix=f"Give {give}, or a budget in FLOPs.")
    if not np.all(np.asarray(spent) > 0):
        raise UserError(
            f"An hour takes 0 {unit}, so a budget in {unit} does not limit the compute.",
            fix=f"Give {give} above zero, or a budget in GPU-hours or FLOPs.",
        )
    return spent


def _unknown(terms: Terms) -> tuple[str, ...]:
    notes = []
    if terms.usd_per_gpu_hour is None:
        notes.append(f"No price is known for {terms.hardware.name}: no cost can be given.")
    if terms.hardware.tdp_w is None:
        notes.append(f"No power is known for {terms.hardware.name}: no energy can be given.")
    return tuple(notes)
