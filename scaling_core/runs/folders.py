"""Which files of a folder belong to one run, what the run is called, and the settings that lie beside its log."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import yaml

from scaling_core.errors import UserError
from scaling_core.runs.members import SETTINGS
from scaling_core.runs.readers.text import as_utf8
from scaling_core.runs.settings import Scalar, flat
from scaling_core.runs.upload import Upload

#: Folders inside a run's that hold its checkpoints, settings, or the log of one split; what lies in them is the run's.
_INSIDE = re.compile(
    r"checkpoint-\d+|step-\d+|checkpoints?|ckpts?|final|\.hydra|logs?|train|training|val|valid|validation|eval|test"
)
_LARGEST = 4 * 2**20
_MOST_SETTINGS = 5_000
_MOST_ALIASES = 50
_FIX = "Leave the file out, or write it again."


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads YAML without building objects: what a tag would construct is left out, and so are bombs of aliases."""

    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > _MOST_ALIASES:
                raise yaml.YAMLError("it repeats itself too often")
        return super().compose_node(parent, index)

    def flatten_mapping(self, node: Any) -> None:
        """Leave keys of ``<<`` as they are."""


def _left_out(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> None:
    """Construct nothing for a tag that YAML itself does not define."""


_Loader.add_multi_constructor("", _left_out)


def _yaml(text: str) -> object:
    return yaml.load(text, Loader=_Loader)


_PARSERS: dict[str, Callable[[str], object]] = {".json": json.loads, ".toml": tomllib.loads}


def is_settings(name: str) -> bool:
    """Whether a file is one of settings, by its name."""
    return SETTINGS.fullmatch(PurePosixPath(name).name.lower()) is not None


def read_settings(upload: Upload) -> dict[str, Scalar]:
    """Read a file of settings, nested ones flattened with dots.

    Raises
    ------
    UserError
        If it is broken, holds no names with values, or is too large.
    """
    if len(upload.data) > _LARGEST:
        raise UserError("The file is too large for one of settings.", where=upload.name, fix=_FIX)
    text = as_utf8(upload.data, upload.name)[0].decode(errors="replace")
    try:
        value = _PARSERS.get(PurePosixPath(upload.name).suffix.lower(), _yaml)(text)
    except (ValueError, yaml.YAMLError, RecursionError, TypeError, AttributeError) as error:
        why = str(error).split("\n", 1)[0][:200] if not isinstance(error, RecursionError) else "nested too deeply"
        raise UserError(f"The settings cannot be read: {why}.", where=upload.name, fix=_FIX) from None
    if not isinstance(value, dict) or not value:
        raise UserError("The file holds no names with values.", where=upload.name, fix=_FIX)
    return {_plain(name): cell for name, cell in islice(flat(_with_text_keys(value)), _MOST_SETTINGS)}


def run_folder(path: str) -> str:
    """Return the folder of the run that a file belongs to: its own, or the one around checkpoints and the like."""
    parts = list(PurePosixPath(path).parent.parts)
    while len(parts) > 1 and _INSIDE.fullmatch(parts[-1].lower()):
        parts.pop()
    return "/".join(parts)


def by_folder(settings: Mapping[str, dict[str, Scalar]]) -> dict[str, dict[str, Scalar]]:
    """Gather what files of settings say by the folder of the run they lie in; the file of the last name wins."""
    found: dict[str, dict[str, Scalar]] = {}
    for path in sorted(settings):
        found.setdefault(run_folder(path), {}).update(settings[path])
    return found


def settings_for(folder: str, settings: Mapping[str, dict[str, Scalar]]) -> dict[str, Scalar]:
    """Return what files of settings say of a run in a folder: those in the folders above it, then those beside it.

    Parameters
    ----------
    folder : str
        As from ``run_folder``.
    settings : mapping of str to dict
        As from ``by_folder``.
    """
    merged: dict[str, Scalar] = {}
    for place in reversed(upwards(folder)):
        merged |= settings.get(place, {})
    return merged


def upwards(folder: str) -> list[str]:
    """Return a folder and those above it, up to that of files dropped without any."""
    parts = PurePosixPath(folder).parts
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)] + [""]


def run_names(paths: Sequence[str]) -> list[str]:
    """Name each run by its file: by its folder where that tells it apart, else by folder and file.

    Parameters
    ----------
    paths : sequence of str
        One file of each run.
    """
    folders = [run_folder(path) for path in paths]
    shared = _shared([PurePosixPath(f).parts for f in folders])
    return [
        _name(path, folder, folders.count(folder) == 1, shared) for path, folder in zip(paths, folders, strict=True)
    ]


def _name(path: str, folder: str, is_alone: bool, shared: int) -> str:
    stem = PurePosixPath(path).stem or path
    parts = PurePosixPath(folder).parts
    inside = "/".join(parts[shared:]) or (parts[-1] if parts else "")
    if not inside:
        return stem
    return inside if is_alone else f"{'/'.join((*parts[shared:], stem))}"


def _shared(parts: Sequence[tuple[str, ...]]) -> int:
    """Count the parts that all folders begin with."""
    count = 0
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        count += 1
    return count


def _plain(name: str) -> str:
    # W&B writes config.yaml as "name: {value: …, desc: …}".
    return name.removesuffix(".value")


def _with_text_keys(value: Any, depth: int = 0) -> Any:
    if not isinstance(value, dict) or depth > 20:
        return value
    return {str(key): _with_text_keys(cell, depth + 1) for key, cell in value.items() if isinstance(key, Hashable)}
