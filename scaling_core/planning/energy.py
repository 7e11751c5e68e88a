"""Electricity and carbon of a training run, and what an hour of one's own accelerator costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.tables import number, read_table
from scaling_core.planning.values import Number, at_least_one, not_negative, plain, positive

HOURS_PER_YEAR = 24 * 365.25
#: Average price of electricity for US industry (Epoch AI, training-cost-trends 263c40a).
ELECTRICITY_USD_PER_KWH = {2024: 0.0771, 2025: 0.0826}
#: Mean carbon intensity of US electricity that Touvron et al. 2023 use (arXiv 2302.13971, section 6).
US_CARBON_KG_PER_KWH = 0.385
#: Power of the whole server over that of its accelerators, all at rated power; other GPUs 1.8 (Epoch AI, as above).
_SERVER_FACTORS = {"H100": 10.2 / 8 / 0.7, "A100": 6.5 / 8 / 0.4, "V100": (10 / 16 + 1.5 / 4) / 0.3 / 2, "TPU": 1.56}
_OTHER_SERVER_FACTOR = 1.8
#: Price of the whole server over that of its accelerators (Epoch AI, as above).
_SERVER_PRICES = {"A100": 1.66, "V100": 1.69}
_OTHER_SERVER_PRICE = 1.64
#: Network as a share of what a cluster costs, and how fast hardware is overtaken (Epoch AI, as above).
INTERCONNECT_SHARE = 0.19
PROGRESS_OOM_PER_YEAR = 0.14


@dataclass(frozen=True)
class PowerTerms:
    """How the power of a computing centre follows from the rated power of its accelerators.

    Attributes
    ----------
    pue : float or array
        Power of the whole building over that of its computers.
    power_fraction : float or array
        Mean draw while training over rated power.
    server_factor : float or array
        Power of the whole server (processors, fans, network cards) over that of its accelerators. 1 counts these alone.
    carbon_kg_per_kwh : float or array
        CO₂-equivalent of the electricity.
    """

    pue: Number = 1.1
    power_fraction: Number = 1.0
    server_factor: Number = 1.0
    carbon_kg_per_kwh: Number = US_CARBON_KG_PER_KWH
    convention: str = ""

    def __post_init__(self) -> None:
        positive(self.power_fraction, "The fraction of rated power", "0.75 is usual for GPUs, 1 is on the safe side.")
        for name, value in (("PUE", self.pue), ("The power of servers over that of accelerators", self.server_factor)):
            at_least_one(
                value, name, "1.1 to 1.6 is a usual PUE, 1.6 to 2 a usual factor of servers; 1 counts nothing."
            )
        not_negative(self.carbon_kg_per_kwh, "The carbon intensity", "0.385 kg/kWh is the mean of the United States.")


#: Accelerators at rated power and nothing else but the building: the convention of Touvron et al. 2023, Table 15, and
#: of the Llama model cards. It leaves out the servers around the accelerators.
ACCELERATORS_ONLY = PowerTerms(convention="accelerators at rated power, PUE 1.1 (Touvron et al. 2023)")


def whole_server(hardware: Hardware, *, hyperscaler: bool = False) -> PowerTerms:
    """Power with everything in the server counted, at the draw seen in training: the convention of Epoch AI.

    GPUs draw 75% and TPUs 43% of rated power on average; PUE is 1.1 in the largest companies and 1.25 elsewhere
    (Cottier et al. 2024, arXiv 2405.21015).
    """
    return PowerTerms(
        pue=1.1 if hyperscaler else 1.25,
        power_fraction=0.43 if "TPU" in hardware.name else 0.75,
        server_factor=_by_name(hardware, _SERVER_FACTORS, _OTHER_SERVER_FACTOR),
        convention="whole servers at the draw seen in training (Cottier et al. 2024)",
    )


def power_kw(tdp_w: Number, terms: PowerTerms = ACCELERATORS_ONLY) -> Number:
    """Power that one accelerator causes at the meter, in kW."""
    return plain(plain(tdp_w) / 1000 * terms.power_fraction * terms.server_factor * terms.pue)


def energy_kwh(gpu_hours: Number, tdp_w: Number, terms: PowerTerms = ACCELERATORS_ONLY) -> Number:
    """Energy of so many accelerator-hours, in kWh."""
    return plain(plain(gpu_hours) * power_kw(tdp_w, terms))


def co2e_kg(kwh: Number, terms: PowerTerms = ACCELERATORS_ONLY) -> Number:
    """CO₂-equivalent of so much electricity, in kg."""
    return plain(plain(kwh) * terms.carbon_kg_per_kwh)


def rated_power_w(hardware: Hardware) -> float:
    """Rated power of an accelerator in W.

    Raises
    ------
    UserError
        If it is unknown.
    """
    if hardware.tdp_w is None:
        raise UserError(f"The power of {hardware.name} is not known.", fix="Give a rated power in W to see its energy.")
    return hardware.tdp_w


@dataclass(frozen=True)
class OwnedCost:
    """What an hour of one's own accelerator costs, in US dollars, by part."""

    accelerator: Number
    server: Number
    network: Number
    electricity: Number

    @property
    def total(self) -> Number:
        """All parts together."""
        return plain(plain(self.accelerator) + self.server + self.network + self.electricity)


def owned_cost(
    hardware: Hardware, accelerator_price_usd: Number, electricity_usd_per_kwh: Number, terms: PowerTerms | None = None
) -> OwnedCost:
    """Cost of one hour of an accelerator that was bought, amortised as fast as newer hardware overtakes it.

    Hardware gains 0.14 orders of magnitude of performance for the price a year, so it pays to replace a share of
    0.14 ln 10 = 32% of it a year; the network is 19% of the cluster (Cottier et al. 2024, arXiv 2405.21015).
    """
    price = positive(
        accelerator_price_usd, "The price of an accelerator", "Give what it was bought for, in US dollars."
    )
    rate = not_negative(electricity_usd_per_kwh, "The price of electricity", "US industry paid $0.083 in 2025.")
    chip = plain(price) * PROGRESS_OOM_PER_YEAR * math.log(10) / HOURS_PER_YEAR
    server = chip * (_by_name(hardware, _SERVER_PRICES, _OTHER_SERVER_PRICE) - 1)
    network = (chip + server) * INTERCONNECT_SHARE / (1 - INTERCONNECT_SHARE)
    power = power_kw(rated_power_w(hardware), terms or whole_server(hardware))
    return OwnedCost(chip, server, network, plain(rate * power))


@dataclass(frozen=True)
class PublishedRun:
    """A training run whose accelerator-hours were published; None where something was not."""

    model: str
    params: float | None
    tokens: float | None
    gpu: str
    gpu_hours: float
    gpu_power_w: float
    energy_mwh: float | None
    co2e_t: float | None
    source: str
    date: str
    confidence: str


def published_runs() -> tuple[PublishedRun, ...]:
    """Runs with published accelerator-hours, and energy or carbon where they were given."""
    return tuple(
        PublishedRun(
            row["model"],
            number(row["params"]),
            number(row["tokens"]),
            row["gpu"],
            float(row["gpu_hours"]),
            float(row["gpu_power_w"]),
            number(row["energy_mwh"]),
            number(row["co2e_t"]),
            row["source"],
            row["date"],
            row["confidence"],
        )
        for row in read_table("runs")
    )


def _by_name(hardware: Hardware, factors: dict[str, float], other: float) -> float:
    return next((factor for part, factor in factors.items() if part in hardware.name), other)
