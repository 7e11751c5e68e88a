"""A fit taken away as text or file, kept under a name, and compared with kept ones."""

from __future__ import annotations

import json
import math

import pandas as pd
import streamlit as st

from pages.parts import analyses, data, frame, keeping
from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.fitting.judged import JudgedFit
from scaling_core.planning import Scenario, basis_of_fit, plan
from scaling_core.report import as_latex, as_python
from scaling_core.units import format_count, format_flops, format_number

KIND = "fit"
_THIS = "This fit"
_FORMATS = {
    "Python": ("python", lambda fit: as_python(fit, analyses.verdict())),
    "LaTeX": ("latex", as_latex),
}


def draw(fit: FitResult) -> None:
    """Copy, save, compare."""
    value = analyses.judged().to_json()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        frame.json_download("Fit as JSON", value, f"{fit.law.name.split(':')[0]}.json", "fit_json")
        st.page_link("pages/views/plan.py", label="Plan with this law", icon=":material/explore:")
    shown = st.segmented_control("Copy as", [*_FORMATS, "JSON"], key="copy_as", default="Python", required=True)
    if shown == "JSON":
        short = {**value, "bootstrap": {"method": fit.method, "seed": fit.seed, "draws": "in the file"}}
        st.code(json.dumps(short, indent=2), language="json", height=320)
    else:
        language, write = _FORMATS[shown]
        st.code(write(fit), language=language, height=320)
    keeping.form(KIND, "fit", "Keep this fit under a name", "before the data fix", value, _THIS, "compare_with")
    _compare()


def _compare() -> None:
    """This fit and kept ones, side by side."""
    kept = {record.name: record for record in data.records().all(KIND)}
    if not kept:
        st.caption("Fits that are kept here can be compared side by side, and planned with.")
        return
    frame.keep_options("compare_with", kept)
    chosen = st.multiselect("Compare with", list(kept), default=list(kept)[:3], key="compare_with")
    fits = {_THIS: analyses.judged()}
    for name in chosen:
        try:
            fits[name] = JudgedFit.from_json(kept[name].data)
        except UserError as error:
            frame.show_error(error)
    st.dataframe(_side_by_side(fits))
    forget = st.selectbox("Forget", [None, *kept], format_func=lambda n: n or "none", key="forget_fit")
    if forget and st.button("Forget it", icon=":material/delete:", key="forget_button"):
        data.records().delete(KIND, forget)
        st.rerun()


def _side_by_side(fits: dict[str, JudgedFit]) -> pd.DataFrame:
    target = analyses.target_flops(fits[_THIS].fit)
    columns = {}
    for name, judged in fits.items():
        fit = judged.fit
        intervals = fit.intervals()
        column = {
            "law": fit.law.title, "objective": fit.objective, "points": str(fit.n_points), "value": f"{fit.value:.6g}",
            "solve": fit.certificate.grade,
            "fit": judged.verdict.grade if judged.findings is not None else "not looked at",
            "against it": " · ".join(judged.verdict.reasons),
        }  # fmt: skip
        for parameter, value in fit.parameters.items():
            pair = intervals.get(parameter)
            between = f" ({format_number(pair[0])} to {format_number(pair[1])})" if pair else ""
            column[parameter] = f"{format_number(value, 5)}{between}"
        columns[name] = {**column, **_planned(fit, target)}
    return pd.DataFrame(columns).fillna("")


def _planned(fit: FitResult, flops: float) -> dict[str, str]:
    try:
        answer = plan(basis_of_fit(fit), Scenario(flops))
    except UserError:
        return {}
    if not math.isfinite(answer.params):
        return {}
    return {
        f"N at {format_flops(flops)} FLOPs": format_count(answer.params),
        "tokens per parameter": format_number(answer.tokens_per_param),
        "loss there": format_number(answer.loss, 4),
    }
