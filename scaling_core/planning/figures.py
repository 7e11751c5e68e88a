"""Numbers of a plan as a person reads them: money, time, energy, carbon, hours, sizes, passes, how far beyond."""

from __future__ import annotations

import math

from scaling_core.units import format_count, format_flops, format_number, format_percent, format_ratio

#: Below this many times, how far something lies beyond is said in percent: “1.0×” says nothing.
_NEAR = 1.1
#: Up to here a count of hours or passes is written out; larger ones take a suffix.
_WRITTEN_OUT = 1e4
#: From here on there is no suffix that people know.
_LARGEST_SUFFIXED = 1e15
#: Less than this of a dollar, an hour, a second, a Wh or a gram is as good as nothing, and a power of ten says no more.
_LEAST = 1e-5
#: Below this a number is written with two digits, however many zeros come before them.
_WITH_ZEROS = 0.1
#: Seconds from which a time is written in seconds: shorter ones are milliseconds and microseconds.
_LEAST_WRITTEN_OUT_S = 0.1


def money(usd: float) -> str:
    """Write dollars with a suffix: ``$60k``, ``$1.2M``; less than ten cents with two digits: ``$0.00041``."""
    if not math.isfinite(usd):
        return "unknown cost"
    if usd >= 1000:
        return f"${size(usd)}"
    if 0 < usd < _LEAST:
        return f"under ${_LEAST:.5f}"
    if 0 < usd < _WITH_ZEROS:
        return f"${_fixed(usd)}"
    return "$0" if usd == 0 else f"${usd:.2f}" if usd < 9.995 else f"${usd:.0f}"


def rate(usd: float) -> str:
    """Write a price of an hour with its cents: ``$2.50``; a finer one with what it has: ``$0.0655``."""
    if usd == 0:
        return "$0"
    return f"${usd:.2f}" if abs(usd - round(usd, 2)) < 1e-9 else f"${usd:.4g}"


def peak(flops_per_s: float) -> str:
    """Write a peak rate: ``989.4 TFLOP/s``."""
    return f"{format_number(flops_per_s / 1e12, 4)} TFLOP/s"


def duration(days: float) -> str:
    """Write a time in the unit that reads best: ``2.3 ms``, ``40 minutes``, ``13 hours``, ``2.1 years``."""
    if not math.isfinite(days):
        return "unknown time"
    if 0 < days * 86_400 < _LEAST_WRITTEN_OUT_S:
        return _moment(days * 86_400)
    for size, word in ((365.25, "year"), (1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"), (1 / 86400, "second")):
        count = days / size
        if count >= (2.0 if word == "year" else 1.0) or word == "second":
            text = _small(count, 2 if count < 100 else 3)
            return f"{text} {word}{'' if text == '1' else 's'}"
    raise AssertionError  # the last unit takes everything


def _moment(seconds: float) -> str:
    """A time below a second; below a microsecond its length tells nobody anything."""
    if seconds < 1e-6:
        return "under 1 µs"
    count, unit = (seconds * 1e3, "ms") if seconds >= 1e-3 else (seconds * 1e6, "µs")
    return f"{format_number(count, 2 if count < 100 else 3)} {unit}"


def size(value: float) -> str:
    """Write N or D with a suffix as far as there are any: ``70B``, ``1.4T``, ``2.55e15``; there is none below one."""
    if 0 < value < 1:
        return "under 1"
    return format_flops(value) if _LARGEST_SUFFIXED <= value < math.inf else format_count(value)


def hours(value: float) -> str:
    """Write accelerator-hours: ``0.52``, ``1,000``, ``24.3k``."""
    return _small(value, 3)


def passes(value: float) -> str:
    """Write passes over the data: ``1.4``, ``40``, ``1,200``, ``2.98B``."""
    return _count(value, 2 if value < 100 else 3)


def energy(kwh: float) -> str:
    """Write energy: ``1.3 Wh``, ``820 kWh``, ``3.2 MWh``, ``1.1 GWh``."""
    if not math.isfinite(kwh):
        return "unknown energy"
    for one, unit in ((1e9, "TWh"), (1e6, "GWh"), (1e3, "MWh")):
        if kwh >= one:
            return f"{_count(kwh / one, 3)} {unit}"
    return f"{_small(kwh, 3)} kWh" if kwh >= _WITH_ZEROS or kwh <= 0 else f"{_small(kwh * 1000, 3)} Wh"


def carbon(kg: float) -> str:
    """Write CO₂-equivalent: ``12 g``, ``47.9 kg``, ``239 t``."""
    if not math.isfinite(kg):
        return "unknown"
    if 0 < kg < _WITH_ZEROS:
        return f"{_small(kg * 1000, 3)} g"
    return f"{_count(kg / 1000, 3)} t" if kg >= 1000 else f"{_small(kg, 3)} kg"


def saving(share: float) -> str:
    """Write a share saved: ``0.55%``; where it is spent more instead, how many times: ``none, 4.6× the cost``."""
    if share >= 0 or not math.isfinite(share):
        return format_percent(share)
    return f"none, {format_ratio(1 - share)} the cost"


def beyond_by(times: float) -> str:
    """Write how far something lies past an end, either way: ``2%``, ``1.4×``, ``13×``."""
    far = max(times, 1 / times)
    return f"{100 * (far - 1):.2g}%" if far < _NEAR else format_ratio(far)


def _small(value: float, digits: int) -> str:
    """A count as ``_count`` writes it; a small one with two digits, and next to nothing is said to be that."""
    if 0 < value < _LEAST:
        return f"under {_LEAST:.5f}"
    return _fixed(value) if 0 < value < _WITH_ZEROS else _count(value, digits)


def _fixed(value: float) -> str:
    """A number between 0 and 1 with two digits and no power of ten."""
    return f"{value:.{1 - math.floor(math.log10(float(f'{value:.1e}')))}f}"


def _count(value: float, digits: int) -> str:
    """A count without a suffix as far as it reads well, and as a power of ten where no suffix is known."""
    if not 999.5 <= value < math.inf:
        return format_number(value, digits)
    if value < _WRITTEN_OUT:
        return f"{float(f'{value:.{digits}g}'):,.0f}"
    return format_count(value, digits) if value < _LARGEST_SUFFIXED else format_flops(value, digits)
