"""A chart and the frames it draws, kept apart.

Altair copies and hashes what hangs on a chart many times while it is put together; with the data apart, and known to
the chart by name only, our main charts are built several times faster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd

from scaling_core.charts.axes import field_name


@dataclass(frozen=True)
class Frames:
    """The frames of a chart by name."""

    by_name: dict[str, pd.DataFrame] = field(default_factory=dict)

    def chart(self, name: str, frame: pd.DataFrame) -> alt.Chart:
        """Begin a layer that draws ``frame``, its columns called as fields; layers of the same rows share a name."""
        names = {c: field_name(c) for c in frame.columns if isinstance(c, str) and field_name(c) != c}
        self.by_name[name] = frame.rename(columns=names) if names else frame
        return alt.Chart(alt.NamedData(name=name))


@dataclass(frozen=True)
class Figure:
    """A finished chart with its frames."""

    chart: alt.TopLevelMixin
    frames: Frames

    def spec(self, *, validate: bool = False) -> dict[str, Any]:
        """Vega-Lite specification with the frames under ``datasets``, as Streamlit takes it."""
        spec: dict[str, Any] = self.chart.to_dict(validate=validate)
        spec.pop("config", None)  # Altair's default sizes; the theme of the page decides
        return {**spec, "datasets": dict(self.frames.by_name)}

    def to_json_spec(self) -> dict[str, Any]:
        """The same with the rows written out, for anything else that draws Vega-Lite."""
        rows = {n: f.astype(object).where(f.notna(), None).to_dict("records") for n, f in self.frames.by_name.items()}
        return {**self.spec(), "datasets": rows}
