"""Where jobs can run, as a person chooses it: what each executor is for, and what it still needs here."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """An executor for a person.

    Attributes
    ----------
    name : str
        In ``scaling_core.jobs.executors.EXECUTORS``.
    title, about : str
    missing : str
        What it needs that is not here; empty where it can be used.
    install : str
        The command, or what to do, so that it can be used.
    """

    name: str
    title: str
    about: str
    missing: str = ""
    install: str = ""


def places() -> tuple[Place, ...]:
    """Every executor, this machine first."""
    return (
        Place("local", "This machine", "One process a core, or a few on each GPU. Jobs go on when the app is closed."),
        _needing("ray", "Ray", "ray", "A cluster of machines, or this one: RAY_ADDRESS or the address below names it."),
        _slurm(),
    )


def _needing(name: str, title: str, package: str, about: str) -> Place:
    if importlib.util.find_spec(package) is not None:
        return Place(name, title, about)
    return Place(name, title, about, f"the package “{package}”", "pip install -r requirements-cluster.txt")


def _slurm() -> Place:
    place = _needing("slurm", "SLURM", "submitit", "A SLURM site: one job a run, on storage that its nodes share.")
    if not place.missing and shutil.which("sbatch") is None:
        return Place(place.name, place.title, place.about, "the command “sbatch”", "Start this on a login node.")
    return place
