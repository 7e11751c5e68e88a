"""What every layer of a chart of runs shares: its axes, colours and frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import altair as alt

from scaling_core.charts.axes import View, x_channel, y_channel
from scaling_core.charts.figure import Frames
from scaling_core.charts.palette import Palette


@dataclass(frozen=True)
class Canvas:
    """A pair of axes to put layers on."""

    view: View
    x_domain: tuple[float, float]
    y_domain: tuple[float, float]
    palette: Palette
    frames: Frames = field(default_factory=Frames)

    def x(self, name: str | None = None) -> alt.X:
        """Horizontal channel of a column, by default the view's."""
        title = self.view.x_title or None
        return x_channel(name or self.view.x, log=self.view.log_x, domain=self.x_domain, title=title)

    def y(self, name: str | None = None, title: str | None = None) -> alt.Y:
        """Vertical channel of a column, by default the view's."""
        title = title or self.view.y_title or None
        return y_channel(name or self.view.y, log=self.view.log_y, domain=self.y_domain, title=title)
