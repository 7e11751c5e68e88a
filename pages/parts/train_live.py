"""A ladder's law while it grows: the forecast and its verdict, the law's chart, the curves, and where to go with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from pages.parts import data, frame, state, train_tuned
from pages.parts.train_queue import is_live
from scaling_core.charts.figure import Figure
from scaling_core.charts.growing import growing_chart
from scaling_core.charts.ladder import ladder_chart
from scaling_core.charts.training_curves import training_chart
from scaling_core.errors import UserError
from scaling_core.fitting import Range, Selection
from scaling_core.jobs import Job, Ladder
from scaling_core.jobs.results import ladder_upload
from scaling_core.jobs.watching import (
    Watched,
    dots,
    forecast_spec,
    metrics_stamp,
    results_stamp,
    spec_of,
    training_lines,
    unit_of,
    watched,
)
from scaling_core.training.data import open_source
from scaling_core.training.forecast import Verdict
from scaling_core.training.ladder_file import FILE_NAME
from scaling_core.training.outcomes import finished
from scaling_core.units import format_number, format_percent

#: Seconds between two looks: what a run logs, and what has ended.
_CURVES_S, _LAW_S = 4.0, 2.0
_ICONS = {"law": "show_chart", "runs": "scatter_plot", "plan": "explore"}
_GO = "_go_to"
_CARRIED = "_carry_refused"


def draw(ladder: Ladder) -> None:
    """All of it; each part keeps itself fresh while something runs."""
    if page := st.session_state.pop(_GO, None):
        st.switch_page(f"pages/views/{page}.py")
    jobs = data.queue().jobs(ladder.id)
    live = is_live(jobs)
    st.fragment(run_every=_LAW_S if live else None)(_law)(ladder)
    st.fragment(run_every=_CURVES_S if live else None)(_curves)(ladder)


def _law(ladder: Ladder) -> None:
    with frame.worded_errors():
        if page := st.session_state.pop(_GO, None):
            st.switch_page(f"pages/views/{page}.py")
        jobs = data.queue().jobs(ladder.id)
        now = _watched(ladder, _dropped(jobs), results_stamp(ladder.folder))
        starts = starts_from_run(ladder)
        st.markdown(f"#### Loss against fine-tuning {unit_of(ladder)}s" if starts else "#### The law so far")
        _carry(ladder, now, over=not is_live(jobs))
        for sentence in [*sentences(now), *train_tuned.sentences(ladder, now.tuned)]:
            st.markdown(sentence)
        if now.trouble:
            st.warning(frame.plain(now.trouble), icon=":material/gpp_bad:")
        _entropy(ladder, now)
        if starts:
            _tuned(ladder, jobs, now.tuned)
            return
        left, right = st.columns([3, 2])
        with left:
            if len(now.done) or len(now.coming):
                _chart(_law_figure(ladder, _dropped(jobs), results_stamp(ladder.folder), frame.palette() is frame.DARK),
                       "ladder_law", f"Loss against {unit_of(ladder)}s of {len(now.done)} runs that have ended"
                       f"{', with the law at each size' if now.curves is not None else ''}")  # fmt: skip
                frame.folded("data_ladder_law", "Data", ":material/table:", lambda: frame.table(_runs(now), "ladder"))
                st.caption(legend(now, forecast_spec(ladder).level))
            else:
                st.info("Points appear here as runs end; from about six of them a law is drawn through them.",
                        icon=":material/hourglass_top:")  # fmt: skip
            if len(now.tuned):
                _tuned(ladder, jobs, now.tuned)
        with right:
            places = dots(ladder.folder, jobs)
            if len(places):
                unit = unit_of(ladder)
                _chart(ladder_chart(places, frame.palette(), unit=unit), "ladder_dots",
                       f"{len(places)} runs on the plane of parameters and {unit}s by their state")  # fmt: skip


def starts_from_run(ladder: Ladder) -> bool:
    """Whether all of it begins with the weights of a finished run."""
    spec = spec_of(ladder)
    return spec is not None and bool(spec.start)


def _tuned(ladder: Ladder, jobs: Sequence[Job], rows: pd.DataFrame) -> None:
    """Runs that began with the weights of another, apart from the law."""
    if rows.empty:
        st.info("Points appear here as runs end, beside the loss that their weights begin with.",
                icon=":material/hourglass_top:")  # fmt: skip
        return
    figure = _tuned_figure(ladder, _dropped(jobs), results_stamp(ladder.folder), frame.palette() is frame.DARK)
    _chart(figure, "ladder_tuned", f"Loss against fine-tuning {unit_of(ladder)}s of {len(rows)} runs, with the loss of "
           "the weights that they began with")  # fmt: skip
    frame.folded("data_ladder_tuned", "Data", ":material/table:",
                 lambda: frame.table(train_tuned.table(rows), "fine-tuned"))  # fmt: skip
    st.caption(train_tuned.left_out(rows))


@st.cache_resource(max_entries=64, show_spinner=False)
def _tuned_figure(_ladder: Ladder, dropped: tuple[str, ...], stamp, dark: bool) -> Figure:
    return train_tuned.figure(_ladder, _watched(_ladder, dropped, stamp).tuned, dark=dark)


def _runs(now: Watched) -> pd.DataFrame:
    """The chart's points and rings as a table: what has ended, and what is forecast with its interval."""
    shown = ["run", "params", "tokens", "flops", "loss", "predicted", "low", "high"]
    rows = pd.concat([part for part in (now.done, now.coming) if len(part)], ignore_index=True)
    return rows[[name for name in shown if name in rows]]


def _chart(figure: Figure, key: str, alt: str) -> None:
    with st.container(key=f"plain_{key}"), st.container(key=f"box_{key}"):
        st.vega_lite_chart(figure.spec(), key=key, width="stretch", alt=alt)


def _dropped(jobs: Sequence[Job]) -> tuple[str, ...]:
    return tuple(job.name for job in jobs if job.state in ("failed", "cancelled"))


@st.cache_resource(max_entries=64, show_spinner=False)
def _watched(_ladder: Ladder, dropped: tuple[str, ...], stamp) -> Watched:
    """Read and fitted once for each run that ends."""
    return watched(_ladder.folder, forecast_spec(_ladder), data.queue().jobs(_ladder.id))


@st.cache_resource(max_entries=64, show_spinner=False)
def _law_figure(_ladder: Ladder, dropped: tuple[str, ...], stamp, dark: bool) -> Figure:
    now = _watched(_ladder, dropped, stamp)
    return growing_chart(now.done, frame.DARK if dark else frame.LIGHT, curves=now.curves, coming=now.coming,
                         unit=unit_of(_ladder))  # fmt: skip


def legend(now: Watched, level: float) -> str:
    """How to read the chart of the law."""
    parts = ["Filled: ended."]
    if now.verdict is not None:
        parts.append("Hollow: what was written down, with the interval for a single run.")
    elif len(now.coming):
        parts.append("Hollow: what the law says of runs still to come, with the interval for a single run.")
    if now.done["test"].any() or now.forecast is not None:
        parts.append("Diamond: the run that was held back.")
    if now.curves is not None:
        parts.append(f"Bands: {level:.0%} of the law alone.")
    return " ".join(parts)


def sentences(now: Watched) -> list[str]:
    """The law in numbers, what was written down, and how that came out."""
    said = []
    if now.law.law is None:
        if len(now.done):
            said.append(f"No law yet of {len(now.done)} run{'s' if len(now.done) != 1 else ''}: "
                        f"{frame.plain(now.law.why_not)}")  # fmt: skip
    else:
        said.append(_law_sentence(now))
        if n := now.narrowed:
            said.append(f"The interval for {frame.plain(n.run)}, the largest: ±{format_percent(n.then)} by the first "
                        f"{n.few} runs that ended, **±{format_percent(n.now)}** by {n.many}.")  # fmt: skip
    if now.verdict is not None:
        said.append(verdict_sentence(now.verdict))
    elif now.forecast is not None:
        said.append(_forecast_sentence(now))
    return said


def _law_sentence(now: Watched) -> str:
    fit = now.law.law.fit
    values = ", ".join(f"{frame.plain(n)} {format_number(v, 3)}" for n, v in fit.parameters.items())
    left_out = len(now.law.law.left_out)
    without = f"; {left_out} short runs left out" if left_out else ""
    return (f"**{frame.plain(fit.law.title)}** of {fit.n_points} runs: {values} · runs lie "
            f"{format_percent(fit.scatter())} around it{without} · solve: {fit.certificate.grade}")  # fmt: skip


def _forecast_sentence(now: Watched) -> str:
    f = now.forecast
    at = datetime.fromisoformat(f["time"]).astimezone()
    interval = _interval(f["predicted"], f["low"], f["high"])
    return (f":material/history_edu: **Forecast** of {frame.plain(f['test'])}, written down at {at:%H:%M:%S}, "
            f"before its end is trained: **{interval}** ({f['level']:.0%}). Its ring waits for its point.")  # fmt: skip


def verdict_sentence(v: Verdict) -> str:
    """Forecast against outcome: "predicted 1.234 (1.20–1.27), came 1.251: right within its interval, off by 1.4%"."""
    icon = ":material/check_circle:" if v.inside else ":material/cancel:"
    how = "right within its interval" if v.inside else "outside its interval"
    when = "" if v.before else " It was **not** written before the run ended, so it proves nothing."
    return (f"{icon} **Forecast of {frame.plain(v.test)}**: predicted **{_interval(v.predicted, v.low, v.high)}**, "
            f"came **{format_number(v.actual, 4)}**: {how}, off by {format_percent(abs(v.off))}.{when}")  # fmt: skip


def _interval(value: float, low: float, high: float) -> str:
    return f"{format_number(value, 4)} ({format_number(low, 4)}–{format_number(high, 4)})"


def _entropy(ladder: Ladder, now: Watched) -> None:
    """Of a source whose entropy is known, the E that the law should find."""
    spec = spec_of(ladder)
    if spec is None or spec.data.source != "markov" or now.law.law is None:
        return
    found = now.law.law.fit.parameters.get("E")
    if found is not None:
        known = _known_entropy(spec.data, spec.context)
        st.markdown(f":material/target: The source's entropy is **{format_number(known, 4)}** nats; the law's E is "
                    f"**{format_number(found, 4)}**, off by {format_percent(abs(found / known - 1))}.")  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner=False)
def _known_entropy(source, context: int) -> float:
    return float(open_source(source, context).entropy or float("nan"))


def _carry(ladder: Ladder, now: Watched, *, over: bool) -> None:
    """One click takes the runs that have ended to the pages that read runs."""
    if refused := st.session_state.pop(_CARRIED, None):
        frame.show_error(refused)
    count = len(now.done) + len(now.tuned)
    if not count:
        return
    # Without a point of a law there is no plan, and the curves on Runs say more than the Law page.
    pages = ("law", "runs", "plan") if len(now.done) else ("runs", "law")
    with st.container(horizontal=True, vertical_alignment="center", key="carry"):
        st.markdown(f"{'All' if over else 'So far'} {count} run{'s' if count != 1 else ''}:")
        for page in pages:
            label = f"{'Open on' if page == pages[0] else 'on'} {page.title()}"
            st.button(label, key=f"carry_{page}", type="primary" if over and page == pages[0] else "secondary",
                      icon=f":material/{_ICONS[page]}:", on_click=_take, args=(ladder, page))  # fmt: skip
        with st.popover("Files", icon=":material/download:"):
            _files(ladder)


def _take(ladder: Ladder, page: str) -> None:
    """Callback: keep the runs as an upload, open it, and choose the law and the points as the ladder does."""
    try:
        sha = data.store().put(ladder_upload(ladder.folder))
    except UserError as error:
        st.session_state[_CARRIED] = error
        return
    state.open_runs(sha)
    how = forecast_spec(ladder)
    box = ""
    if (finished(ladder.folder)["tokens"] < how.min_tokens).any():
        box = Selection(box=(Range("tokens", float(how.min_tokens), 1e18),)).format_box()
    law = state.AUTO if starts_from_run(ladder) else how.law
    state.put(law=law, objective=how.objective, box=box, basis=state.OWN_FIT, budget="")
    st.session_state[_GO] = page


def _files(ladder: Ladder) -> None:
    """What can be taken away: the runs, the ladder, the forecast as it was written."""
    for name, kind in ((FILE_NAME, "application/toml"), ("forecast.json", "application/json")):
        path = ladder.folder / name
        if path.exists():
            st.download_button(name, path.read_bytes(), name, kind, on_click="ignore", key=f"take_{name}")
    st.download_button("runs.csv", lambda: ladder_upload(ladder.folder).data, f"{ladder.folder.name}.csv", "text/csv",
                       on_click="ignore", key="take_runs")  # fmt: skip
    st.download_button("plan.json", json.dumps(dict(ladder.meta), indent=1), "plan.json", "application/json",
                       on_click="ignore", key="take_plan")  # fmt: skip
    st.caption(f"Everything else lies in {frame.plain(str(ladder.folder))}")


def _curves(ladder: Ladder) -> None:
    with frame.worded_errors():
        jobs = [job for job in data.queue().jobs(ladder.id) if job.kind == "train"]
        stamp = metrics_stamp(jobs)
        if not any(size for _, size in stamp):
            return
        lines = _lines(ladder, stamp)
        if lines.empty:
            return
        st.markdown("#### Training curves")
        _chart(_curves_figure(ladder, stamp, frame.palette() is frame.DARK), "ladder_curves",
               f"Loss against {unit_of(ladder)}s while training, of {lines['run'].nunique()} runs")  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner=False)
def _lines(_ladder: Ladder, stamp) -> pd.DataFrame:
    return training_lines(_ladder.folder, data.queue().jobs(_ladder.id))


@st.cache_resource(max_entries=8, show_spinner=False)
def _curves_figure(_ladder: Ladder, stamp, dark: bool) -> Figure:
    return training_chart(_lines(_ladder, stamp), frame.DARK if dark else frame.LIGHT, unit=unit_of(_ladder))
