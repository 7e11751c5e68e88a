"""The queue as it runs: which ladder, its jobs in a table that keeps itself fresh, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from pages.parts import data, frame, state, train_start
from pages.parts.train_form import number_text, seconds_text
from scaling_core.errors import UserError
from scaling_core.jobs import Job, Ladder, ensure_supervisor
from scaling_core.jobs.model import ACTIVE, FINAL
from scaling_core.jobs.starts import started_from
from scaling_core.jobs.view import Glance, Machine, glance, log_text, machine, why_waiting
from scaling_core.units import format_count

#: Seconds between two looks while something runs, and while nothing does: somebody else may start something.
TICK_S, IDLE_S = 1.5, 10.0
_TABLE = "jobs_table"
_REFUSED = "_queue_refused"
_ROW_PX, _MOST_PX = 35, 420
_LOG_LINES = 60
_SIGNS = {
    "queued": "○ queued",
    "starting": "◔ starting",
    "running": "◑ running",
    "paused": "‖ paused",
    "done": "● done",
    "failed": "✕ failed",
    "cancelled": "✕ cancelled",
    "interrupted": "↻ interrupted",
}
_SHORT_UNITS = {"second": "s", "minute": "min", "hour": "h", "day": "d", "year": "y"}
_LIVE = ("queued", "interrupted", *ACTIVE)


def chosen() -> Ladder | None:
    """The ladder to look at: the one in the link, else the newest; None where there is none."""
    ladders = data.queue().ladders()
    if not ladders:
        return None
    by_id = {ladder.id: ladder for ladder in ladders}
    if state.get("ladder") not in by_id:
        state.put(ladder=ladders[0].id)
    return by_id[state.get("ladder")]


def is_live(jobs: Sequence[Job]) -> bool:
    """Whether anything of it can change by itself."""
    return any(job.state in _LIVE for job in jobs)


def draw(ladder: Ladder) -> None:
    """Choice of the ladder, and its live table."""
    _pick()
    live = is_live(data.queue().jobs(ladder.id))
    st.fragment(run_every=TICK_S if live else None)(_table)(ladder.id, live)


def notice(ladder: Ladder | None) -> None:
    """Draw the page anew when somebody else adds a ladder, or sets going again one that stands still here."""
    queue = data.queue()
    newest, live = queue.newest(), ladder is not None and is_live(queue.jobs(ladder.id))

    @st.fragment(run_every=IDLE_S)
    def look() -> None:
        started = ladder is not None and not live and bool(data.queue().jobs(ladder.id, _LIVE))
        if started or data.queue().newest() != newest:
            st.rerun()

    look()


def _pick() -> None:
    ladders = {ladder.id: ladder for ladder in data.queue().ladders()}
    st.selectbox("Ladder", list(ladders), format_func=lambda i: _title(ladders[i]), key="ladder",
                 help="Everyone who uses this server sees the same ladders.")  # fmt: skip


def _title(ladder: Ladder) -> str:
    owner = f", {ladder.owner}" if ladder.owner else ""
    return f"{ladder.name} · {datetime.fromtimestamp(ladder.created):%d %b %H:%M}{owner}"


def _table(ladder: int, was_live: bool) -> None:
    """Everything that changes while jobs run: drawn anew by itself, and nothing else of the page with it."""
    with frame.worded_errors():
        queue = data.queue()
        jobs, now = queue.jobs(ladder), machine(queue)
        if is_live(jobs) != was_live:  # the page decides anew what is looked at, and how often
            st.rerun()
        seen = glance(jobs, now.slots)
        st.progress(min(1.0, seen.progress), summary(seen, now))
        _watchers(seen, now)
        if refused := st.session_state.pop(_REFUSED, None):
            frame.show_error(refused)
        picked = _rows(jobs)
        _actions(picked, jobs)
        if len(picked) == 1:
            _details(picked[0])
        elif not picked:
            st.caption("Tick jobs to act on those only; tick one to see its log and what happened to it.")


def summary(seen: Glance, now: Machine) -> str:
    """A ladder in one line."""
    total = sum(seen.counts.values())
    parts = [f"{seen.counts.get('done', 0)} of {total} jobs done"]
    parts += [f"{seen.counts[s]} {s}" for s in ("running", "paused", "failed", "cancelled") if seen.counts.get(s)]
    if not seen.over and seen.seconds_left:
        parts.append(f"about {seconds_text(seen.seconds_left)} left")
    return " · ".join([*parts, "" if seen.over else f"{now.slots} at once"]).removesuffix(" · ")


def _watchers(seen: Glance, now: Machine) -> None:
    """Why nothing moves, where nothing does."""
    if now.held:
        st.warning(frame.plain(now.held), icon=":material/hourglass_disabled:")
    waiting = sum(seen.counts.get(s, 0) for s in _LIVE)
    if waiting and now.supervisor is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(":material/bedtime: Nobody sees to this queue now.")
            st.button("Start it", key="start_supervisor", on_click=_see_to)


def _rows(jobs: Sequence[Job]) -> list[Job]:
    """The table; returns the jobs that are ticked. Rows keep their order, so that a tick stays with its job."""
    rows = pd.DataFrame({
        "state": [_state(job) for job in jobs],
        "job": [job.name for job in jobs],
        "done": [100 * job.progress for job in jobs],
        "left": [_left(job) for job in jobs],
        "loss": [number_text(job.loss) for job in jobs],
        "tokens/s": [format_count(job.tokens_per_second) if job.tokens_per_second else "" for job in jobs],
        "device": [job.device for job in jobs],
        "first": [job.priority for job in jobs],
        "from": [_origin(job).rpartition("/")[2] for job in jobs],
        "note": [job.message for job in jobs],
    })  # fmt: skip
    empty = [name for name in ("left", "tokens/s", "device", "from", "note", "loss") if not rows[name].any()]
    if all(job.state in FINAL for job in jobs):  # nothing is left to be first
        empty.append("first")
    table = st.dataframe(
        rows.drop(columns=empty), key=_TABLE, hide_index=True, on_select="rerun", selection_mode="multi-row",
        height=min(_MOST_PX, _ROW_PX * (len(rows) + 1) + 3),
        column_config={
            "state": st.column_config.TextColumn(width=85),
            "job": st.column_config.TextColumn(width=100),
            "left": st.column_config.TextColumn(width=60),
            "tokens/s": st.column_config.TextColumn(width=60),
            "device": st.column_config.TextColumn(width=45),
            "done": st.column_config.ProgressColumn(format="%.0f%%", min_value=0.0, max_value=100.0, width=75),
            "from": st.column_config.TextColumn(width=95, help="The run whose weights it began with."),
            "loss": st.column_config.TextColumn(
                width=50, help="Of its last steps while it trains; of validation once done."
            ),
            "first": st.column_config.NumberColumn("priority", width=55, help="Higher goes first."),
        },
    )  # fmt: skip
    return [jobs[i] for i in table["selection"]["rows"] if i < len(jobs)]


def _origin(job: Job) -> str:
    """The run whose weights it began with; empty where it began with new ones."""
    return started_from(job.folder) if job.kind == "train" else ""


def _left(job: Job) -> str:
    """How long it still takes, with short units: the column is narrow."""
    if job.state in FINAL or not job.seconds_left:
        return ""
    count, _, unit = seconds_text(job.seconds_left).partition(" ")
    return f"{count} {_SHORT_UNITS.get(unit.removesuffix('s'), unit)}"


def _state(job: Job) -> str:
    if job.state in ACTIVE and job.wanted != "run":
        return {"pause": "◑ pausing", "cancel": "◑ cancelling"}[job.wanted]
    return _SIGNS[job.state]


def _actions(picked: list[Job], jobs: Sequence[Job]) -> None:
    """What can be done with the ticked jobs, or with all."""
    aim = picked or list(jobs)
    whom = f"{len(picked)} ticked" if picked else "all"
    can = {
        "Pause": ([j for j in aim if j.state in _LIVE], ":material/pause:", _wanting("pause")),
        "Resume": ([j for j in aim if j.state == "paused"], ":material/play_arrow:", _wanting("run")),
        "Cancel": ([j for j in aim if j.state not in FINAL], ":material/stop:", _wanting("cancel")),
        "Retry": ([j for j in aim if j.state in ("failed", "cancelled", "interrupted")], ":material/replay:", _retry),
    }
    with st.container(horizontal=True, vertical_alignment="center", key="job_actions"):
        for name, (able, icon, act) in can.items():
            if able:
                st.button(
                    f"{name} {whom}", key=f"jobs_{name}", icon=icon, on_click=_do, args=(act, [j.id for j in able])
                )
        waiting = [job.id for job in aim if job.state not in FINAL]
        if waiting:
            with st.popover("Priority", icon=":material/swap_vert:"):
                number = st.number_input(f"Priority of {whom}", -1000, 1000, 100, key="job_priority",
                                         help="Higher goes first; what runs already goes on.")  # fmt: skip
                st.button("Set", key="set_priority", on_click=_do, args=(_prioritise(int(number)), waiting))


def _wanting(wanted) -> Callable[[Sequence[int]], None]:
    return lambda ids: data.queue().want(ids, wanted)


def _retry(ids: Sequence[int]) -> None:
    data.queue().retry(ids)


def _prioritise(priority: int) -> Callable[[Sequence[int]], None]:
    return lambda ids: data.queue().set_priority(ids, priority)


def _do(act: Callable[[Sequence[int]], None], ids: Sequence[int]) -> None:
    """Callback: act on jobs, and see that somebody works where there is work."""
    try:
        act(ids)
        _see_to()
    except UserError as error:  # a callback has no place on the page: the table says it
        st.session_state[_REFUSED] = error


def _see_to() -> None:
    queue = data.queue()
    if queue.jobs(states=_LIVE):
        ensure_supervisor(queue.home)


def _details(job: Job) -> None:
    """One job: why it waits, what happened to it, and the end of its log."""
    queue = data.queue()
    waits, origin = why_waiting(queue, job), _origin(job)
    begins = f" · from {frame.plain(origin)}" if origin else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{frame.plain(job.name)}**{begins}{f': {frame.plain(waits)}' if waits else ''}")
        if job.state == "done" and job.kind == "train" and job.run.last.exists():
            clicked = st.button("Continue from this run", key="continue_from", icon=":material/arrow_split:",
                                on_click=train_start.continue_from, args=(job.folder,))  # fmt: skip
            if clicked:  # the form stands outside of what is drawn anew here
                st.rerun()
    events = [
        f"{datetime.fromtimestamp(e.at):%H:%M:%S}  {e.was or 'new'} → {e.became}{f': {e.reason}' if e.reason else ''}"
        f" ({e.who})"
        for e in queue.events(job.id)[-6:]
    ]
    log = log_text(job).strip().splitlines()[-_LOG_LINES:]
    st.code("\n".join([*events, "", *(log or ["It has printed nothing."])]), language=None, height=220, wrap_lines=True)
    st.caption(f"Its folder: {frame.plain(str(job.folder))}")
