"""The kinds of job that make a ladder: its training runs, and the forecast of its test run."""

from __future__ import annotations

import importlib

from scaling_core.jobs.control import Control
from scaling_core.training.folder import RunFolder
from scaling_core.training.spec import TrainSpec


def train_run(folder: RunFolder, control: Control) -> None:
    """Train the run of a folder, from its last checkpoint where there is one."""
    train = importlib.import_module("scaling_core.training.loop").train
    train(TrainSpec.from_json(folder.spec_json), folder, control)


def forecast_ladder(folder: RunFolder, control: Control) -> None:
    """Foretell the ladder's test run from the runs that are done; writes ``forecast.json`` beside the run folders."""
    control.report(message="fits the law to the runs that are done")
    write_forecast = importlib.import_module("scaling_core.training.forecast").write_forecast
    write_forecast(folder.path.parent)
    control.report(tokens=1, message="")
    folder.finish({"run": folder.name, "role": "forecast"})
