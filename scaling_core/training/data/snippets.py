"""Snippets of the standard library and the package that each is from: text classification without a download.

A snippet is as long as the network's context. Those to train on begin every quarter of their length: examples that
share bytes were measured to teach as much as others. Files are held out whole, so what is learned is how a package
writes, not which file a snippet is from. Like the library, they differ between Python versions.
"""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch
from scaling_core.training.data.examples import Examples
from scaling_core.training.data.stdlib import library_files
from scaling_core.training.data.windows import BYTES
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec

CLASSES = 12
#: A package of fewer files leaves nothing to tell its style by once some are held out.
_FEWEST_FILES = 5
#: Files are held out up to this share of each package's bytes.
_HELD_OUT = 0.2
_SMALLEST_FILE = 256
#: Snippets to train on overlap: one begins every so many parts of its length.
_PARTS = 4


def open_snippets(spec: DataSpec, context: int) -> Examples:
    """Open snippets of ``context`` bytes from the twelve largest packages of five files or more.

    Raises
    ------
    UserError
        If the library's source is not installed, or a snippet would be longer than its files.
    """
    root = Path(sysconfig.get_path("stdlib"))
    packages = largest_packages(root)
    if len(packages) < CLASSES:
        raise UserError("The source of the standard library is not installed here.", where=str(root))
    digest = hashlib.sha256()
    parts: tuple[list[Batch], list[Batch]] = ([], [])
    for label, files in enumerate(packages.values()):
        for part, chosen, step in zip(parts, split(root, files), (max(1, context // _PARTS), context), strict=True):
            for path in chosen:
                data = path.read_bytes()
                digest.update(data)
                part.append(_cut(data, label, context, step))
    training, held_out = _joined(parts[0]), _joined(parts[1])
    if not len(training.targets) or not len(held_out.targets):
        raise UserError(f"Snippets of {context} bytes are longer than the files.", where="context")
    held_out = _evenly(_unseen(held_out, training), spec.validation_tokens)
    provenance = {
        "source": "snippets",
        "title": f"Standard library of Python {platform.python_version()}: which package a snippet is from",
        "unit": "examples",
        "licence": "PSF",
        "split": "by file; held-out snippets that are word for word in training are left out",
        "classes": list(packages),
        "snippet_bytes": context,
        "overlap": f"training snippets begin every {max(1, context // _PARTS)} bytes",
        "training_examples": len(training.targets),
        "validation_examples": len(held_out.targets),
        "sha256": digest.hexdigest(),
    }
    shape = DataShape("labels", BYTES, len(packages), (context,))
    return Examples(training, held_out, shape, spec.seed, provenance)


def largest_packages(root: Path) -> dict[str, list[Path]]:
    """The files of the largest packages by bytes, largest first; tests and tiny files apart."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in library_files(root):
        name = path.relative_to(root).parts[0]
        if path.parent != root and path.stat().st_size >= _SMALLEST_FILE:
            files[name].append(path)
    sizes = {name: sum(path.stat().st_size for path in paths) for name, paths in files.items()}
    enough = [name for name in files if len(files[name]) >= _FEWEST_FILES]
    return {name: sorted(files[name]) for name in sorted(enough, key=lambda name: (-sizes[name], name))[:CLASSES]}


def split(root: Path, files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files to train on and files held out: in the order of their hashed names, as many as fit into a fifth of all."""
    ranked = sorted(files, key=lambda path: hashlib.sha256(path.relative_to(root).as_posix().encode()).digest())
    room = _HELD_OUT * sum(path.stat().st_size for path in files)
    held_out = []
    for path in ranked:
        if path.stat().st_size <= room:
            held_out.append(path)
            room -= path.stat().st_size
    return [path for path in ranked if path not in held_out], held_out


def _cut(data: bytes, label: int, length: int, step: int) -> Batch:
    """Cut a file into snippets that begin every ``step`` bytes; what is left at its end is dropped."""
    text = np.frombuffer(data, np.uint8)
    if text.size < length:
        return Batch(np.empty((0, length), np.uint8), np.empty(0, np.int64))
    inputs = np.lib.stride_tricks.sliding_window_view(text, length)[::step]
    return Batch(inputs, np.full(len(inputs), label, np.int64))


def _joined(parts: Sequence[Batch]) -> Batch:
    return Batch(np.concatenate([p.inputs for p in parts]), np.concatenate([p.targets for p in parts]))


def _unseen(held_out: Batch, training: Batch) -> Batch:
    """Leave out what is word for word in training too: tables of encodings share lines."""
    seen = {row.tobytes() for row in training.inputs}
    new = np.array([row.tobytes() not in seen for row in held_out.inputs], dtype=bool)
    return Batch(held_out.inputs[new], held_out.targets[new])


def _evenly(batch: Batch, most: int) -> Batch:
    rows = len(batch.targets)
    chosen = np.linspace(0, rows - 1, max(1, min(most, rows))).astype(np.int64)
    return Batch(batch.inputs[chosen], batch.targets[chosen])
