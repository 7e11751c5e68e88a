"""Files of corrections that are dropped: told by their content, tried on the runs, and refused in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages.parts import data, opening, state
from scaling_core.errors import UserError
from scaling_core.runs import Overrides, Upload
from scaling_core.runs.load import understand


@dataclass(frozen=True)
class Said:
    """What dropped files of corrections say, and the names of those files."""

    overrides: Overrides
    names: tuple[str, ...]

    def misfit(self, error: UserError) -> UserError:
        """Say that the runs cannot be understood so."""
        where = f"{', '.join(self.names)} for {error.where}" if error.where else ", ".join(self.names)
        what = f"These corrections do not fit the runs. {error.what}"
        return UserError(what, where=where, fix=f"{error.fix} The runs stay as they were understood before.".strip())


def taken_out(files: Sequence[Upload]) -> tuple[list[Upload], Said | None, list[UserError]]:
    """Part files of corrections from others, and from damaged ones; of several the later ones decide."""
    others: list[Upload] = []
    names, whole, wrong = [], Overrides(), []
    for file in files:
        try:
            said = Overrides.from_upload(file)
        except UserError as error:
            wrong.append(error)
            continue
        if said is None:
            others.append(file)
        else:
            names.append(file.name)
            whole = said.after(whole)
    return others, Said(whole, tuple(names)) if names else None, wrong


def apply(said: Said) -> None:
    """Callback: understand the open runs as the file says.

    Raises
    ------
    UserError
        If they cannot be understood so; nothing is changed then.
    """
    text = said.overrides.format()
    there = opening.opened(state.get("runs"))
    try:
        gathered = there.gathered if there else data.gathered(state.get("runs"))
        table = understand(gathered, there.notes if there else (), said.overrides)
    except opening.StillReading:  # the page says it once they are read
        table = None
    except UserError as error:
        raise said.misfit(error) from None
    if there and table is not None:
        there.add(text, table)
    state.put(map=text, y=state.CONTROLS["y"].default)
