"""From the drop zone to the screen: files are read once, what can be read is kept, what cannot is said."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import streamlit as st

from pages.parts import mapping_file, opening, state
from scaling_core.errors import UserError
from scaling_core.runs import Upload, UploadStore, home, pack_folders
from scaling_core.runs.gather import gather_usable
from scaling_core.runs.load import understand
from scaling_core.runs.progress import StoppedError, part

_REFUSED, _ZONE, _UNDER_WAY = "_refused_uploads", "_drop_zone", "_upload_under_way"
_NUMBERS = count(1)


@dataclass(frozen=True)
class _Taken:
    """What came of files that were dropped: hashes of those kept, why others were refused, and the mapping to use."""

    ids: tuple[str, ...]
    refused: tuple[UserError, ...]
    mapping: str = ""


def take(files: list[Upload], *, folder: bool) -> None:
    """Callback: open what can be read of the dropped files; what cannot is said, and leaves the others alone.

    The page stays as it is until they are read.
    """
    was_reading = stop()
    if not files:  # the last file was taken out of the zone
        if not was_reading:
            state.open_runs(state.CONTROLS["runs"].default)
        return
    files, said, damaged = mapping_file.taken_out(files)
    st.session_state[_REFUSED] = tuple(damaged)
    try:
        if files:
            _take_runs(files, folder, said)
        elif said:
            mapping_file.apply(said)
    except UserError as error:  # a callback has no place on the page: the page says it
        st.session_state[_REFUSED] = (*damaged, error)


def _take_runs(files: list[Upload], folder: bool, said: mapping_file.Said | None) -> None:
    key = ("upload", str(next(_NUMBERS)))
    size, store = opening.weight(files), UploadStore(home())
    try:
        _open(opening.do(key, lambda: _read(files, folder, size, store, said), size))
    except opening.StillReading:
        st.session_state[_UNDER_WAY] = key


def adopt() -> None:
    """Open what was being read, if that has ended; called before anything is drawn."""
    key = st.session_state.get(_UNDER_WAY)
    if key is None or opening.is_under_way(key):
        return
    del st.session_state[_UNDER_WAY]
    try:
        _open(opening.result(key))
    except StoppedError:
        pass
    except UserError as error:
        st.session_state[_REFUSED] = (error,)


def panel() -> None:
    """Show how far the dropped files are read, while they are."""
    if key := st.session_state.get(_UNDER_WAY):
        opening.panel(key, cancel)


def cancel() -> None:
    """Callback: stop reading, and take the files from the drop zone; all else is as it was."""
    stop()
    empty_zone()


def stop() -> bool:
    """Stop reading what was dropped before; return whether it was still being read."""
    st.session_state.pop(_REFUSED, None)
    key = st.session_state.pop(_UNDER_WAY, None)
    if key:
        opening.stop(key)
    return key is not None


def empty_zone() -> None:
    """A drop zone cannot be emptied, only replaced."""
    st.session_state[_ZONE] = st.session_state.get(_ZONE, 0) + 1


def zone() -> str:
    """Return what tells the drop zone of now from those before it."""
    return str(st.session_state.get(_ZONE, ""))


def refused() -> tuple[UserError, ...]:
    """Return why files could not be read."""
    return tuple(st.session_state.get(_REFUSED, ()))


def _open(taken: _Taken) -> None:
    st.session_state[_REFUSED] = (*refused(), *taken.refused)
    if taken.ids:
        state.open_runs(",".join(taken.ids))
        state.put(map=taken.mapping)


def _read(
    files: list[Upload], folder: bool, size: int, store: UploadStore, said: mapping_file.Said | None = None
) -> _Taken:
    """Read files, understand them and keep them, in whichever thread."""
    with part(0.0, 0.7):
        found = gather_usable(pack_folders(files) if folder else files)
    if not found.kept:
        return _Taken((), found.refused)
    opened = opening.Opened(found.tables, found.notes, size)
    with part(0.7, 0.9):
        mapping, misfit = _understand(opened, said)
    with part(0.9, 1.0, "Keeping the files"):
        ids = tuple(store.put(upload) for upload in found.kept)
    if all(store.name_of(i) == u.name for i, u in zip(ids, found.kept, strict=True)):  # not known by another name
        opening.keep(",".join(ids), opened)
    return _Taken(ids, (*found.refused, *misfit), mapping)


def _understand(opened: opening.Opened, said: mapping_file.Said | None) -> tuple[str, tuple[UserError, ...]]:
    """Make a table as a mapping file says, or if it does not fit, as one guesses; return the mapping that is used."""
    misfit: tuple[UserError, ...] = ()
    if said:
        text = said.overrides.format()
        try:
            opened.add(text, understand(opened.gathered, opened.notes, said.overrides))
            return text, ()
        except UserError as error:
            misfit = (said.misfit(error),)
    with suppress(UserError):  # the page says it, and asks what the columns mean
        opened.add("", understand(opened.gathered, opened.notes))
    return "", misfit
