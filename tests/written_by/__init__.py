"""Files that the tools themselves wrote: what the readers of logs are tested on.

MLflow and trackio write theirs in the test, in a process of their own. Lightning, Keras and Transformers take longer to
import than to train: what they wrote lies in ``samples``, made by the scripts here with the versions that
``samples/README.md`` names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
#: No network, no telemetry, no accelerator.
QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "torch",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "TRANSFORMERS_OFFLINE": "1",
}


def loss(run: int, step: int) -> float:
    """Return the validation loss that is logged, so that a test can say what it must read."""
    return 2.0 + (run + 1) / (step + 10)


def written(tool: str, *arguments: str, **environment: str) -> None:
    """Let a tool write its files: run ``<tool>_runs.py`` here."""
    subprocess.run(
        [sys.executable, "-m", f"written_by.{tool}_runs", *arguments],
        check=True,
        cwd=Path(__file__).parents[1],
        env=os.environ | QUIET | environment,
        capture_output=True,
        timeout=240,
    )
