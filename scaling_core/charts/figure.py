"""A chart and the frames it draws, kept apart.

Altair copies and hashes what hangs on a chart many times while it is put together; with the data apart, and known to
the chart by name only, our main charts are built several times faster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd
from altair.utils.schemapi import SchemaBase

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
        if validate:
            spec: dict[str, Any] = self.chart.to_dict()
            spec.pop("config", None)  # Altair's default sizes; the theme of the page decides
        else:
            spec = {"$schema": alt.SCHEMA_URL, **_written(self.chart)}
        return {**spec, "datasets": dict(self.frames.by_name)}

    def to_json_spec(self) -> dict[str, Any]:
        """The same with the rows written out, for anything else that draws Vega-Lite."""
        rows = {n: f.astype(object).where(f.notna(), None).to_dict("records") for n, f in self.frames.by_name.items()}
        return {**self.spec(), "datasets": rows}


def _written(chart: Any, data: Any = alt.Undefined) -> dict[str, Any]:
    """Write a chart part by part: Altair would first build each chart of parts anew, with deep copies of them all.

    ``data`` is that of the chart around it, which a part without data of its own draws.
    """
    data = data if chart.data is alt.Undefined else chart.data
    context = {"top_level": False} | ({} if data is alt.Undefined else {"data": data})
    inner = [n for n in ("vconcat", "hconcat", "layer") if getattr(chart, n, alt.Undefined) is not alt.Undefined]
    if not inner:
        return dict(chart.to_dict(validate=False, context=context))
    own = SchemaBase.to_dict(chart, validate=False, ignore=inner, context=context)
    return {**own, **{name: [_written(part, data) for part in chart[name]] for name in inner}}
