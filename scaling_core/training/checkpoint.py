"""Everything that a run needs to go on exactly where it was, in a file that appears whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scaling_core.errors import UserError
from scaling_core.training.folder import CHECKPOINT_VERSION, sync_folder


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint: temporary file, fsync, rename, fsync of the folder. The one before stays until then.

    Raises
    ------
    OSError
        If the disk is full; the one before is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_bytes({"version": CHECKPOINT_VERSION, **state}))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise _plain(error, path) from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(path.parent)


def _bytes(state: dict[str, Any]) -> memoryview:
    """In memory first: torch's own writer hides a full disk behind an error of its own."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getbuffer()


def _plain(error: OSError, path: Path) -> OSError:
    if error.errno == errno.ENOSPC:
        return OSError(errno.ENOSPC, "The disk is full; the last checkpoint is intact", str(path))
    return error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is run as code.

    Raises
    ------
    UserError
        If there is none, or it is no checkpoint of this version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError("There is no such checkpoint.", where=str(path)) from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise UserError(f"This is no checkpoint ({type(error).__name__}).", where=str(path)) from None
    if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
        raise UserError(
            "This checkpoint is of another version of the networks.", where=str(path), fix="Train its run anew."
        )
    return state


def random_state() -> dict[str, Any]:
    """Return the state of every generator: torch's, those of the GPUs, and numpy's."""
    _, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": {"keys": torch.from_numpy(np.asarray(keys).astype(np.int64)), "rest": [place, has_gauss, gauss]},
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set every generator to what ``random_state`` gave; those of GPUs that are not here are left."""
    torch.set_rng_state(state["torch"])
    place, has_gauss, gauss = state["numpy"]["rest"]
    np.random.set_state(("MT19937", state["numpy"]["keys"].numpy().astype(np.uint32), place, has_gauss, gauss))
    for number, one in enumerate(state.get("cuda", ())):
        if torch.cuda.is_available() and number < torch.cuda.device_count():
            torch.cuda.set_rng_state(one, number)
