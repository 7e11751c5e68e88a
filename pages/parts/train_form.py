"""What to train next: asked in a small form, drawn and reckoned before the click."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.parts import background, data, frame, state, train_start
from scaling_core.charts.ladder import ladder_chart
from scaling_core.errors import UserError
from scaling_core.jobs.devices import cores, gpus
from scaling_core.jobs.executors import make_executor
from scaling_core.jobs.places import places
from scaling_core.jobs.starts import find_run
from scaling_core.jobs.submit import keep_text, submit_ladder
from scaling_core.planning.figures import duration, money
from scaling_core.planning.typed import read_price
from scaling_core.runs import home
from scaling_core.training.asked import (
    CUSTOM,
    FILE,
    RUNS,
    TASKS,
    TOKENS,
    Asked,
    plan_asked,
    read_amount,
    read_runs,
    read_tokens,
)
from scaling_core.training.base_run import BaseRun
from scaling_core.training.ladder import Ladder
from scaling_core.training.ladder_file import FILE_NAME, ladder_toml, parse_ladder
from scaling_core.training.presets import PRESETS
from scaling_core.training.speed import Speed
from scaling_core.training.timing import speed_here
from scaling_core.units import format_count, format_flops, format_number

TIMING = "timing"
_SHORT = {"2min": "2 min", "10min": "10 min", "1h": "1 hour", CUSTOM: "Custom", RUNS: "Next runs", FILE: "File",
          TOKENS: "Tokens"}  # fmt: skip
_DAY_S = 86_400.0
_FILE_TEXT, _REFUSED, _SAID = "_ladder_file", "_ladder_refused", "_ladder_said"
_CHART_HEIGHT = 230


def draw() -> None:
    """The form, the ladder that it asks for, and the button."""
    with st.container(key="ladder_form"):
        with st.container():  # has its place before there is a choice, so that nothing below is drawn anew
            base = train_start.draw()
        _questions(base)
        if said := st.session_state.pop(_SAID, None):
            st.toast(said, icon=":material/rocket_launch:")
        if refused := st.session_state.pop(_REFUSED, None):
            frame.show_error(refused)
        above = st.container()
        try:
            with above:
                ladder = planned(base)
                if ladder is not None:
                    _show(ladder)
        except UserError as error:
            frame.show_error(error)
            ladder = None
        with st.container(horizontal=True, vertical_alignment="center"):
            if ladder is not None:
                _buttons(ladder)
            _more(ladder)
        if ladder is not None:
            _offer_timing(ladder)
            for note in _notes(ladder):
                st.caption(f":material/info: {frame.plain(note)}")


def _questions(base: BaseRun | None) -> None:
    ways = [*PRESETS, TOKENS, CUSTOM] if base else [*PRESETS, CUSTOM]
    if state.get("asked_runs") and not base:
        ways.append(RUNS)
    if st.session_state.get(_FILE_TEXT):
        ways.append(FILE)
    if state.get("way") not in ways:
        state.put(way=ways[0])
    st.segmented_control("How long", ways, format_func=_SHORT.get, key="way", required=True,
                         help=_ways_help(base))  # fmt: skip
    if state.get("way") != FILE:
        tasks = train_start.tasks(base)
        if state.get("task") not in tasks:
            state.put(task=tasks[0])
        st.selectbox("To learn", tasks, format_func=lambda t: TASKS[t].title, key="task",
                     help="  \n".join(f"**{TASKS[t].title}**: {TASKS[t].about}" for t in tasks))  # fmt: skip
        if state.get("task") == "text":
            _text()
    if state.get("way") == TOKENS:
        st.text_input("Tokens of each run", key="tune_tokens", help="Such as 250k, 500k, 1M: a run for each.")
    if state.get("way") == CUSTOM:
        many, sizes, budgets = st.columns([2, 1, 1])
        many.text_input(
            "To spend", key="amount", help="A time on this machine, such as 20 min, or FLOPs, such as 1e14."
        )
        if not base:
            sizes.number_input("Sizes", 1, 8, key="grid_sizes")
        budgets.number_input(
            "Budgets", 1, 8, key="grid_budgets", help="Token counts at each size, each twice the last."
        )


def _ways_help(base: BaseRun | None) -> str:
    if base:
        said = [
            f"**{_SHORT[p.name]}**: {p.budgets} budgets, each twice the last, in that time" for p in PRESETS.values()
        ]
        return "  \n".join([*said, "**Tokens**: a run for each number of tokens"])
    return "  \n".join(
        f"**{_SHORT[p.name]}**: {p.title}; {p.sizes} sizes × {p.budgets} budgets" for p in PRESETS.values()
    )


def _text() -> None:
    """A text that is uploaded, or lies where the server can read it."""
    st.file_uploader("Your text", key="text_file", on_change=_take_text, help="Any plain text file.")
    st.text_input("or its path on the server", key="text", placeholder="/data/corpus or /data/book.txt",
                  help="A text file, or a folder: its files are split into training and validation.")  # fmt: skip


def _take_text() -> None:
    file = st.session_state["text_file"]
    if file is None:
        return
    try:
        state.put(text=str(keep_text(home(), file.name, file.getvalue())))
    except UserError as error:  # a callback has no place on the page: the page says it
        st.session_state[_REFUSED] = error


def _more(ladder: Ladder | None) -> None:
    """What is seldom changed; and the ladder as a file, out and in."""
    with st.popover("More", icon=":material/tune:"):
        known = places()
        st.segmented_control("Where", [p.name for p in known], format_func={p.name: p.title for p in known}.get,
                             key="executor", required=True, help="The Devices page says what each needs.")  # fmt: skip
        devices = ["auto", "cpu", *(["cuda"] if gpus() else [])]  # the queue gives each run a GPU, the only one it sees
        now = state.get("device")
        st.selectbox("Device", devices if now in devices else [*devices, now], key="device",
                     help="auto takes the GPU of its place in the queue, else the processor.")  # fmt: skip
        st.text_input("Price of one place in the queue, $/hour", key="slot_price", placeholder="not known")
        st.text_input("Name of the ladder", key="ladder_name", placeholder="made up")
        st.number_input("Seed of the weights", 0, 10_000, key="ladder_seed")
        if ladder is None or ladder.base is None:  # no law foretells a fine-tuned run
            st.toggle("Hold the largest run back, and forecast it", True, key="ladder_hold_back")
        if ladder is not None:
            st.download_button("This ladder as a file (TOML)", ladder_toml(ladder.spec), FILE_NAME, "application/toml",
                               on_click="ignore", key="ladder_toml", icon=":material/download:")  # fmt: skip
        st.file_uploader("A ladder as a file (TOML)", ["toml"], key="ladder_file", on_change=_take_file)


def _take_file() -> None:
    file = st.session_state["ladder_file"]
    try:
        text = "" if file is None else file.getvalue().decode("utf-8")
        if text:
            text = _with_start_found(text, file.name)
    except UserError as error:
        st.session_state[_REFUSED] = error
        return
    except UnicodeDecodeError:
        st.session_state[_REFUSED] = UserError("The file is not text.", where=file.name, fix="Give a TOML file.")
        return
    st.session_state[_FILE_TEXT] = text
    state.put(way=FILE if text else next(iter(PRESETS)))


def _with_start_found(text: str, name: str) -> str:
    """A ladder's file in which the run that it starts from, by an id or a name, is a folder."""
    spec = parse_ladder(text, name)
    return ladder_toml(replace(spec, start=str(find_run(data.queue(), spec.start)))) if spec.start else text


def asked(base: BaseRun | None = None) -> Asked:
    """What the form says."""
    return Asked(
        start=str(base.folder) if base else "",
        tokens=read_tokens(state.get("tune_tokens")) if state.get("way") == TOKENS else (),
        way=state.get("way"), task=state.get("task"), path=state.get("text").strip(), amount=state.get("amount"),
        sizes=state.get("grid_sizes"), budgets=state.get("grid_budgets"), runs=read_runs(state.get("asked_runs")),
        file=st.session_state.get(_FILE_TEXT, ""), device=state.get("device"),
        name=st.session_state.get("ladder_name", ""), seed=st.session_state.get("ladder_seed", 0),
        hold_back=st.session_state.get("ladder_hold_back", True),
    )  # fmt: skip


def planned(base: BaseRun | None = None) -> Ladder | None:
    """The ladder that the form asks for; None where it lacks something that it then asks for.

    Raises
    ------
    UserError
        If it cannot be planned.
    """
    wanted = asked(base)
    if wanted.way != FILE and wanted.task == "text" and not wanted.path:
        st.info("Upload a text, or say where it lies, and its ladder is drawn here.", icon=":material/upload_file:")
        return None
    if wanted.way == CUSTOM:
        read_amount(wanted.amount)
    slots = slots_of(state.get("executor"))
    return _planned(wanted, speed_here(home(), slots, state.get("device")), slots)


@st.cache_resource(max_entries=32, show_spinner="Planning the ladder")
def _planned(wanted: Asked, speed: Speed, slots: int) -> Ladder:
    return plan_asked(wanted, speed, slots)


def slots_of(executor: str) -> int:
    """Places of the queue there.

    Raises
    ------
    UserError
        If it cannot be used here.
    """
    place = next(p for p in places() if p.name == executor)
    if place.missing:
        raise UserError(f"{place.title} cannot be used here: {place.missing} is missing.", fix=place.install)
    queue = data.queue()
    if executor == "ray":  # joining a cluster takes seconds and is the supervisor's to do
        return queue.limits.slots or cores()
    return make_executor(executor, queue.home, queue.limits, queue.setting(executor) or {}).slots


def _show(ladder: Ladder) -> None:
    """The ladder as dots, what it takes, and the button that starts it."""
    dots = ladder.dots
    frame.chart(
        ladder_chart(dots, frame.palette(), unit=_unit(ladder), height=_CHART_HEIGHT), key="ladder_plan",
        rows=dots[["run", "role", "params", "tokens", "flops", "estimate_s"]],
        alt_text=f"{len(dots)} planned runs: parameters from {format_count(dots['params'].min())} to "
        f"{format_count(dots['params'].max())}, {_unit(ladder)}s from {format_count(dots['tokens'].min())} to "
        f"{format_count(dots['tokens'].max())}",
    )  # fmt: skip
    st.markdown(estimate(ladder))


def _buttons(ladder: Ladder) -> None:
    count = len(ladder.runs)
    label = f"Launch {count} run{'s' if count != 1 else ''}"
    st.button(label, type="primary", icon=":material/rocket_launch:", key="launch", on_click=_launch, args=(ladder,))


def _unit(ladder: Ladder) -> str:
    return "token" if ladder.facts.shape.kind == "text" else "example"


def estimate(ladder: Ladder) -> str:
    """What a ladder takes, in one line."""
    sizes = len({r.params for r in ladder.runs})
    unit = f"{_unit(ladder)}s"
    slots = f"{ladder.slots} run{'s' if ladder.slots != 1 else ''} at once"
    count = len(ladder.runs)
    shape = f"of {sizes} size{'s' if sizes != 1 else ''}" if ladder.base is None else f"from {ladder.base.name}"
    parts = [f"**{count} run{'s' if count != 1 else ''}** {shape}",
             f"about **{duration(ladder.seconds / _DAY_S)}** with {slots}",
             f"{format_count(ladder.tokens)} {unit}", f"{format_flops(ladder.flops)} FLOPs"]  # fmt: skip
    if ladder.saved > 0:
        parts.append(f"shared trunks save {100 * ladder.saved:.0f}% of the {unit}")
    if price := state.get("slot_price").strip():
        parts.append(f"**{money(ladder.cost(read_price(price)))}**".replace("$", "\\$"))
    return " · ".join(parts)


def _notes(ladder: Ladder) -> list[str]:
    notes = list(ladder.notes)
    if ladder.speed.measured:
        notes.append(f"Times: {ladder.speed.note}")
    if ladder.test is not None:
        notes.append(f"The diamond is held back: {ladder.test.name} is trained to its end only after the law of the "
                     "others has said what it will reach.")  # fmt: skip
    if ladder.facts.shape.kind != "text":
        notes.append("Times are reckoned from text; with labels they may be off by a factor of two.")
    if state.get("executor") != "local":
        notes.append("Times are those of this machine; of others nothing is known.")
    return notes


def _offer_timing(ladder: Ladder) -> None:
    """Where this machine has not been timed, offer to: a ladder by time is only as good as that."""
    if state.get("executor") == "local" and (background.is_running(TIMING) or not ladder.speed.measured):
        timing("Time this machine first (20 s)", ladder.slots, state.get("device"))


def timing(label: str, slots: int, device: str = "auto") -> None:
    """The button that times this machine, or how that goes."""
    if background.is_running(TIMING):
        background.wait(TIMING, "Timing this machine: training at three sizes, about 20 seconds when it is idle.")
        return
    if wrong := background.trouble(TIMING):
        st.warning(f"This machine could not be timed: {frame.plain(wrong)}", icon=":material/timer_off:")
    arguments = ["--home", str(home()), "--slots", str(slots), "--device", device]
    st.button(label, key="time_machine", icon=":material/timer:", on_click=background.start,
              args=(TIMING, "scaling_core.training.timing", arguments))  # fmt: skip


def _launch(ladder: Ladder) -> None:
    try:
        number = submit_ladder(data.queue(), ladder, state.get("executor"), _owner())
    except UserError as error:
        st.session_state[_REFUSED] = error
        return
    state.put(ladder=number)
    count = len(ladder.runs)
    said = f"{count} runs are" if count != 1 else "1 run is"
    st.session_state[_SAID] = f"{said} queued as “{ladder.spec.name}”."


def _owner() -> str:
    """Who is signed in, where the app asks people to."""
    try:
        return str(st.user.get("email") or "")
    except (AttributeError, KeyError):
        return ""


def seconds_text(seconds: float | None) -> str:
    """A time as people say it."""
    return "" if seconds is None else duration(seconds / _DAY_S)


def number_text(value: float | None, digits: int = 4) -> str:
    """A number, or nothing."""
    return "" if value is None else format_number(value, digits)
