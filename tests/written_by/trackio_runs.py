"""Let trackio write a project of known losses: ``TRACKIO_DIR=x python -m written_by.trackio_runs``.

A run with nested metrics and settings, one of two sittings, one with values that are no numbers, and two of one name.
"""

from __future__ import annotations

import trackio

from written_by import loss

STEPS = 40


def begin(name: str, resume: str = "never", **config: object) -> None:
    """Begin a run of the project."""
    unwatched = {"auto_log_gpu": False, "auto_log_cpu": False}
    trackio.init("sweep", name=name, config=config, resume=resume, embed=False, **unwatched)


def log(number: int, steps: range, **more: object) -> None:
    """Log training at every step and validation at some."""
    for s in steps:
        row = {"train/loss": loss(number, s) + 0.1, "train/tokens": 4096 * s, **more}
        trackio.log(row | ({"val/loss": loss(number, s)} if s % 10 == 0 else {}), step=s)


def write() -> None:
    """Write all runs."""
    begin("nested", n_params=1_000_000, model={"layers": 3, "name": "gpt"}, betas=[0.9, 0.95], compile=True)
    log(0, range(STEPS), norms={"layer0": 0.5, "deep": {"x": 1.5}}, note="text", weights=trackio.Histogram([1, 2, 3]))
    trackio.log({"norms": {"layer0": 0.25}}, step=STEPS)
    trackio.finish()
    for resume, number, steps in (("never", 1, range(30)), ("must", 2, range(20, STEPS))):
        begin("resumed", resume, n_params=2_000_000)
        log(number, steps)
        trackio.finish()
    begin("odd", n_params=4_000_000)
    log(3, range(21))
    trackio.log({"val/loss": float("nan"), "train/loss": float("inf")}, step=30)
    trackio.log({"train/loss": None, "val/loss": float("-inf")}, step=35)
    trackio.finish()
    for number in (4, 5):
        begin("twice", n_params=8_000_000 * number)
        log(number, range(11))
        trackio.finish()


if __name__ == "__main__":
    write()
