"""Next experiments, and scenarios kept under a name and compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts import data, frame, keeping, state
from scaling_core.charts.measured import named
from scaling_core.charts.scenarios import scenarios_chart
from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.planning import Basis, Budget, Plan, Scenario, plan
from scaling_core.planning.experiments import Experiments, next_experiments
from scaling_core.planning.figures import duration, money, saving, size
from scaling_core.planning.words import between, reached
from scaling_core.runs import LOSS, Metric, safe_csv
from scaling_core.training.asked import RUNS, write_runs
from scaling_core.units import format_flops, format_number, format_percent

KIND = "scenario"
_THIS = "This one"
_TO_TRAIN = "_to_train"
#: What the first suggestion may cost beside the target.
_SHARE = 0.01
#: Narrowing by less than this share of the width is not told apart.
_NOTICED = 0.01


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
    metric = basis.metric
    quantity = right.segmented_control(
        "To know better", ["loss", "params"], required=True, key="experiment_aim",
        format_func={"loss": f"The {frame.plain(metric.title)} there", "params": "The best size there"}.get,
    )  # fmt: skip
    budget = float(Budget.parse(spend).flops(scenario.terms)) if spend and scenario.terms else _SHARE * answer.flops
    found = next_experiments(data.current_fit(), answer.flops, budget, quantity=quantity)
    _say_what_they_narrow(found, metric)
    with st.expander(f"The {len(found.runs)} runs", expanded=found.is_worth_it, icon=":material/science:"):
        _list(found, metric)
    st.caption(f":material/info: {_what_the_interval_is(found, metric)}")
    for note in found.notes:
        st.caption(f":material/info: {frame.plain(note)}")


def _say_what_they_narrow(found: Experiments, metric: Metric) -> None:
    """First whether they are worth it, then from what to what."""
    count = len(found.runs)
    many = "The one run" if count == 1 else f"All {count} runs together"
    where = f"the interval at {format_flops(found.target_flops)} FLOPs"
    change = f"from **{_interval(found, found.before, metric)}** to about **{_interval(found, found.after, metric)}**"
    percent = f"{format_number(100 * found.narrowed, 2)}%" if found.narrowed >= _NOTICED else "1%"
    if found.is_worth_it:
        st.markdown(f"{many}, for {format_flops(found.spent)} FLOPs, would narrow {where} by {percent}, {change}.")
        return
    st.info(
        f"**No experiment is worth it.** None of these would narrow {where} by more than {percent}, even all of them "
        f"for {format_flops(found.spent)} FLOPs: {change}. Spend more, or know better by other means.",
        icon=":material/do_not_disturb_on:",
    )


def _what_the_interval_is(found: Experiments, metric: Metric) -> str:
    """What the interval of the experiments is of: not quite that of the answer on top of the page."""
    if found.quantity != "loss":
        return "The interval is of the size that is best for that budget, as each draw of the law sees it."
    return (
        f"The interval is of the best {frame.plain(metric.title)} that the budget can reach, each draw of the law with "
        "its own best size. The one on top of the page is of the size and tokens that are planned there, and may "
        "differ a little."
    )


def _interval(found: Experiments, ends: tuple[float, float], metric: Metric) -> str:
    """Both ends as they are read, the lower first."""
    if found.quantity != "loss":
        return f"{size(ends[0])}–{size(ends[1])}"
    low, high = sorted(ends, reverse=metric.higher_is_better)
    return f"{metric.text_of(low)}–{metric.text_of(high)}"


def _list(found: Experiments, metric: Metric) -> None:
    """The runs as a table whose reasons can be read to the end, and as a file."""
    rows = found.runs
    shown = pd.DataFrame({
        "run": rows["run"],
        "parameters": rows["params"].map(size),
        "tokens": rows["tokens"].map(size),
        "FLOPs": rows["flops"].map(format_flops),
        "of the budget": rows["share"].map(lambda v: f"{100 * v:.2g}%" if v < 0.995 else "100%"),
        f"{metric.title} to expect": rows["expected_loss"].map(metric.text_of),
        "why": rows["why"],
    })  # fmt: skip
    st.table(shown.set_index("run"))
    st.download_button(
        "Download as CSV", lambda: safe_csv(_in_metric(rows, metric)), "next_experiments.csv", "text/csv",
        on_click="ignore", key="csv_next_experiments", icon=":material/download:",
    )  # fmt: skip
    st.button("Train these runs", key="train_next_experiments", icon=":material/model_training:", on_click=_train,
              args=(rows,), help="Opens Train with them as a ladder, at the nearest sizes there.")  # fmt: skip
    if st.session_state.pop(_TO_TRAIN, False):
        st.switch_page("pages/views/train.py")


def _train(rows: pd.DataFrame) -> None:
    """Callback: the form on Train asks for these runs."""
    state.put(way=RUNS, asked_runs=write_runs(rows))
    st.session_state[_TO_TRAIN] = True


def _in_metric(rows: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Runs with what is expected of them under the name of the metric."""
    if metric == LOSS:
        return rows
    expected = metric.shown(rows["expected_loss"].to_numpy(dtype=float))
    return rows.assign(expected_loss=expected).rename(columns={"expected_loss": f"expected_{metric.column}"})


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Keep this scenario, see kept ones side by side, take them in and out."""
    keeping.form(
        KIND, "scenario", "Keep this scenario under a name", "next quarter", _kept(scenario, basis.metric), _THIS,
        "compare_scenarios",
    )  # fmt: skip
    records = data.records()
    kept = {record.name: record for record in records.all(KIND)}
    frame.keep_options("compare_scenarios", kept)
    chosen = kept and st.multiselect("Compare with", list(kept), default=list(kept)[:6], key="compare_scenarios")
    answers = {_THIS: (scenario, answer)}
    for name in chosen:
        try:
            other = Scenario.from_json(kept[name].data["scenario"])
            _refuse_another_metric(name, other, kept[name].data.get("metric", LOSS.text), basis.metric)
            answers[name] = (other, plan(basis, other))
        except (UserError, KeyError, TypeError) as error:
            frame.show_error(
                error if isinstance(error, UserError) else UserError(f"{name} cannot be read.", fix="Forget it.")
            )
    st.dataframe(_table(answers, basis.metric), height="content")
    if len(answers) > 1:
        rows = _rows(answers)
        frame.chart(
            scenarios_chart(rows, frame.palette(), basis.metric),
            key="scenarios_chart",
            alt_text=f"{basis.metric.title} against cost of the kept scenarios",
            rows=named(rows, basis.metric),
        )
    level = f" In brackets: {DEFAULT_LEVEL:.0%} intervals." if len(basis.draws) else ""
    st.caption(f"All are answered by the law chosen above.{level}")
    with st.container(horizontal=True):
        frame.json_download("Scenarios as JSON", {n: _file(s, basis.metric) for n, (s, _) in answers.items()},
                            "scenarios.json", "scenarios_json")  # fmt: skip
        st.download_button(
            "As CSV", lambda: safe_csv(named(_rows(answers), basis.metric)), "scenarios.csv", "text/csv",
            on_click="ignore", key="scenarios_csv", icon=":material/download:",
        )  # fmt: skip
    _take_in()
    forget = kept and st.selectbox("Forget", [None, *kept], format_func=lambda n: n or "none", key="forget_scenario")
    if forget and st.button("Forget it", icon=":material/delete:", key="forget_scenario_button"):
        records.delete(KIND, forget)
        st.rerun()


def _kept(scenario: Scenario, metric: Metric) -> dict[str, Any]:
    """A scenario and what a goal of it is of."""
    return {"scenario": scenario.to_json(), "metric": metric.text}


def _file(scenario: Scenario, metric: Metric) -> dict[str, Any]:
    """A scenario for a file: with a goal of another metric than the loss, that is said beside it."""
    return scenario.to_json() if metric == LOSS or scenario.loss is None else _kept(scenario, metric)


def _refuse_another_metric(name: str, scenario: Scenario, text: str, metric: Metric) -> None:
    """A goal of one metric means nothing to a law of another."""
    if scenario.loss is not None and text != metric.text:
        what = text.partition(":")[0]
        raise UserError(f"{name} asks for a value of {what}, and this law is of {metric.title}.",
                        fix=f"Plan with a law of {what}, or compare others.")  # fmt: skip


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
            inner = value["scenario"] if isinstance(value, dict) and "scenario" in value else value
            metric = value.get("metric", LOSS.text) if inner is not value else LOSS.text
            Scenario.from_json(inner)
            kept = {"scenario": inner, "metric": str(metric)}
            data.records().save(KIND, data.records().free_name(KIND, name), kept)  # never over another
        except UserError as error:
            frame.show_error(error)
    st.rerun()


def _table(answers: dict[str, tuple[Scenario, Plan]], metric: Metric) -> pd.DataFrame:
    """A column a scenario; what none of them has is left out."""
    rows = pd.DataFrame({name: _column(scenario, answer, metric) for name, (scenario, answer) in answers.items()})
    return rows[(rows != "").any(axis=1)]


def _column(scenario: Scenario, answer: Plan, metric: Metric) -> dict[str, str]:
    endless = not math.isfinite(scenario.unique_tokens)
    terms = scenario.terms
    return {
        "training FLOPs": format_flops(answer.flops),
        "accelerator": f"{float(terms.n_gpus):,.0f} × {terms.hardware.name}, {format_percent(float(terms.mfu))} MFU"
        if terms
        else "",
        "unique tokens": "endless" if endless else size(scenario.unique_tokens),
        "tokens to serve": size(scenario.demand.tokens) if scenario.demand.tokens else "none",
        "parameters": size(answer.params) + between(answer, "params", size),
        "tokens": size(answer.tokens) + between(answer, "tokens", size),
        "tokens per parameter": format_number(answer.tokens_per_param)
        + between(answer, "tokens_per_param", format_number),
        metric.title: reached(answer, metric),
        "cost": _told(answer, "cost_usd", money),
        "time": _told(answer, "days", duration),
        "saved over its life": _told(answer, "lifetime_saving", saving),
    }


def _told(answer: Plan, name: str, write: Callable[[float], str]) -> str:
    """A quantity that not every plan has, with its interval."""
    value = getattr(answer, name)
    return "" if value is None else write(value) + between(answer, name, write)


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
