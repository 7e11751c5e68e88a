"""Frames to draw, and ways to look into a finished figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields as dataclass_fields
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from made_runs import chinchilla_runs, fitted, noise, table

from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.fitting import FitResult

Spec = dict[str, Any]


@cache
def grid_fit() -> FitResult:
    """A Chinchilla law on a grid, with a bootstrap."""
    return fitted(chinchilla_runs(0.01), objective="mse-log", resamples=40)


@cache
def line_fit() -> FitResult:
    """A power law in N with offset, with a bootstrap."""
    x = np.geomspace(1e7, 1e10, 12)
    return fitted(table(x, 7e9, (2 + 40 * x**-0.2) * noise(12, 0.01)), "power-n-offset", "mse-log", 40)


def some_runs(n: int, **columns: Any) -> pd.DataFrame:
    """Runs with a role, as a page has them before any law."""
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(np.log(1e7), np.log(1e10), n)), np.exp(rng.uniform(np.log(1e9), np.log(1e12), n))
    return table(N, D, rng.uniform(2, 4, n)).frame.assign(role="fitted", **columns)


def checked(figure: Figure, schema: bool = True) -> Spec:
    """The specification, checked against Vega-Lite's schema (slow), and its data against what is drawn of it."""
    spec = figure.spec()
    if schema:
        assert figure.spec(validate=True) == spec
    for part, name in parts(spec):
        frame = figure.frames.by_name[name]
        assert fields(part.get("encoding", {})) <= set(frame.columns), (name, part)
    json.dumps(figure.to_json_spec(), allow_nan=False)
    return spec


def parts(spec: Spec, data: str | None = None) -> Iterator[tuple[Spec, str]]:
    """Every mark of a specification with the name of its data."""
    data = spec.get("data", {}).get("name", data)
    if "mark" in spec:
        assert data is not None
        yield spec, data
    for inner in (*spec.get("layer", ()), *spec.get("vconcat", ())):
        yield from parts(inner, data)


def marks(spec: Spec, kind: str) -> list[Spec]:
    return [part for part, _ in parts(spec) if part["mark"]["type"] == kind]


def fields(encoding: Any) -> set[str]:
    """Columns that an encoding reads, in conditions too."""
    if isinstance(encoding, list):
        return set().union(*map(fields, encoding))
    if not isinstance(encoding, dict):
        return set()
    own = {encoding["field"]} if isinstance(encoding.get("field"), str) else set()
    return own.union(*map(fields, encoding.values()))


def strings(value: Any) -> Iterator[tuple[str, str]]:
    """Every string of a specification with the key it stands under; not the data."""
    inner = value.items() if isinstance(value, dict) else (("", v) for v in value) if isinstance(value, list) else ()
    for key, each in inner:
        if isinstance(each, str):
            yield key, each
        elif key != "datasets":
            yield from strings(each)


def valid_and_differ_by_colour_only(light: Figure, dark: Figure) -> None:
    """A chart made for light ground and the same for dark."""
    spec, other_spec = checked(light), dark.spec()
    assert other_spec.keys() == spec.keys()
    of_light, of_dark = colours(LIGHT), colours(DARK)
    for (key, value), (other_key, other) in zip(strings(spec), strings(other_spec), strict=True):
        assert key == other_key
        if value != other and not value.startswith("view_"):  # Altair names views by a hash of what they hold
            assert mentioned(value, of_light), value
            assert mentioned(other, of_dark), other
    assert not any(mentioned(value, of_light - of_dark) for _, value in strings(other_spec))


def colours(palette: Palette) -> set[str]:
    values = [getattr(palette, field.name) for field in dataclass_fields(palette)]
    return {c for v in values for c in ((v,) if isinstance(v, str) else v)}


def mentioned(text: str, palette: set[str]) -> bool:
    return any(colour in text for colour in palette)
