"""What a link restores: every shared control, its default, and the way between session and URL.

Streamlit's own binding of a widget to the URL forgets a value as soon as a page is opened that does not draw the
widget (measured on 1.67), and most pages need the choices made on others. So the choices live in the session,
widgets read and write them by key, and the URL is a copy that every page writes and a fresh session reads.

The copy always names the runs, so it is never empty. An address without choices therefore asks for nothing: the menu
opens pages that way, and the way back passes over them.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import streamlit as st

from scaling_core.errors import UserError
from scaling_core.fitting import (
    DEFAULT_DELTA,
    DEFAULT_METHOD,
    FINAL,
    MAX_WARM_UP,
    METHODS,
    OBJECTIVES,
    Constraint,
    Objective,
    Selection,
    get_objective,
    parse_constraints,
)
from scaling_core.jobs.executors import EXECUTORS
from scaling_core.laws import get_law
from scaling_core.planning import PRECISIONS, PUBLISHED, Budget, Demand, known_hardware
from scaling_core.planning.typed import read_amount_of, read_peak, read_price
from scaling_core.runs import Overrides, samples
from scaling_core.training.asked import TASKS, WAYS, read_runs, read_tokens

AUTO = "auto"
OWN_FIT = "fit"
MAX_DROP = 20
#: What explains a law, below its chart.
LAW_SECTIONS = ("backtest", "laws", "residuals", "parameters", "influence", "approaches", "keep")
#: What explains a plan, below its chart.
PLAN_SECTIONS = ("trust", "sizes", "life", "data", "machine", "next", "matters", "laws", "whatif", "keep")
#: What is asked of the next ladder, and which one is looked at: opening other runs changes none of it.
TRAINING = (
    "start_from", "way", "task", "text", "amount", "tune_tokens", "grid_sizes", "grid_budgets", "asked_runs", "device",
    "executor", "slot_price", "ladder",
)  # fmt: skip
THIS_MACHINE = "this machine"
#: Before the name of an accelerator of one's own.
OWN = "own:"
#: Before the name of a kept fit.
KEPT = "kept:"
_MAX_TEXT = 200
_MAX_PATH = 1000
_ADOPTED, _PUBLISHED_URL = "_adopted", "_published_url"
_ALWAYS_WRITTEN = "runs"


@dataclass(frozen=True)
class Control:
    """A shared choice: its key in session and URL, its default, and how text becomes a value (or ValueError)."""

    key: str
    default: Any
    parse: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return parse


def _drop(text: str) -> int:
    if not 0 <= int(text) <= MAX_DROP:
        raise ValueError(text)
    return int(text)


def _flag(text: str) -> bool:
    return {"1": True, "0": False}[text]


def _law(text: str) -> str:
    if text != AUTO:
        get_law(text)
    return text


def _short(text: str) -> str:
    if len(text) > _MAX_TEXT:
        raise ValueError(text)
    return text


def _delta(text: str) -> float:
    return get_objective("huber-log").with_delta(float(text)).delta


def _limits(text: str) -> str:
    parse_constraints(text)
    return text


def _box(text: str) -> str:
    Selection.parse_box(text)
    return text


def _mapping(text: str) -> str:
    Overrides.parse(text)
    return text


def _budget(text: str) -> str:
    Budget.parse(text)
    return text


def _amount(text: str) -> str:
    read_amount_of(_short(text), "", "")
    return text


def _decode(text: str) -> str:
    Demand.read_utilisation(_short(text))
    return text


def _price(text: str) -> str:
    read_price(_short(text))
    return text


def _peak(text: str) -> str:
    read_peak(_short(text))
    return text


def _hardware(text: str) -> str:
    if text not in (THIS_MACHINE, *(h.name for h in known_hardware())) and not text.startswith(OWN):
        raise ValueError(text)
    return _short(text)


def _path(text: str) -> str:
    if len(text) > _MAX_PATH:
        raise ValueError(text)
    return text


def _asked_runs(text: str) -> str:
    read_runs(text)
    return _path(text)


def _tune_tokens(text: str) -> str:
    read_tokens(text)
    return _short(text)


def _checks(text: str) -> list[str]:
    return list(Selection(leave_out=tuple(name for name in text.split(",") if name)).leave_out)


def _published(text: str) -> list[str]:
    return [_one_of(*PUBLISHED)(name) for name in text.split(",") if name]


def _basis(text: str) -> str:
    if text not in (OWN_FIT, *PUBLISHED) and not (text.startswith(KEPT) and len(text) <= _MAX_TEXT):
        raise ValueError(text)
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return parse


CONTROLS: dict[str, Control] = {
    c.key: c
    for c in (
        Control("runs", samples()[0].name),
        Control("map", "", _mapping),
        Control("metric", "loss", _short),
        Control("law", AUTO, _law),
        Control("objective", "huber-log", _one_of(*OBJECTIVES)),
        Control("delta", DEFAULT_DELTA, _delta, "{:g}".format),
        Control("weights", "", _short),
        Control("limits", "", _limits),
        Control("method", DEFAULT_METHOD, _one_of(*METHODS)),
        Control("points", FINAL, lambda text: Selection(checkpoints=text).checkpoints),
        Control("warm", 0, _whole(0, int(100 * MAX_WARM_UP))),
        Control("clean", [], _checks, ",".join),
        Control("tuned", False, _flag, lambda v: str(int(v))),
        Control("seeds", False, _flag, lambda v: str(int(v))),
        Control("drop", 0, _drop),
        Control("box", "", _box),
        Control("x", "flops", _one_of("flops", "params", "tokens")),
        Control("y", "loss", _one_of("loss", "params", "tokens")),
        Control("logx", True, _flag, lambda v: str(int(v))),
        Control("logy", True, _flag, lambda v: str(int(v))),
        Control("color", "params"),
        Control("curve_x", "step", _one_of("step", "tokens", "flops", "seconds")),
        Control("curve_y", "loss", _short),
        Control("curve_color", "params", _short),
        Control("curve_smooth", 0, _whole(0, 99)),
        Control("curve_means", False, _flag, lambda v: str(int(v))),
        Control("curve_logx", True, _flag, lambda v: str(int(v))),
        Control("curve_logy", True, _flag, lambda v: str(int(v))),
        Control("view", "flops", _one_of("flops", "tokens", "params", "isoflop", "contours")),
        Control("section", LAW_SECTIONS[0], _one_of(*LAW_SECTIONS)),
        Control("residual_x", "flops", _one_of("flops", "params", "tokens", "predicted")),
        Control("basis", OWN_FIT, _basis),
        Control("budget", "", _budget),
        Control("goal", "", _short),
        Control("hardware", "H100 SXM 80GB", _hardware),
        Control("gpus", 256, _whole(1, 10_000_000)),
        Control("mfu", 40, _whole(1, 100)),
        Control("precision", "", _one_of("", *PRECISIONS)),
        Control("price", "", _price),
        Control("peak", "", _peak),
        Control("lost", 0, _whole(0, 60)),
        Control("unique", "", _amount),
        Control("demand", "", _amount),
        Control("written", 50, _whole(0, 100)),
        Control("decode", "", _decode),
        Control("size", "", _amount),
        Control("bought", "", _price),
        Control("speed", "", _amount),
        Control("follow", "loss", _one_of("loss", "params", "cost_usd", "tokens")),
        Control("other_laws", ["besiroglu", "hoffmann_tex_unrounded", "llama3"], _published, ",".join),
        Control("experiment_budget", "", _budget),
        Control("experiment_aim", "loss", _one_of("loss", "params")),
        Control("closer", PLAN_SECTIONS[0], _one_of(*PLAN_SECTIONS)),
        Control("start_from", "", _path),
        Control("way", WAYS[0], _one_of(*WAYS)),
        Control("task", "stdlib", _one_of(*TASKS)),
        Control("text", "", _path),
        Control("amount", "20 min", _short),
        Control("tune_tokens", "250k, 500k, 1M", _tune_tokens),
        Control("grid_sizes", 4, _whole(1, 8)),
        Control("grid_budgets", 4, _whole(1, 8)),
        Control("asked_runs", "", _asked_runs),
        Control("device", "auto", _short),
        Control("executor", "local", _one_of(*EXECUTORS)),
        Control("slot_price", "", _price),
        Control("ladder", 0, _whole(0, 10**9)),
    )
}


def begin() -> None:
    """Take over what the URL says when a session is new or a person changed the URL, then write it back."""
    query = st.query_params.to_dict()
    fresh = _ADOPTED not in st.session_state
    if fresh or (query and query != st.session_state.get(_PUBLISHED_URL)):
        _adopt(query, reset=not fresh)
    if "_next_map" in st.session_state:  # the mapping form asked for a rerun with its corrections
        # The loss may be another now, or the first: what stood in for it on the axis does not stay.
        put(map=st.session_state.pop("_next_map"), y=CONTROLS["y"].default)
    if "_next_hardware" in st.session_state:  # one that was just kept is used
        put(hardware=st.session_state.pop("_next_hardware"), peak="", price="", precision="")
    for control in CONTROLS.values():
        # Widgets of other pages forget their value unless it is written as our own again.
        st.session_state[control.key] = st.session_state.get(control.key, copy(control.default))
    st.session_state[_ADOPTED] = True
    publish()


def publish() -> None:
    """Write the runs, and the choices that differ from their defaults, to the URL."""
    said = (c for c in CONTROLS.values() if c.key == _ALWAYS_WRITTEN or get(c.key) != c.default)
    query = {c.key: c.write(get(c.key)) for c in said}
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    st.session_state[_PUBLISHED_URL] = query


def get(key: str) -> Any:
    """Return the value of a control."""
    return st.session_state.get(key, CONTROLS[key].default)


def put(**values: Any) -> None:
    """Set controls from a callback."""
    for key, value in values.items():
        assert key in CONTROLS, key
        st.session_state[key] = value


def open_runs(ids: str) -> None:
    """Callback: open other runs. Choices that were made about the former ones no longer apply."""
    kept = ("basis", "objective", "budget", *TRAINING)
    put(**{key: control.default for key, control in CONTROLS.items() if key not in kept})
    put(runs=ids)


def complaints() -> list[str]:
    """What the link asked for that could not be taken, said once."""
    return st.session_state.pop("_complaints", [])


def _adopt(query: dict[str, str], *, reset: bool) -> None:
    refused = []
    for control in CONTROLS.values():
        if control.key not in query:
            if reset:
                st.session_state[control.key] = copy(control.default)
            continue
        try:
            st.session_state[control.key] = control.parse(query[control.key])
        except (ValueError, KeyError, UserError):
            st.session_state[control.key] = control.default
            refused.append(f"{control.key}={query[control.key]}")
    if refused:
        st.session_state["_complaints"] = refused


def selection() -> Selection:
    """Return the points to fit, as chosen."""
    return Selection(
        checkpoints=get("points"), drop_highest_loss=get("drop"), box=Selection.parse_box(get("box")),
        warm_up=get("warm") / 100, leave_out=tuple(get("clean")), tuned=get("tuned"),
    )  # fmt: skip


def objective() -> Objective:
    """Return what the fit makes small, with the threshold chosen for a Huber one."""
    chosen = get_objective(get("objective"))
    return chosen.with_delta(get("delta")) if chosen.has_delta else chosen


def constraints() -> tuple[Constraint, ...]:
    """Return bounds on parameters and fixed ones, as chosen."""
    return parse_constraints(get("limits"))
