"""Files on their way to the screen: read once for all sessions, large ones in a thread that a person can stop.

A small file is read where it is asked for, as if there were nothing else. A large one is read in a thread; the page
waits for a moment, and then shows how far it is and offers to stop it. What reads never touches Streamlit.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.parts.words import plain
from scaling_core.runs import Gathered, Note, RunTable, Upload
from scaling_core.runs.containers import is_container
from scaling_core.runs.progress import Reading, StoppedError

#: What is smaller than this, in bytes, is read at once: it takes less than a person notices.
AT_ONCE = 4 * 2**20
#: What is packed may be so many times larger.
_PACKED = 20
#: How long a page waits before it shows how far a reading is, so that nothing flickers.
_PATIENCE_S = 0.4
_LOOK_S = 0.4
_FORGOTTEN_S = 300.0
_MOST_OPEN, _MOST_TABLES = 8, 4
Key = tuple[str, ...]


class StillReading(Exception):  # noqa: N818 (no error: the page comes back to it)
    """What is asked for is being read."""

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.key = key


@dataclass
class Opened:
    """Files as they were read, and the tables that were made of them, by mapping."""

    gathered: tuple[Gathered, ...]
    notes: tuple[Note, ...]
    weight: int
    tables: OrderedDict[str, RunTable] = field(default_factory=OrderedDict)

    def add(self, mapping: str, table: RunTable) -> None:
        """Keep a table; the oldest goes where there are many."""
        self.tables[mapping] = table
        while len(self.tables) > _MOST_TABLES:
            self.tables.popitem(last=False)


@dataclass
class _Task:
    """A reading under way, and the sessions that wait for it."""

    reading: Reading = field(default_factory=Reading)
    ended: threading.Event = field(default_factory=threading.Event)
    waiting: set[str] = field(default_factory=set)
    result: Any = None
    error: BaseException | None = None
    ended_at: float = 0.0

    @property
    def is_forgotten(self) -> bool:
        """Whether it has ended and nobody came for what it gave, as where a browser was closed."""
        return self.ended.is_set() and time.monotonic() - self.ended_at > _FORGOTTEN_S

    def run(self, work: Callable[[], Any]) -> None:
        """Do the work, in whichever thread."""
        try:
            with self.reading.open():
                self.result = work()
        except BaseException as error:  # raised again in the thread of the page that asks
            self.error = error
        finally:
            self.ended_at = time.monotonic()
            self.ended.set()


class _Desk:
    """What is open on this server, and what is being read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.opened: OrderedDict[str, Opened] = OrderedDict()
        self.tasks: dict[Key, _Task] = {}


@st.cache_resource(show_spinner=False)
def _desk() -> _Desk:
    return _Desk()


def opened(runs: str) -> Opened | None:
    """Return files that are open here."""
    desk = _desk()
    with desk.lock:
        if runs in desk.opened:
            desk.opened.move_to_end(runs)
        return desk.opened.get(runs)


def keep(runs: str, files: Opened) -> Opened:
    """Keep files open; those not looked at for longest go where there are many. Also for what reads in a thread."""
    desk = _desk()
    with desk.lock:
        desk.opened[runs] = files
        while len(desk.opened) > _MOST_OPEN:
            desk.opened.popitem(last=False)
    return files


def weight(uploads: Sequence[Upload]) -> int:
    """Return how many bytes there are to read, unpacked."""
    return sum(len(u.data) * (_PACKED if is_container(u) else 1) for u in uploads)


def do(key: Key, work: Callable[[], Any], size: int) -> Any:
    """Do the work and return what comes of it, or whatever it raises; that of one key is done once at a time.

    Raises
    ------
    StillReading
        If it is large and not done yet: it goes on, and is asked for again by its key.
    """
    desk = _desk()
    with desk.lock:
        desk.tasks = {k: t for k, t in desk.tasks.items() if not t.is_forgotten}
        task = desk.tasks.get(key)
        is_new = task is None
        if task is None:
            task = _Task()
            if size >= AT_ONCE:
                desk.tasks[key] = task
        task.waiting.add(_session())
    if is_new and size < AT_ONCE:
        return work()
    if is_new:
        threading.Thread(target=task.run, args=(work,), name="reading", daemon=True).start()
    if not task.ended.wait(_PATIENCE_S):
        raise StillReading(key)
    return _taken(key, task)


def _taken(key: Key, task: _Task) -> Any:
    with _desk().lock:
        if _desk().tasks.get(key) is task:
            del _desk().tasks[key]
    if task.error is not None:
        raise task.error
    return task.result


def is_under_way(key: Key) -> bool:
    """Whether it is being read now."""
    task = _desk().tasks.get(key)
    return task is not None and not task.ended.is_set()


def result(key: Key) -> Any:
    """Return what came of a work that has ended, or raise what it raised; StoppedError if it is no longer known."""
    task = _desk().tasks.get(key)
    if task is None:
        raise StoppedError
    return _taken(key, task)


def stop(key: Key) -> None:
    """Let go of a reading; it ends where no other session waits for it."""
    desk = _desk()
    with desk.lock:
        task = desk.tasks.get(key)
        if task is None:
            return
        task.waiting.discard(_session())
        if not task.waiting:
            task.reading.cancel()
            del desk.tasks[key]


def panel(key: Key, on_cancel: Callable[[], None]) -> None:
    """Show how far a reading is and a button that stops it; the page is drawn anew when it has ended."""

    @st.fragment(run_every=_LOOK_S)
    def look() -> None:
        task = _desk().tasks.get(key)
        if task is None or task.ended.is_set():
            st.rerun()
        with st.container(key="reading", horizontal=True, vertical_alignment="bottom"):
            now = task.reading.progress
            st.progress(now.share, text=plain(now.text()))
            st.button("Cancel", on_click=on_cancel, key="cancel_reading", icon=":material/close:")

    look()


def _session() -> str:
    context = get_script_run_ctx()
    return context.session_id if context else ""
