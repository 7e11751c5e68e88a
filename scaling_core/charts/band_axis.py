"""The axis of a line with a band: it shows the band, as far as the line keeps its shape."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of


def domain_with_band(rows: pd.DataFrame, name: str, *, log: bool, pad: float = 0.04) -> tuple[float, float]:
    """As ``domain_of``, with the band of ``<name>_low`` and ``<name>_high`` as far as it leaves the line half the axis.

    A band wider than that runs out of the picture, which would otherwise show nothing else.
    """
    line = domain_of(rows[name], log=log, pad=0.0)
    band = [rows[end] for end in (f"{name}_low", f"{name}_high") if end in rows and rows[end].notna().any()]
    if not band:
        return domain_of(rows[name], log=log, pad=pad)
    low, high = domain_of(np.concatenate([rows[name], *band]), log=log, pad=0.0)
    least, most = _spread_by_half(line, log=log)
    return domain_of([max(low, least), min(high, most)], log=log, pad=pad)


def _spread_by_half(extent: tuple[float, float], *, log: bool) -> tuple[float, float]:
    """An extent with half its length more at either end."""
    low, high = np.log(extent) if log else extent
    more = (high - low) / 2
    return (float(np.exp(low - more)), float(np.exp(high + more))) if log else (float(low - more), float(high + more))
