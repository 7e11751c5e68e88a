"""How far a reading is, and the way to stop it.

A reading is opened around the work. What reads says how far it is by ``tick`` and ``tracked``, and by ``part`` which
share of the whole a step of it is. Where no reading is open, all of them do next to nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

T = TypeVar("T")
_EVERY = 1_024
#: Less of a reading than this says nothing of how long the rest takes.
_TELLING = 0.02


class StoppedError(Exception):
    """The reading was stopped by whoever asked for it; nothing came of it."""


@dataclass(frozen=True)
class Progress:
    """How far a reading is.

    Attributes
    ----------
    share : float
        Of the whole, from 0 to 1; never less than before.
    what : str
        What is being done, for people: “Reading log.csv”.
    seconds : float
        Since the reading began.
    """

    share: float = 0.0
    what: str = ""
    seconds: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes if it goes on like this; None where that cannot be said yet."""
        return self.seconds * (1 / self.share - 1) if self.share >= _TELLING else None

    def text(self) -> str:
        """Say it in words: what, which share, how much longer."""
        left = self.seconds_left
        rest = "" if left is None else f", about {_duration(left)} left"
        return f"{self.what or 'Reading'}: {self.share:.0%}{rest}"


class Reading:
    """A reading under way. Whoever shows it and whoever stops it may be in other threads than what reads."""

    def __init__(self, tell: Callable[[Progress], None] | None = None) -> None:
        self._tell = tell
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._share, self._what = 0.0, ""

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return Progress(self._share, self._what, time.monotonic() - self._began)

    def cancel(self) -> None:
        """Ask it to stop: the next thing that it says of itself raises ``StoppedError``."""
        self._stop.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take what is read inside, in this thread, for this reading; at the end of it the share is 1.

        Raises
        ------
        StoppedError
            If it was asked to stop.
        """
        token = _PART.set(Part(self, 0.0, 1.0))
        try:
            yield
            self.say(1.0, "")
        finally:
            _PART.reset(token)

    def say(self, share: float, what: str) -> None:
        """Take note of how far it is."""
        if self._stop.is_set():
            raise StoppedError
        with self._lock:
            self._share = max(self._share, min(share, 1.0))
            self._what = what or self._what
        if self._tell is not None:
            self._tell(self.progress)


@dataclass(frozen=True)
class Part:
    """A step of a reading: its own shares, from 0 to 1, are those from ``low`` to ``high`` of the whole."""

    reading: Reading
    low: float
    high: float
    what: str = ""

    def tick(self, share: float) -> None:
        """Say how far this step is; may be called from any thread.

        Raises
        ------
        StoppedError
            If the reading was asked to stop.
        """
        self.reading.say(self.low + (self.high - self.low) * min(max(share, 0.0), 1.0), self.what)


_PART: ContextVar[Part | None] = ContextVar("part", default=None)


def current() -> Part | None:
    """Return the step that is under way in this thread, to say from another how far it is."""
    return _PART.get()


def tick(share: float) -> None:
    """Say how far the step under way is, from 0 to 1.

    Raises
    ------
    StoppedError
        If the reading was asked to stop.
    """
    if (part := _PART.get()) is not None:
        part.tick(share)


@contextmanager
def part(low: float, high: float, what: str = "") -> Iterator[None]:
    """Take what is done inside for the shares from ``low`` to ``high`` of the step under way.

    Raises
    ------
    StoppedError
        If the reading was asked to stop.
    """
    outer = _PART.get()
    if outer is None:
        yield
        return
    width = outer.high - outer.low
    inner = Part(outer.reading, outer.low + width * low, outer.low + width * high, what or outer.what)
    token = _PART.set(inner)
    try:
        inner.tick(0.0)
        yield
        inner.tick(1.0)
    finally:
        _PART.reset(token)


def tracked(items: Iterable[T], total: int) -> Iterator[T]:
    """Yield items, of which there are about ``total``, and say now and then how far that is.

    Raises
    ------
    StoppedError
        If the reading was asked to stop.
    """
    under_way = _PART.get()
    if under_way is None:
        yield from items
        return
    for i, item in enumerate(items):
        if i % _EVERY == 0:
            under_way.tick(i / max(total, 1))
        yield item


def by_bytes(sizes: Iterable[int]) -> list[tuple[float, float]]:
    """Return the shares ``(low, high)`` of files of these sizes, one after another."""
    ends = [0, *accumulate(size + 1 for size in sizes)]  # an empty file takes its moment, too
    return [(low / ends[-1], high / ends[-1]) for low, high in pairwise(ends)]


def _duration(seconds: float) -> str:
    return f"{max(round(seconds), 1)} s" if seconds < 90 else f"{round(seconds / 60)} min"
