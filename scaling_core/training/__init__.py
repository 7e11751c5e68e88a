"""How runs are made: models, data, the loop that trains them, and the ladders that plan them.

A run is a ``TrainSpec`` and a folder (``RunFolder``): ``train`` reads the one and writes the other. It imports torch;
what only plans or reads runs does not.
"""

from __future__ import annotations

from scaling_core.training.folder import RunFolder, Status
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec, StartSpec, TrainSpec

__all__ = ["DataSpec", "ModelSpec", "OptimiserSpec", "RunFolder", "StartSpec", "Status", "TrainSpec"]
