"""Finished runs found by what a person calls them, and what is told of jobs that began with their weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.jobs import JobRequest, Queue
from scaling_core.jobs.index import Index
from scaling_core.jobs.results import ladder_upload
from scaling_core.jobs.starts import curve_of, find_run, finished_runs, started_from
from scaling_core.runs import load
from scaling_core.training import RunFolder, StartSpec, TrainSpec
from scaling_core.training.folder import CHECKPOINT_VERSION

SPEC = TrainSpec("w16-l2-1M", 1_048_576)


def ended(queue: Queue, ladder: str, *specs: TrainSpec) -> int:
    """A ladder whose jobs have ended well."""
    number = queue.add_ladder(ladder, [JobRequest(spec.name, spec_json=spec.to_json()) for spec in specs])
    index = Index(queue.home)
    for job, spec in zip(queue.jobs(number), specs, strict=True):
        job.run.finish({"run": spec.name, "role": spec.role, "n_params": 1000, "tokens": spec.tokens, "loss": 2.0,
                        "shape": {"symbols": 256, "outputs": 256}, "checkpoint_version": CHECKPOINT_VERSION,
                        "flops": 6e3 * spec.tokens, "steps": spec.steps, "start": {"folder": spec.start.folder,
                        "kind": spec.start.kind}, "tuned_from": {"run": "w16-l2-1M", "before": 3.0}
                        if spec.start.folder else None})  # fmt: skip
        job.run.last.write_bytes(b"weights")
        index.become(job, "done", "ended well")
    index.close()
    return number


def test_a_run_is_found_by_id_name_ladder_or_folder(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    ended(queue, "first", SPEC)
    folder = tmp_path / "ladders" / "first" / SPEC.name
    for text in ("1", SPEC.name, f"first/{SPEC.name}", f" {folder} "):
        assert find_run(queue, text) == folder
    ended(queue, "second", SPEC)
    with pytest.raises(UserError, match="2 runs are called") as several:
        find_run(queue, SPEC.name)
    assert several.value.fix == f"Give the id of one: 1 (first/{SPEC.name}), 2 (second/{SPEC.name})."
    for wrong in ("3", "nobody", "", "first/nobody"):
        with pytest.raises(UserError):
            find_run(queue, wrong)


def test_those_that_can_be_started_from_are_listed_newest_ladder_first(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    ended(queue, "first", SPEC, replace(SPEC, name="trunk", role="trunk"))
    ended(queue, "second", replace(SPEC, name="short", tokens=1024), replace(SPEC, name="long"))
    queue.add_ladder("third", [JobRequest("waits", spec_json=SPEC.to_json())])
    assert [run.name for run in finished_runs(queue)] == ["long", "short", SPEC.name]
    (tmp_path / "ladders/second/long/checkpoints/last.pt").unlink()
    assert [run.name for run in finished_runs(queue)] == ["short", SPEC.name]


def test_a_tuned_run_is_told_from_through_its_trunk_and_carries_its_curve(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    ended(queue, "first", SPEC)
    base = tmp_path / "ladders" / "first" / SPEC.name
    trunk = replace(SPEC, name="trunk", role="trunk", tokens=8192, start=StartSpec(str(base), kind="fine-tune"))
    branch = replace(SPEC, name="branch", tokens=6144, start=StartSpec("trunk", 4096))
    number = ended(queue, "tuned", trunk, branch)
    folder = queue.ladder(number).folder
    assert [started_from(folder / name) for name in ("trunk", "branch")] == [f"first/{SPEC.name}"] * 2
    assert started_from(base) == ""

    def log(name: str, *rows: dict[str, float]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (RunFolder(folder / name).path / "metrics.jsonl").write_text(text)

    log("trunk", {"step": 0, "tokens": 0, "val_loss": 3.0}, {"step": 2, "tokens": 2048, "loss": 2.8},
        {"step": 2, "tokens": 2048, "val_loss": 2.7}, {"step": 6, "tokens": 6144, "val_loss": 2.4})  # fmt: skip
    log("branch", {"step": 6, "tokens": 6144, "loss": 2.1}, {"step": 6, "tokens": 6144, "val_loss": 2.0})
    assert [row["step"] for row in curve_of(folder / "branch")] == [0, 2, 2, 6, 6], "the trunk's beyond are not its own"
    frame = load([ladder_upload(folder)]).frame
    assert frame["run"].tolist() == ["branch"] * 2
    assert frame["tokens"].tolist() == [2048, 6144]
    assert frame["loss"].tolist() == [2.7, 2.0]
    assert frame["flops"].tolist() == pytest.approx([6e3 * 2048, 6e3 * 6144])
    assert frame["is_final"].tolist() == [False, True]
    assert set(frame["started_from"]) == {f"first/{SPEC.name}"}
