"""What explains a law, below its chart: one section at a time, worked out when it is opened."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import streamlit as st

from pages.parts import analyses, frame, law_saved, state
from scaling_core.charts.approaches import approaches_chart
from scaling_core.charts.axes import column_title
from scaling_core.charts.backtest import backtest_chart
from scaling_core.charts.corner import corner_chart
from scaling_core.charts.influence import drop_path_chart, influence_chart
from scaling_core.charts.isoflop import isoflop_chart
from scaling_core.charts.law import residual_chart
from scaling_core.charts.profile import profile_chart
from scaling_core.charts.ranking import ranking_chart, ranking_rows
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL, OBJECTIVES, FitResult
from scaling_core.fitting.bands import allocation_exponents
from scaling_core.fitting.corner import corner
from scaling_core.fitting.curves import chain_curves, family
from scaling_core.fitting.isoflop import IsoflopProfiles
from scaling_core.runs import RunTable
from scaling_core.units import format_count, format_flops, format_number

Section = Callable[[RunTable, FitResult], None]


def draw(runs: RunTable, fit: FitResult) -> None:
    """One section at a time; the link keeps which."""
    st.segmented_control(
        "Look closer", list(state.LAW_SECTIONS), key="section", required=True, format_func=lambda n: _DRAW[n][0]
    )
    _, section = _DRAW[state.get("section")]
    with frame.worded_errors():
        section(runs, fit)


def backtest(runs: RunTable, fit: FitResult) -> None:
    """What would have been foretold with the runs up to each cut."""
    st.markdown(
        "**How well would it have predicted the larger runs?** Move the cut: runs to its right were not fitted."
    )
    chain = analyses.chain()
    low, high = fit.ranges["flops"]
    frame.chart(
        backtest_chart(
            chain,
            fit.points,
            chain_curves(fit.law, chain, low / 2, high * 2),
            frame.palette(),
            y_title=frame.fitted_title(fit),
        ),
        key="backtest_chart",
        stacked=True,
        alt_text="The law as it would have been fitted below each cut in compute, and how far it was off above it",
        rows=chain,
    )
    if fit.points["params"].notna().any():
        frame.folded("sizes", "Without each size in turn", ":material/straighten:", lambda: _each_size(fit))


def _each_size(fit: FitResult) -> None:
    """How well the runs of each size are foretold by those of the others."""
    rows = analyses.without_each_size()
    st.caption(
        "The law is fitted without the runs of one size, and judged on those. A size between others tests whether the "
        "law bends as the runs do; the smallest and the largest test how it goes on. Above zero, the runs came out "
        f"worse than foretold ({frame.plain(fit.metric.cost_title)})."
    )
    st.dataframe(_size_table(rows), hide_index=True)


def _size_table(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({
        "N held out": [format_count(n) for n in rows["params"]],
        "runs": rows["n_test"],
        "off by, mean": [f"{100 * v:.2g}%" for v in rows["error"]],
        "too high or low, mean": [f"{100 * v:+.2g}%".replace("-", "−") for v in rows["bias"]],
        "stands": ["between others" if inside else "at an end" for inside in rows["inside"]],
        "solve": rows["grade"],
    })  # fmt: skip


def ranking(runs: RunTable, fit: FitResult) -> None:
    """Every law that these runs can carry, by how well it predicts what it was not shown."""
    cuts = _cuts(fit)
    before = st.session_state.get("rank_cut", cuts[len(cuts) * 4 // 5])
    st.session_state["rank_cut"] = min(cuts, key=lambda c: abs(math.log(c / before)))  # other points, other cuts
    cut = st.select_slider(
        "Hold out runs from this compute on", cuts, format_func=lambda c: f"{format_flops(c)} FLOPs", key="rank_cut"
    )
    found = analyses.comparisons(cut)
    fitted = ranking_rows(found)
    if len(fitted):
        frame.chart(
            ranking_chart(fitted, frame.palette()),
            key="ranking_chart",
            alt_text="Laws ranked by their error on the held-out runs, with the tokens per parameter each implies",
            rows=pd.DataFrame([_flat(c) for c in found]),
        )
    st.caption(
        "A law is judged by runs it was not shown, and by what it would make of a budget: laws that agree on loss may "
        "disagree on how to split compute."
        + (" Weights and limits of the fit on screen are left aside here." if fit.weights or fit.constraints else "")
    )
    left_out = [c for c in found if not c.fitted]
    if left_out:
        with st.expander(f"{len(left_out)} laws could not be fitted", icon=":material/block:"):
            for c in left_out:
                st.markdown(f"- {frame.plain(c.law.title)}: {frame.plain(c.reason)}")


def _cuts(fit: FitResult) -> list[float]:
    """Distinct budgets of the fitted runs where a cut leaves something on both sides."""
    flops = fit.points.loc[fit.points["role"] == "fitted", "flops"].dropna()
    if flops.nunique() < 4:
        raise UserError("Runs of fewer than four budgets cannot be ranked on.", fix="Add runs of other compute.")
    shares = [i / 12 for i in range(3, 12)]
    return sorted({float(f"{v:.3g}") for v in flops.quantile(shares)})


def _flat(comparison) -> dict:
    row = comparison.to_json()
    return {k: v for k, v in row.items() if not isinstance(v, dict | list)}


def residuals(runs: RunTable, fit: FitResult) -> None:
    """What the law leaves over, against anything that a person may suspect."""
    choices = [c for c in ("flops", "params", "tokens", "predicted") if fit.points[c].notna().any()]
    if state.get("residual_x") not in choices:
        state.put(residual_x=choices[0])
    st.segmented_control(
        "Residuals against", choices, key="residual_x", required=True,
        format_func={"flops": "C", "params": "N", "tokens": "D", "predicted": "law"}.get,
    )  # fmt: skip
    x = state.get("residual_x")
    columns = ["run", "params", "tokens", "flops", "loss", "predicted", "residual", "role"]
    frame.chart(
        residual_chart(fit.points, x, frame.palette()),
        key="residual_chart",
        alt_text=f"Relative residuals of the runs against {column_title(x)}",
        rows=fit.points[columns],
    )
    st.caption("A pattern here means that the law is missing something; noise around zero is what it should leave.")


def parameters(runs: RunTable, fit: FitResult) -> None:
    """The numbers, how sure they are, and how they move together."""
    intervals = fit.intervals()
    rows = [
        {
            "parameter": p.name,
            "value": format_number(fit.parameters[p.name], 6),
            f"{DEFAULT_LEVEL:.0%} interval": _between(intervals.get(p.name)),
            "meaning": p.meaning,
            "unit": p.unit,
        }
        for p in fit.law.parameters
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    certificate = fit.certificate
    st.caption(
        f"Objective {OBJECTIVES[fit.objective].title}: {fit.value:.8g}. Scaled gradient "
        f"{certificate.gradient_norm:.1e}; {certificate.starts_agreeing} of {certificate.starts} starts agree; "
        f"condition {certificate.condition:.3g}. Form: {frame.plain(fit.law.source)}."
    )
    for note in fit.notes:
        st.caption(f":material/info: {frame.plain(note)}")
    _exponents(fit)
    _profile(fit)
    if 2 <= len(fit.law.parameters) <= 7 and len(fit.draws):
        cloud = corner(fit)
        st.markdown("**How the parameters move together:** each dot is a draw that the runs might as well have given.")
        frame.chart(
            corner_chart(
                cloud.draws, cloud.pairs, fit.law.parameter_names, frame.palette(), estimate=fit.parameters,
            ),
            key="corner_chart",
            alt_text="Draws of each pair of parameters, with their correlations",
            rows=cloud.draws,
        )  # fmt: skip


def _exponents(fit: FitResult) -> None:
    """How the best split grows with compute, where the law has one."""
    try:
        found = allocation_exponents(fit)
    except UserError:
        return
    said = [
        f"{letter}* grows as C^{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if math.isfinite(low) else "")
        for letter, value, low, high in (
            ("N", *(float(v[0]) for v in found.params)),
            ("D", *(float(v[0]) for v in found.tokens)),
        )
        if math.isfinite(value)
    ]
    if said:
        st.markdown(frame.plain("; ".join(said)) + ".")


def _profile(fit: FitResult) -> None:
    """How far one parameter can be moved before the runs object."""
    fixed = {c.name for c in fit.constraints if c.is_fixed}
    names = [n for n in fit.law.parameter_names if n not in fixed]
    name = st.segmented_control("Profile of", names, key="profile_of", default=None)
    if name is None:
        st.caption("Choose a parameter to see how much worse the law fits where it is held at other values.")
        return
    found = analyses.profile_of(name)
    ends = (-math.inf if found.open_low else found.low, math.inf if found.open_high else found.high)
    rows = pd.DataFrame({"value": found.values, "rise": found.rise})
    frame.chart(
        profile_chart(rows, name, found.threshold, ends, frame.palette(), level=found.level, estimate=found.best),
        key="profile_chart",
        alt_text=f"How much worse the law fits where {name} is held at other values",
        rows=rows,
    )
    if found.flat:
        st.warning(f"The runs hardly tell {name}: quote the range and not the value.", icon=":material/warning:")


def _between(pair: tuple[float, float] | None) -> str:
    return f"{format_number(pair[0], 4)} to {format_number(pair[1], 4)}" if pair else "none"


def hangs_on(runs: RunTable, fit: FitResult) -> None:
    """Outliers, single runs and the objective: what the plan would be without each."""
    target = analyses.target_flops(fit)
    st.markdown("**Without the highest losses,** one after another. If this line is steep, a few runs decide the plan.")
    path = analyses.drop_path()
    frame.chart(
        drop_path_chart(
            path,
            frame.palette(),
            now=state.get("drop"),
            target_flops=target,
            loss_title=frame.fitted_title(fit) or "loss",
        ),
        key="drop_path_chart",
        alt_text="What the plan becomes as the highest losses are left out, one after another",
        rows=path,
    )
    st.markdown(
        "**The same law under other objectives**, and what each makes of "
        f"{format_flops(target)} FLOPs. Where they disagree, the objective decides, not the runs."
    )
    st.dataframe(_readable(analyses.sensitivity()), hide_index=True)
    moved, quantity = analyses.influence()
    st.markdown(f"**The runs that it hangs on most:** {quantity.lower()} without each of them.")
    frame.chart(
        influence_chart(moved, quantity, frame.palette()),
        key="influence_chart",
        alt_text=f"How far {quantity.lower()} would move without each of the most influential runs",
        rows=moved,
    )


def _readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers of a plan as people write them."""
    write = {"params": format_count, "tokens": format_count}
    out = rows.drop(columns=[c for c in ("n", "value") if c in rows])
    out["objective"] = [OBJECTIVES[name].title for name in out["objective"]]
    out["delta"] = ["" if pd.isna(v) else f"{v:g}" for v in out["delta"]]
    for column in out.columns.drop(["objective", "delta"]):
        out[column] = ["" if pd.isna(v) else write.get(column, lambda v: format_number(v, 4))(v) for v in out[column]]
    return out.rename(columns={"params": "N", "tokens": "D", "tokens_per_param": "D/N", "delta": "δ"})


def ways(runs: RunTable, fit: FitResult) -> None:
    """Hoffmann's three approaches side by side, and the isoFLOP profiles behind one of them."""
    rows = analyses.approaches()
    frame.chart(
        approaches_chart(rows, frame.palette(), DEFAULT_LEVEL),
        key="approaches_chart",
        alt_text="How fast the best size grows with compute, by three approaches",
        rows=rows,
    )
    profiles = _profiles()
    for row in rows.itertuples():
        if row.reason and not (profiles and row.approach == "isoflop"):  # profiles say theirs themselves, below
            st.caption(f":material/info: {frame.plain(f'{row.title}: {row.reason}')}")
    if profiles:
        _draw_profiles(fit, profiles)


def _profiles() -> IsoflopProfiles | None:
    """The isoFLOP profiles of the runs; none where they hold none, which the row of that approach says."""
    try:
        return analyses.isoflop()
    except UserError:
        return None


def _draw_profiles(fit: FitResult, profiles: IsoflopProfiles) -> None:
    for finding in profiles.findings:
        st.warning(f"{frame.plain(finding.text)} {frame.plain(finding.fix)}", icon=":material/warning:")
    law = None
    if {"params", "tokens"} == set(fit.law.predictors):
        law = family(fit, "params", fixed="flops", levels=profiles.profiles["flops"].to_numpy())
    frame.chart(
        isoflop_chart(
            profiles.points,
            profiles.curves,
            profiles.profiles,
            frame.palette(),
            law,
            y_title=frame.fitted_title(fit),
        ),
        key="isoflop_chart",
        alt_text="Loss against parameters at each budget, the curve through it, and the size of lowest loss",
        rows=profiles.profiles.drop(columns="flags").assign(flags=profiles.profiles["flags"].map(", ".join)),
    )
    dashed = "" if law is None else " Dashed: what the fitted law says at the same budgets."
    st.caption(
        "Solid curves: a parabola through the runs of each budget, named at its right. Diamonds: the best size by that "
        "parabola, with its interval, hollow where something speaks against it. The thick line joins those that the "
        f"power law goes through, from the smallest budget to the largest.{dashed}"
    )


def keep(runs: RunTable, fit: FitResult) -> None:
    """Take the fit away, keep it under a name, and see kept ones side by side."""
    law_saved.draw(fit)


_DRAW: dict[str, tuple[str, Section]] = {
    "backtest": ("Backtest", backtest),
    "laws": ("Laws ranked", ranking),
    "residuals": ("Residuals", residuals),
    "parameters": ("Parameters", parameters),
    "influence": ("What it hangs on", hangs_on),
    "approaches": ("Three approaches", ways),
    "keep": ("Copy and compare", keep),
}
