"""The same runs on Ray and through submitit: started, killed, asked to pause and cancel, and gone on with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs_helpers import all_in, kill, named, nothing_left, probe, starts_of, states, steps_of, until, worker_of

from scaling_core.errors import UserError
from scaling_core.jobs import Limits, Queue, ensure_supervisor, supervisor_of
from scaling_core.jobs.executors import make_executor
from scaling_core.jobs.launch import environment


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of this machine."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(params=[True, False], ids=["shared", "sent"])
def on_ray(request: pytest.FixtureRequest, cluster: str, tmp_path: Path) -> Iterator[Queue]:
    """A queue whose jobs run on the cluster, in their folders or away from them."""
    with nothing_left(tmp_path):
        queue = Queue(tmp_path)
        queue.set_setting("ray", {"shared": request.param, "address": cluster})
        yield queue


def test_ray_runs_jobs_and_survives_what_befalls_them(on_ray: Queue) -> None:
    queue = on_ray
    queue.set_limits(Limits(slots=3))
    jobs = [probe("killed", 40, 0.05), probe("paused", 200, 0.05), probe("stuck", 2, 600.0), probe("quick")]
    jobs.append(probe("bad", fail="the loss is not finite"))
    queue.add_ladder("some", jobs, executor="ray")
    ensure_supervisor(queue.home)
    killed, paused, stuck = (named(queue, name) for name in ("killed", "paused", "stuck"))
    worker_of(killed, 60)
    until(lambda: steps_of(stuck), 60)
    queue.want([stuck.id], "cancel")
    kill(worker_of(killed))
    until(lambda: len(steps_of(paused)) > 3, 60)
    queue.want([paused.id], "pause")
    until(lambda: states(queue)["paused"] == "paused")
    queue.want([paused.id], "run")
    wanted = {"killed": "done", "paused": "done", "stuck": "cancelled", "quick": "done", "bad": "failed"}
    until(lambda: states(queue) == wanted, 60)
    assert sorted(set(steps_of(killed))) == list(range(1, 41))
    assert starts_of(killed) == 2
    assert any("WorkerCrashedError" in e.reason for e in queue.events(killed.id))
    assert steps_of(paused) == list(range(1, 201))
    assert starts_of(paused) == 2
    assert steps_of(stuck) == [1]
    assert named(queue, "bad").message == "the loss is not finite"


@pytest.fixture
def on_slurm(tmp_path: Path) -> Iterator[Queue]:
    """A queue whose jobs go through submitit to processes of this machine."""
    pytest.importorskip("submitit")
    with nothing_left(tmp_path):
        queue = Queue(tmp_path)
        queue.set_setting("slurm", {"cluster": "local", "minutes": 5})
        yield queue


def test_submitit_runs_jobs_and_finds_them_again_after_its_supervisor_was_killed(on_slurm: Queue) -> None:
    queue = on_slurm
    queue.set_limits(Limits(slots=2))
    queue.add_ladder("some", [probe("a", 60, 0.05), probe("b", 60, 0.05), probe("c")], executor="slurm")
    ensure_supervisor(queue.home)
    a, b = named(queue, "a"), named(queue, "b")
    kill(worker_of(b))
    until(lambda: len(steps_of(a)) > 3)
    _kill_supervisor(queue)
    ensure_supervisor(queue.home)
    until(all_in(queue, "done"))
    assert steps_of(a) == list(range(1, 61))
    assert starts_of(a) == 1
    assert sorted(set(steps_of(b))) == list(range(1, 61))
    assert starts_of(b) == 2


def _kill_supervisor(queue: Queue) -> None:
    supervisor = supervisor_of(queue.home)
    assert supervisor is not None
    kill(supervisor.pid)
    until(lambda: supervisor_of(queue.home) is None)


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_package_is_named(name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs the package “{package}”.*pip install"):
        make_executor(name, tmp_path, Limits(), {})


def test_an_option_that_an_executor_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="speed"):
        make_executor("local", tmp_path, Limits(), {"speed": 2})


def test_slurm_without_slurm_says_so(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(UserError, match="SLURM cannot be used here"):
        make_executor("slurm", tmp_path, Limits(), {})
