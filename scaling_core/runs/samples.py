"""The sample runs that come with the explorer."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scaling_core.errors import UserError
from scaling_core.runs.overrides import Overrides
from scaling_core.runs.upload import Upload

FOLDER = Path(__file__).parents[2] / "sample_runs"


@dataclass(frozen=True)
class Sample:
    """A set of published runs to try things on.

    Attributes
    ----------
    name, title : str
        As written in links, and as shown.
    files : tuple of str
        Names of files in ``sample_runs``.
    about : str
        One sentence: what it is, and what can and cannot be fitted on it.
    source : str
        The publication.
    overrides : Overrides
        Corrections that its files need.
    """

    name: str
    title: str
    files: tuple[str, ...]
    about: str
    source: str
    overrides: Overrides

    def uploads(self) -> tuple[Upload, ...]:
        """Return its files, as if a person had given them."""
        return tuple(Upload.from_path(FOLDER / name) for name in self.files)


@cache
def samples() -> tuple[Sample, ...]:
    """Return all samples, the default first."""
    entries = tomllib.loads((FOLDER / "index.toml").read_text(encoding="utf-8"))["sample"]
    return tuple(
        Sample(
            name=entry["name"],
            title=entry["title"],
            files=tuple(entry["files"]),
            about=entry["about"],
            source=entry["source"],
            overrides=Overrides.parse(entry.get("overrides", "")),
        )
        for entry in entries
    )


def sample(name: str) -> Sample:
    """Return the sample of that name.

    Raises
    ------
    UserError
        If there is none; the message lists them.
    """
    for candidate in samples():
        if candidate.name == name:
            return candidate
    known = ", ".join(s.name for s in samples())
    raise UserError(f"There is no sample “{name}”.", fix=f"Choose one of {known}.")
