"""Short ways to look into what a page shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from scaling_core.runs import samples

SAMPLES = [s.name for s in samples()]
#: What a link says when nothing was chosen: the runs, and no more.
DEFAULTS = {"runs": SAMPLES[0]}
WITHOUT_LOSS = ["chinchilla_frontier", "gpt3"]
QUESTIONS = {
    "runs": "What do I have",
    "law": "What curve do these runs follow",
    "plan": "What should we train with this budget",
}


def url(at: AppTest) -> dict[str, str]:
    """The parameters in the address, one value each."""
    return {k: v[0] if isinstance(v, list) else v for k, v in at.query_params.items()}


def go(at: AppTest, name: str) -> AppTest:
    """Open another page in the same session, as its menu does: without parameters in the address."""
    at.query_params.clear()
    return at.switch_page(f"pages/views/{name}.py").run()


def calm(at: AppTest) -> AppTest:
    """Assert that nothing failed."""
    assert not at.exception, [e.message for e in at.exception]
    assert not at.error, [e.value for e in at.error]
    return at


def words(elements: Any) -> str:
    """What a person reads in these elements, without the backslashes that keep it from being Markdown."""
    return "\n".join(str(e.value) for e in elements).replace("\\", "")


def spec(at: AppTest, index: int = 0) -> dict[str, Any]:
    """The chart's Vega-Lite."""
    return json.loads(at.get("vega_lite_chart")[index].proto.spec)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a specification."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def marks(chart: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Layers of the chart that draw this kind of mark."""
    return [n for n in nodes(chart) if isinstance(n.get("mark"), dict) and n["mark"]["type"] == kind]


def rows(at: AppTest, column: str, index: int = 0) -> pd.DataFrame:
    """The data behind a chart: the first of its tables that has this column."""
    for dataset in at.get("vega_lite_chart")[index].proto.datasets:
        frame = convert_arrow_bytes_to_pandas_df(dataset.data.data)
        if column in frame:
            return frame
    raise AssertionError(f"no data with {column}")
