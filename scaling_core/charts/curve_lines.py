"""What the curves chart draws: lines of runs, smoothed and thinned for the eye, and their mean by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_core.charts.axes import Groups, group_by
from scaling_core.charts.curve_names import line_names, lines_of, named_alike
from scaling_core.charts.palette import Palette
from scaling_core.charts.thinning import Codes, bin_width, line_bounds, on_axis, points_kept
from scaling_core.laws import Array
from scaling_core.runs.schema import ORIGIN_COLUMNS, RunTable

#: Columns that curves may run along, as far as they are known.
ALONG = ("step", "tokens", "flops", "seconds")
#: Points of one line, and of all together, that reach the browser: few enough for hundreds of lines to stay quick.
MOST_OF_A_LINE, MOST_TOGETHER = 2_000, 24_000
#: Lines that are drawn at once: with more, none would keep its shape.
MOST_LINES = 750
#: Places on the axis at which all runs are read for the cursor, and for the mean of a group; about.
_READINGS = 160
#: Marks the column that holds smoothed values.
SMOOTH = "__smooth"


@dataclass(frozen=True)
class CurveView:
    """What is drawn of the curves.

    Attributes
    ----------
    x, y : str
        Columns of the curves.
    log_x, log_y : bool
    smooth : float
        Weight of what came before in the moving average, from 0 (none) to below 1. Only the picture is smoothed.
    color : str
        Column of the runs by which lines are coloured.
    grouped : bool
        Whether lines of one colour become their mean, with the band from the lowest to the highest.
    span : tuple of float, optional
        The part of the axis that is looked at.
    unit : str
        What the runs learn from: "token", or "example".
    """

    x: str = "step"
    y: str = "loss"
    log_x: bool = True
    log_y: bool = True
    smooth: float = 0.0
    color: str = "params"
    grouped: bool = False
    span: tuple[float, float] | None = None
    unit: str = "token"


@dataclass(frozen=True)
class CurveLines:
    """Lines to draw.

    Attributes
    ----------
    lines : frame with ``run``, ``x``, ``y``, ``__smooth`` and ``group``
        The points that are drawn, ``run`` the name of the line; rows of one line in order, those of the last group
        first, so that it is drawn beneath.
    means : frame with ``group``, ``x``, ``mean``, ``low``, ``high``, ``runs``
        Of each group at common places on the axis; empty unless asked for.
    readings : frame with ``run``, ``group``, ``x``, ``y``
        Every line read at common places on the axis, as far as it reaches.
    groups : Groups
        Colours; its labels are those of ``lines``.
    points, runs, left_out : int
        How many points and runs there are in view, and how many runs are not drawn.
    """

    lines: pd.DataFrame
    means: pd.DataFrame
    readings: pd.DataFrame
    groups: Groups
    points: int
    runs: int
    left_out: int


def along(curves: pd.DataFrame) -> list[str]:
    """Return what these curves can run along."""
    return [c for c in ALONG if c in curves and (curves[c] > 0).any()]


def measured(curves: pd.DataFrame) -> list[str]:
    """Return the columns that these curves can show, the loss first where it is known."""
    numeric = curves.select_dtypes("number").columns
    return [str(c) for c in numeric if c not in ALONG and curves[c].notna().any()]


def run_settings(table: RunTable) -> pd.DataFrame:
    """Return a row a line with its name as ``run``, and what does not change along it, as far as runs differ in it."""
    ends = table.frame.drop_duplicates(["run", "file"])
    changing = {*table.curves.columns, *ORIGIN_COLUMNS, "proxy_loss"} - {"run", "file"}
    kept = ends[[c for c in ends if c not in changing and (c in ("run", "params") or ends[c].nunique() > 1)]]
    return kept.assign(run=named_alike(ends, table.curves))


def curve_lines(curves: pd.DataFrame, by_run: pd.DataFrame, view: CurveView, palette: Palette) -> CurveLines:
    """Prepare the lines of a view.

    Parameters
    ----------
    curves : frame with ``run``, ``view.x`` and ``view.y``, and ``file`` where there are several
        A row a logged step, as in ``RunTable.curves``.
    by_run : frame with ``run`` and ``view.color``
        A row a line, by its name, for colours; lines that it lacks are “unknown”.
    view : CurveView
    palette : Palette
    """
    rows, codes, names = _drawable(curves, view)
    chosen = np.unique(np.linspace(0, len(names) - 1, min(len(names), MOST_LINES)).round().astype(int))
    if len(chosen) < len(names):
        mine = np.isin(codes, chosen)
        rows, codes = rows[mine], codes[mine]
    groups = _groups(names, by_run, view.color, palette)
    smooth = smoothed(codes, rows["y"].to_numpy(), view.smooth)
    rows = rows.assign(**{SMOOTH: smooth})
    if view.span is not None:
        inside = rows["x"].between(*view.span).to_numpy()
        rows, codes = rows[inside], codes[inside]
    runs = len(line_bounds(codes))
    readings = _readings(rows, codes, groups, names, view)
    most = max(16, min(MOST_OF_A_LINE, MOST_TOGETHER // max(1, runs) // (2 if view.smooth else 1)))
    position = on_axis(rows["x"].to_numpy(), log=view.log_x)
    kept = np.flatnonzero(points_kept(codes, position, rows["y"].to_numpy(), most))
    kept = kept[_last_group_first(groups, codes[kept])]
    lines = pd.DataFrame({"run": names[codes[kept]]}).join(rows.iloc[kept].reset_index(drop=True))
    labels = pd.Series(groups.labels.to_numpy()[codes[kept]], dtype=object)
    return CurveLines(
        lines=lines.assign(group=labels),
        means=_means(readings) if view.grouped else _means(readings.iloc[:0]),
        readings=readings,
        groups=Groups(labels, groups.order, groups.colours),
        points=len(rows),
        runs=runs,
        left_out=len(names) - len(chosen),
    )


def _last_group_first(groups: Groups, codes: Codes) -> Codes:
    """Return the order of points in which groups come from the last to the first, and lines stay whole."""
    place = {label: i for i, label in enumerate(groups.order)}
    of_line = np.array([-place.get(label, 0) for label in groups.labels])
    return np.argsort(of_line[codes], kind="stable") if len(codes) else codes


def smoothed(codes: Codes, y: Array, weight: float) -> Array:
    """Return the moving average of each line, its start unbiased as in Adam (Kingma & Ba 2015, section 3).

    ``codes`` has the lines one after the other; ``weight`` is that of what came before.
    """
    if not weight:
        return y
    from scipy.signal import lfilter  # over a second of the first visit, and few look at smoothed curves

    out = np.empty(len(y))
    for start, end in line_bounds(codes):
        summed = lfilter([1 - weight], [1, -weight], y[start:end])
        out[start:end] = summed / (1 - weight ** np.arange(1, end - start + 1))
    return out


def _drawable(curves: pd.DataFrame, view: CurveView) -> tuple[pd.DataFrame, Codes, Array]:
    """Return points that the axes can show, line by line and in order, with the line of each and the lines' names."""
    x, y = (curves[c].to_numpy(dtype=float, na_value=np.nan) for c in (view.x, view.y))
    shown = np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not view.log_x)) & ((y > 0) | (not view.log_y))
    codes, pairs = lines_of(curves)
    x, y, codes = x[shown], y[shown], codes[shown]
    in_order = (codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & (x[1:] >= x[:-1]))
    if not in_order.all():
        order = np.lexsort((x, codes))
        x, y, codes = x[order], y[order], codes[order]
    return pd.DataFrame({"x": x, "y": y}), codes, np.array(line_names(pairs), dtype=object)


def _groups(names: Array, by_run: pd.DataFrame, color: str, palette: Palette) -> Groups:
    """Return the colour of each run, its labels in the order of ``names``."""
    if color == "run" or color not in by_run:
        return group_by(pd.DataFrame({"run": names}), "run", palette)
    values = by_run.drop_duplicates("run").set_index("run")[color].reindex(names)
    return group_by(values.reset_index(), color, palette)


def _readings(rows: pd.DataFrame, codes: Codes, groups: Groups, names: Array, view: CurveView) -> pd.DataFrame:
    """Read every line at the same places of the axis, in between its points by a straight line as drawn."""
    position = on_axis(rows["x"].to_numpy(), log=view.log_x)
    width = bin_width(position, _READINGS)
    parts: list[tuple[int, Array, Array]] = []
    values = rows[SMOOTH].to_numpy()
    for start, end in line_bounds(codes):
        first, last = np.ceil(position[start] / width), np.floor(position[end - 1] / width)
        places = width * np.arange(first, last + 1)
        line = np.interp(places, position[start:end], values[start:end])
        parts.append((int(codes[start]), places, line))
    run = np.repeat([c for c, _, _ in parts], [len(p) for _, p, _ in parts]).astype(int)
    places = np.concatenate([p for _, p, _ in parts]) if parts else np.zeros(0)
    return pd.DataFrame({
        "run": names[run], "group": groups.labels.to_numpy()[run],
        "x": 2.0**places if view.log_x else places,
        "y": np.concatenate([y for _, _, y in parts]) if parts else np.zeros(0),
    })  # fmt: skip


def _means(readings: pd.DataFrame) -> pd.DataFrame:
    """Mean, lowest and highest of each group at each place, over the runs that reach it."""
    by = readings.groupby(["group", "x"], sort=True)["y"]
    return by.agg(mean="mean", low="min", high="max", runs="size").reset_index()
