"""The standard library's own source: text that is on every machine, under the PSF licence.

It differs between Python versions, so runs of different machines are comparable only where the SHA-256 is the same.
"""

from __future__ import annotations

import platform
import sysconfig
from dataclasses import asdict
from pathlib import Path

from scaling_core.training.data.corpus import pack
from scaling_core.training.data.windows import Windows
from scaling_core.training.spec import DataSpec

_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}


def open_stdlib(spec: DataSpec, context: int) -> Windows:
    """Open every ``.py`` file of the standard library but its tests; about a twentieth of the files is held out."""
    root = Path(sysconfig.get_path("stdlib"))
    packed, training, held_out = pack(root, library_files(root))
    provenance = {
        "source": "stdlib",
        "title": f"Standard library of Python {platform.python_version()}, .py files without tests",
        "licence": "PSF",
        "split": packed.split,
        **asdict(packed),
    }
    return Windows(training, held_out, context, spec.seed, max(1, spec.validation_tokens // context), provenance)


def library_files(root: Path) -> list[Path]:
    """Every module of the library but installed packages and tests."""
    return [p for p in root.rglob("*.py") if not _LEFT_OUT & set(p.relative_to(root).parts) and p.is_file()]
