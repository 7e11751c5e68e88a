"""The panel beside the law: which curve, which objective, which points; what is rarely changed lies under More."""

from __future__ import annotations

import streamlit as st

from pages.parts import data, frame, state
from pages.parts.cleaning import tuned_switch
from scaling_core.errors import UserError
from scaling_core.fitting import ALL, BEST, BY_COMPUTE, BY_SETTING, FINAL, LAST, MAX_WARM_UP, METHODS, OBJECTIVES
from scaling_core.laws import LAWS, get_law
from scaling_core.runs import RunTable, measurable
from scaling_core.runs.seeds import repeats

_CUSTOM, _RATIO = "custom:", "ratio:"
_FIRST_FORMULA = f"{_CUSTOM}E + A/N**alpha + B/D**beta"
_FIRST_RATIO = f"{_RATIO}tokens/params"
_DELTAS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
_VIEWS = {
    "flops": "Against C",
    "tokens": "Against D",
    "params": "Against N",
    "isoflop": "IsoFLOP",
    "contours": "Contours",
}
_WEIGHTS = {"": "All alike", BY_COMPUTE: "By √C", "flops": "By C", BY_SETTING: "Seeds of one setting count as one"}
_ROWS = {FINAL: "Its last", BEST: "That of its lowest loss", ALL: "All of them"}
_LAST_ROWS = [f"{LAST}{k}" for k in (3, 5, 10)]


def panel(runs: RunTable) -> bool:
    """Draw the controls; return whether a formula was typed that cannot be read."""
    refused = _law(runs)
    st.selectbox(
        "Objective", list(OBJECTIVES), format_func=lambda n: OBJECTIVES[n].title, key="objective",
        help="What the fit makes small. Huber's loss pays little heed to outliers; squared errors chase them.",
    )  # fmt: skip
    if OBJECTIVES[state.get("objective")].has_delta:
        st.select_slider(
            "Huber threshold δ", sorted({*_DELTAS, state.get("delta")}), format_func="{:g}".format, key="delta",
            help="Residuals beyond δ count by their size, not by its square. Smaller is nearer to absolute error.",
        )  # fmt: skip
    st.slider(
        "Leave out the highest losses", 0, state.MAX_DROP, key="drop",
        help="How many of the runs with the highest loss are not fitted. If the law moves much, it hangs on them.",
    )  # fmt: skip
    with st.popover("More", icon=":material/tune:", width="stretch"):
        _more(runs)
    return refused


def views(predictors: tuple[str, ...]) -> None:
    """Choose what the main chart shows of a law in N and D."""
    if {"params", "tokens"} <= set(predictors):
        st.segmented_control(
            "Chart", list(_VIEWS), key="view", required=True, format_func=_VIEWS.get, label_visibility="collapsed"
        )


def applicable(runs: RunTable) -> list[str]:
    """Laws whose predictors these runs have."""
    known = {c for c in runs.frame.columns if runs.frame[c].notna().any()}
    return [name for name, law in LAWS.items() if set(law.predictors) <= known]


def has_seeds(runs: RunTable) -> bool:
    """Whether any setting was trained more than once."""
    return bool((repeats(runs.frame[runs.frame["is_final"]]) > 1).any())


def _law(runs: RunTable) -> bool:
    now = state.get("law")
    made = [now if now.startswith(_CUSTOM) else _FIRST_FORMULA, now if now.startswith(_RATIO) else _FIRST_RATIO]
    fixed = applicable(runs)
    other = [now] if now in LAWS and now not in fixed else []
    st.selectbox(
        "Law", [state.AUTO, *fixed, *other, *made], format_func=law_title, key="law", help="Which curve to fit."
    )
    if now == state.AUTO and (found := data.recommendation()):
        st.caption(f"{LAWS[found.law].title}. {found.reason}")
    if now.startswith(_RATIO):
        _ratio(runs, now)
    return now.startswith(_CUSTOM) and _formula(now)


def _ratio(runs: RunTable, now: str) -> None:
    """Choose the two columns whose ratio the law reads."""
    numbers = runs.frame.select_dtypes("number").columns
    columns = [c for c in numbers if c not in ("loss", "line") and runs.frame[c].notna().any()]
    over, under = get_law(now).predictors
    left, right = st.columns(2)
    for slot, label, key, value in ((left, "Column", "ratio_over", over), (right, "over", "ratio_under", under)):
        st.session_state[key] = value
        slot.selectbox(label, sorted({*columns, value}), key=key, on_change=_take_ratio)


def _take_ratio() -> None:
    over, under = st.session_state["ratio_over"], st.session_state["ratio_under"]
    if over != under:
        state.put(law=get_law(f"{_RATIO}[{over}]/[{under}]").name)


def _formula(now: str) -> bool:
    """Type a formula; return whether the one typed was refused, which is said here."""
    shown = st.session_state.pop("_refused_formula", now.removeprefix(_CUSTOM))
    st.session_state["formula"] = shown
    st.text_input(
        "Formula", key="formula", on_change=_take_formula,
        help="N, D, C, U and M = D/N are the runs' own, and so is any column by its name; every other name is a "
        "parameter to fit. + − * / ** exp log sqrt are understood.",
    )  # fmt: skip
    if refused := st.session_state.pop("_formula_error", None):
        frame.show_error(refused)
    return refused is not None


def _take_formula() -> None:
    text = st.session_state["formula"].strip()
    try:
        get_law(f"{_CUSTOM}{text}")
    except UserError as error:  # what was typed stays there to be mended; the law stays what it was
        st.session_state["_refused_formula"], st.session_state["_formula_error"] = text, error
        return
    state.put(law=f"{_CUSTOM}{text}")


def law_title(name: str) -> str:
    """Name a law for a menu."""
    if name == state.AUTO:
        return "Recommended"
    if name.startswith(_CUSTOM):
        return "Your own formula"
    if name.startswith(_RATIO):
        return "Power law of a ratio"
    return LAWS[name].title if name in LAWS else name


def _more(runs: RunTable) -> None:
    metrics = measurable(data.loss_table().frame)
    if state.get("metric") not in metrics:
        metrics.append(state.get("metric"))
    st.selectbox(
        "What is fitted", metrics, key="metric",
        help="The loss, or another column of numbers. A metric where higher is better is fitted as its distance from "
        "the best value.",
    )  # fmt: skip
    if (~runs.frame["is_final"]).any():
        now = [state.get("points")] if state.get("points") not in (*_ROWS, *_LAST_ROWS) else []
        st.selectbox(
            "Rows of a run", [FINAL, BEST, *_LAST_ROWS, *now, ALL], key="points",
            format_func=lambda p: _ROWS.get(p) or f"Its last {p.removeprefix(LAST)}",
            help="A law of ends of runs is fitted to ends: on the way the learning rate has not come down. "
            "The lowest loss of a run is chosen by its luck, and so lies a little low.",
        )  # fmt: skip
        if state.get("points") != FINAL:
            st.slider(
                "Warm-up left out", 0, int(100 * MAX_WARM_UP), step=5, format="%d%%", key="warm",
                help="Rows before this share of their run's steps are not fitted. The end of a run always is.",
            )  # fmt: skip
    tuned_switch(runs)
    fixed = [w for w in _WEIGHTS if w != BY_SETTING or state.get("weights") == w or has_seeds(runs)]
    own = [c for c in metrics if c not in ("loss", *_WEIGHTS)]
    now = [state.get("weights")] if state.get("weights") not in (*_WEIGHTS, *own) else []
    st.selectbox(
        "Weight of a run", [*fixed, *own, *now], key="weights", format_func=lambda n: _WEIGHTS.get(n, f"By {n}"),
        help="Runs of more weight pull the law more: larger ones, or those that a column of the file says are surer. "
        "Seeds of one setting count each, unless you let them count as one.",
    )  # fmt: skip
    st.selectbox(
        "Intervals from", list(METHODS), key="method", format_func=lambda n: METHODS[n].title,
        help="\n\n".join(f"**{m.title}**: {m.about}" for m in METHODS.values()),
    )  # fmt: skip
    st.text_input(
        "Limits on parameters", key="limits", placeholder="alpha=0.34; beta=0.2:0.5",
        help="A value fixes a parameter; two values joined by a colon bound it.",
    )  # fmt: skip
