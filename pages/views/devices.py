"""Devices: what do my runs have to run on?"""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from pages.parts import background, data, frame, train_form
from pages.parts.train_form import seconds_text
from scaling_core.errors import UserError
from scaling_core.jobs import Limits
from scaling_core.jobs.host import Host, host, measured_peaks
from scaling_core.jobs.model import ACTIVE
from scaling_core.jobs.places import Place, places
from scaling_core.jobs.view import Machine, machine
from scaling_core.runs import home
from scaling_core.training.asked import TASKS
from scaling_core.training.timing import speed_here
from scaling_core.units import format_count, format_flops, format_number

_PEAKS = "peaks"
_TICK_S, _IDLE_S = 2.0, 10.0
_GB = 1e9
_SAID, _REFUSED = "_devices_said", "_devices_refused"


def body() -> None:
    if said := st.session_state.pop(_SAID, None):
        st.toast(said, icon=":material/check:")
    if refused := st.session_state.pop(_REFUSED, None):
        frame.show_error(refused)
    now = host(home())
    facts(now)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        peaks()
        speed()
    with right:
        running()
    left, right = st.columns([1, 1], gap="medium")
    with left:
        limits()
    with right:
        executors()


def facts(now: Host) -> None:
    """The machine in one line, and its numbers."""
    st.markdown(f"**{frame.plain(now.name)}** · {frame.plain(now.processor)} · {frame.plain(now.system)}")
    cores = f"{now.usable} of {now.cores}" if now.usable < now.cores else str(now.cores)
    card = {"border": True, "delta_arrow": "off"}
    with st.container(horizontal=True, key="device_facts"):
        st.metric("Cores", cores, border=True, help="Logical cores that runs may use.")
        st.metric("Memory", f"{_gb(now.memory)} GB", f"{_gb(now.memory_free)} GB free", "off", **card)
        st.metric("GPUs", str(len(now.gpus)) if now.gpus else "none", border=True)
        st.metric("Disk", f"{_gb(now.disk_free)} GB free", f"of {_gb(now.disk)} GB", "off", **card)
        st.metric("Workspace", _size(now.workspace), border=True, help=f"What lies in {home()}.")
    if now.gpus:
        rows = [
            {"GPU": g.index, "name": g.name, "memory": f"{_gb(g.used)} of {_gb(g.memory)} GB", "busy": _share(g.busy)}
            for g in now.gpus
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)


def _gb(value: float) -> str:
    return format_number(value / _GB, 3)


def _size(value: float) -> str:
    return f"{_gb(value)} GB" if value >= _GB else f"{format_number(value / 1e6, 3)} MB"


def _share(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "not told"


def peaks() -> None:
    """FLOP/s by precision, measured on a button."""
    st.markdown("#### Peak, measured")
    known = measured_peaks(home())
    if known is None:
        st.markdown("Not measured yet. It takes a few seconds, in a process of its own.")
    else:
        rows = [{"precision": name, "FLOP/s": f"{format_flops(value)}"} for name, value in known.flops_per_s.items()]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.caption(f"{frame.plain(known.how)} What training can reach at most here; a data sheet promises more.")
    if wrong := background.trouble(_PEAKS):
        st.warning(f"It could not be measured: {frame.plain(wrong)}", icon=":material/timer_off:")
    if background.is_running(_PEAKS):
        background.wait(_PEAKS, "Measuring: the best of several matrix products in each precision.")
    else:
        st.button("Measure" if known is None else "Measure again", key="measure_peaks", icon=":material/speed:",
                  on_click=background.start, args=(_PEAKS, "scaling_core.jobs.host", [str(home())]))  # fmt: skip


def speed() -> None:
    """How quickly a run trains here, as the plans of ladders take it."""
    slots = machine(data.queue()).slots
    known = speed_here(home(), slots)
    st.markdown("#### Training speed")
    st.markdown(frame.plain(known.note))
    rows = [
        {
            "FLOPs per token": format_count(t.flops_per_token),
            "tokens/s of one run": format_count(1 / t.seconds_per_token),
        }
        for t in known.timed
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.caption(f"Learning “{TASKS['stdlib'].title}”: plans of ladders take their times from this.")
    train_form.timing("Time it again (20 s)" if known.measured else "Time it (20 s)", slots)


def running() -> None:
    """What runs where, of all ladders."""
    st.markdown("#### What is running")
    active = bool(data.queue().jobs(states=("queued", "interrupted", *ACTIVE)))
    st.fragment(run_every=_TICK_S if active else _IDLE_S)(_running)(active)


def _running(was_active: bool) -> None:
    with frame.worded_errors():
        queue = data.queue()
        now, jobs = machine(queue), queue.jobs(states=ACTIVE)
        if bool(now.running + now.waiting) != was_active:
            st.rerun()
        st.markdown(_queue_line(now))
        if not jobs:
            st.caption("Runs that are started on the Train page, or with `python -m scaling_core train`, show here.")
            return
        names = {ladder.id: ladder.name for ladder in queue.ladders()}
        rows = [(job, job.run.status) for job in jobs]
        st.dataframe(
            pd.DataFrame({
                "job": [job.name for job, _ in rows],
                "ladder": [names[job.ladder] for job, _ in rows],
                "where": [f"{status.host}, process {status.pid}" if status else job.executor for job, status in rows],
                "device": [job.device for job, _ in rows],
                "done": [100 * job.progress for job, _ in rows],
                "left": [seconds_text(job.seconds_left) if job.seconds_left else "" for job, _ in rows],
            }),
            hide_index=True,
            column_config={"done": st.column_config.ProgressColumn(format="%.0f%%", min_value=0.0, max_value=100.0)},
        )  # fmt: skip


def _queue_line(now: Machine) -> str:
    held = f" · {frame.plain(now.held)}" if now.held else ""
    seen_to = "a supervisor sees to them" if now.supervisor else "no supervisor runs, as there is nothing to do"
    if not now.supervisor and now.waiting:
        seen_to = "**no supervisor runs**: start it on the Train page"
    return f"{now.running} running, {now.waiting} waiting, {now.slots} at once on this machine · {seen_to}{held}"


def limits() -> None:
    """What the queue may use."""
    st.markdown("#### Limits of the queue")
    kept = data.queue().limits
    with st.form("limits_form"):
        one, two = st.columns(2)
        one.number_input("Runs at once", 0, 4096, kept.slots, key="limit_slots",
                         help="0 takes one a core, or so many for each GPU.")  # fmt: skip
        two.number_input("Runs that share a GPU", 1, 64, kept.per_gpu, key="limit_per_gpu")
        one.number_input("Runs at once of one person", 0, 4096, kept.per_owner, key="limit_per_owner",
                         help="0 sets no limit.")  # fmt: skip
        two.number_input("Keep free on the disk, GB", 0.0, 1e6, kept.free_gb, key="limit_free_gb",
                         help="Nothing new starts below it.")  # fmt: skip
        one.number_input("All run folders together, GB", 0.0, 1e6, kept.disk_gb, key="limit_disk_gb",
                         help="0 sets no limit.")  # fmt: skip
        st.form_submit_button("Keep", icon=":material/save:", on_click=_keep_limits)
    st.caption("Runs that have started go on; a changed limit holds for what starts next.")


def _keep_limits() -> None:
    said = {name: st.session_state[f"limit_{name}"] for name in ("slots", "per_gpu", "per_owner", "free_gb", "disk_gb")}
    _kept("The limits are kept.", lambda: data.queue().set_limits(Limits(**said)))


def _kept(said: str, act) -> None:
    try:
        act()
        st.session_state[_SAID] = said
    except UserError as error:
        st.session_state[_REFUSED] = error


#: Options of an executor that a page asks for: name -> (label, default).
_OPTIONS = {
    "ray": {"address": ("Address of the cluster", ""), "cpus": ("Cores of a run", 1.0), "gpus": ("GPUs of a run", 0.0)},
    "slurm": {
        "partition": ("Partition", ""), "account": ("Account", ""), "minutes": ("Minutes at most", 1440),
        "gpus": ("GPUs of a run", 0), "cpus": ("Cores of a run", 1),
    },
}  # fmt: skip


def executors() -> None:
    """Where runs can run, and how to make more of it possible."""
    st.markdown("#### Where runs can run")
    for place in places():
        badge, colour = ("missing", "orange") if place.missing else ("ready", "green")
        with st.container(border=True):
            st.markdown(f"**{place.title}** :{colour}-badge[{badge}]")
            st.caption(frame.plain(place.about))
            if place.missing:
                st.markdown(f"Missing: {frame.plain(place.missing)}.")
                if place.install.startswith("pip "):
                    st.code(place.install, language=None, wrap_lines=True)
                else:
                    st.markdown(frame.plain(place.install))
            if place.name in _OPTIONS:
                with st.expander("Options", icon=":material/tune:"):
                    _options(place)


def _options(place: Place) -> None:
    kept = data.queue().setting(place.name) or {}
    with st.form(f"options_{place.name}", border=False):
        for name, (label, default) in _OPTIONS[place.name].items():
            value, key = kept.get(name, default), f"{place.name}_{name}"
            if isinstance(default, str):
                st.text_input(label, value, key=key)
            else:
                st.number_input(label, type(default)(0), value=type(default)(value), key=key)
        st.form_submit_button("Keep", icon=":material/save:", on_click=_keep_options, args=(place,))


def _keep_options(place: Place) -> None:
    names = _OPTIONS[place.name]
    kept = {**(data.queue().setting(place.name) or {}), **{n: st.session_state[f"{place.name}_{n}"] for n in names}}
    _kept(f"The options of {place.title} are kept.", lambda: data.queue().set_setting(place.name, kept))


frame.page("Devices", "What do my runs have to run on, and what does it do now?", body)
