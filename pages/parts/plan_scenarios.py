"""Next experiments, and scenarios kept under a name and compared."""

from __future__ import annotations

import json
import math

import pandas as pd
import streamlit as st

from pages.parts import data, frame, keeping, state
from scaling_core.charts.scenarios import scenarios_chart
from scaling_core.errors import UserError
from scaling_core.planning import Basis, Budget, Plan, Scenario, plan
from scaling_core.planning.experiments import Experiments, next_experiments
from scaling_core.planning.figures import duration, money
from scaling_core.runs import safe_csv
from scaling_core.units import format_count, format_flops, format_number

KIND = "scenario"
_THIS = "This one"
#: What the first suggestion may cost beside the target.
_SHARE = 0.01


def experiments(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Which small runs would shrink the interval at the target most."""
    if state.get("basis") != state.OWN_FIT:
        st.info("Experiments are chosen for the law fitted to these runs: plan with it.", icon=":material/info:")
        return
    left, right = st.columns([1, 1])
    spend = left.text_input(
        "To spend on experiments", key="experiment_budget", placeholder=f"{format_flops(_SHARE * answer.flops)} FLOPs",
        help="FLOPs, dollars or hours: 1e20, $500, 200 GPU-hours.",
    )  # fmt: skip
    quantity = right.segmented_control(
        "To know better", ["loss", "params"], required=True, key="experiment_aim",
        format_func={"loss": "The loss there", "params": "The best size there"}.get,
    )  # fmt: skip
    budget = float(Budget.parse(spend).flops(scenario.terms)) if spend and scenario.terms else _SHARE * answer.flops
    found = next_experiments(data.current_fit(), answer.flops, budget, quantity=quantity)
    _say_what_they_narrow(found)
    with st.expander(f"The {len(found.runs)} runs", expanded=found.is_worth_it, icon=":material/science:"):
        _list(found)
    for note in found.notes:
        st.caption(f":material/info: {frame.plain(note)}")


def _say_what_they_narrow(found: Experiments) -> None:
    """First whether they are worth it, then from what to what."""
    write = (lambda v: format_number(v, 4)) if found.quantity == "loss" else format_count
    count = len(found.runs)
    many = "The one run" if count == 1 else f"All {count} runs together"
    where = f"the interval at {format_flops(found.target_flops)} FLOPs"
    change = (
        f"from **{write(found.before[0])}–{write(found.before[1])}** to about "
        f"**{write(found.after[0])}–{write(found.after[1])}**"
    )
    percent = f"{format_number(100 * found.narrowed, 2)}%"
    if found.is_worth_it:
        st.markdown(f"{many}, for {format_flops(found.spent)} FLOPs, would narrow {where} by {percent}, {change}.")
        return
    st.info(
        f"**No experiment is worth it.** None of these would narrow {where} by more than {percent}, even all of them "
        f"for {format_flops(found.spent)} FLOPs: {change}. Spend more, or know better by other means.",
        icon=":material/do_not_disturb_on:",
    )


def _list(found: Experiments) -> None:
    """The runs as a table whose reasons can be read to the end, and as a file."""
    rows = found.runs
    shown = pd.DataFrame({
        "run": rows["run"],
        "parameters": rows["params"].map(format_count),
        "tokens": rows["tokens"].map(format_count),
        "FLOPs": rows["flops"].map(format_flops),
        "of the budget": rows["share"].map(lambda v: f"{100 * v:.2g}%" if v < 0.995 else "100%"),
        "loss to expect": rows["expected_loss"].map(lambda v: format_number(v, 4)),
        "why": rows["why"],
    })  # fmt: skip
    st.table(shown.set_index("run"))
    st.download_button(
        "Download as CSV", found.to_csv, "next_experiments.csv", "text/csv",
        on_click="ignore", key="csv_next_experiments", icon=":material/download:",
    )  # fmt: skip


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Keep this scenario, see kept ones side by side, take them in and out."""
    keeping.form(
        KIND, "scenario", "Keep this scenario under a name", "next quarter", {"scenario": scenario.to_json()}, _THIS,
        "compare_scenarios",
    )  # fmt: skip
    records = data.records()
    kept = {record.name: record for record in records.all(KIND)}
    frame.keep_options("compare_scenarios", kept)
    chosen = st.multiselect("Compare with", list(kept), default=list(kept)[:6], key="compare_scenarios")
    answers = {_THIS: (scenario, answer)}
    for name in chosen:
        try:
            other = Scenario.from_json(kept[name].data["scenario"])
            answers[name] = (other, plan(basis, other))
        except (UserError, KeyError, TypeError) as error:
            frame.show_error(
                error if isinstance(error, UserError) else UserError(f"{name} cannot be read.", fix="Forget it.")
            )
    st.dataframe(_table(answers))
    if len(answers) > 1:
        rows = _rows(answers)
        frame.chart(
            scenarios_chart(rows, frame.palette(), basis.metric),
            key="scenarios_chart",
            alt_text=f"{basis.metric.title} against cost of the kept scenarios",
            rows=rows,
        )
    st.caption("All are answered by the law chosen above.")
    with st.container(horizontal=True):
        frame.json_download("Scenarios as JSON", {n: s.to_json() for n, (s, _) in answers.items()}, "scenarios.json",
                            "scenarios_json")  # fmt: skip
        st.download_button(
            "As CSV", lambda: safe_csv(_rows(answers)), "scenarios.csv", "text/csv",
            on_click="ignore", key="scenarios_csv", icon=":material/download:",
        )  # fmt: skip
    _take_in()
    forget = st.selectbox("Forget", [None, *kept], format_func=lambda n: n or "none", key="forget_scenario")
    if forget and st.button("Forget it", icon=":material/delete:", key="forget_scenario_button"):
        records.delete(KIND, forget)
        st.rerun()


def _take_in() -> None:
    """Scenarios from a file that was taken out here or elsewhere."""
    file = st.file_uploader("Scenarios from a JSON file", ["json"], key="scenario_file")
    if file is None or not st.button("Take them in", icon=":material/upload:", key="take_scenarios"):
        return
    try:
        found = json.loads(file.getvalue())
        assert isinstance(found, dict)
    except (ValueError, AssertionError):
        frame.show_error(UserError("This is not a file of scenarios.", where=file.name, fix="Give one from here."))
        return
    for name, value in found.items():
        if name == _THIS:  # what was on screen when the file was taken out
            name = file.name.removesuffix(".json")
        try:
            Scenario.from_json(value)
            data.records().save(KIND, data.records().free_name(KIND, name), {"scenario": value})  # never over another
        except UserError as error:
            frame.show_error(error)
    st.rerun()


def _table(answers: dict[str, tuple[Scenario, Plan]]) -> pd.DataFrame:
    return pd.DataFrame({name: _column(scenario, answer) for name, (scenario, answer) in answers.items()})


def _column(scenario: Scenario, answer: Plan) -> dict[str, str]:
    endless = not math.isfinite(scenario.unique_tokens)
    terms = scenario.terms
    return {
        "training FLOPs": format_flops(answer.flops),
        "accelerator": f"{float(terms.n_gpus):,.0f} × {terms.hardware.name}, {100 * float(terms.mfu):.0f}%"
        if terms
        else "",
        "unique tokens": "endless" if endless else format_count(scenario.unique_tokens),
        "tokens to serve": format_count(scenario.demand.tokens) if scenario.demand.tokens else "none",
        "parameters": format_count(answer.params),
        "tokens": format_count(answer.tokens),
        "tokens per parameter": format_number(answer.tokens_per_param),
        "loss": format_number(answer.loss, 4),
        "cost": money(answer.cost_usd) if answer.cost_usd is not None else "",
        "time": duration(answer.days) if answer.days is not None else "",
    }


def _rows(answers: dict[str, tuple[Scenario, Plan]]) -> pd.DataFrame:
    nothing = (math.nan, math.nan)
    return pd.DataFrame(
        [
            {
                "name": name,
                "flops": a.flops,
                "cost_usd": math.nan if a.cost_usd is None else a.cost_usd,
                "params": a.params,
                "tokens": a.tokens,
                "loss": a.loss,
                "loss_low": a.intervals.get("loss", nothing)[0],
                "loss_high": a.intervals.get("loss", nothing)[1],
            }
            for name, (_, a) in answers.items()
        ]
    )
