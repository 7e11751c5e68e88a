"""Whole runs: resumed, branched, split among parts and processes, and those that cannot go on."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from scaling_core.errors import UserError
from scaling_core.training.folder import RunFolder, Wanted
from scaling_core.training.loop import train
from scaling_core.training.outcomes import finished, tuned
from scaling_core.training.precision import _has_bf16, capabilities
from scaling_core.training.ranks import Mailbox
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec, StartSpec, TrainSpec

#: Of a line, what depends on the clock and not on the run.
CLOCK = {"tokens_per_second", "mfu", "seconds", "memory_bytes"}
BATCH = 64


class Watch:
    """Follow a run, and want something else of it from a step on."""

    def __init__(self, until: int = 10**9, then: Wanted = "pause") -> None:
        self.left, self.then = until, then
        self.told: list[dict[str, Any]] = []

    def check(self) -> Wanted:
        self.left -= 1
        return "run" if self.left >= 0 else self.then

    def report(self, **progress: Any) -> None:
        self.told.append(progress)


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("SCALING_HOME", str(home))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("text") / "verse.txt"
    path.write_text("".join(f"{n} bottles of ale on the wall, {n * 7 % 13} more in the hall.\n" for n in range(400)))
    return str(path)


@pytest.fixture
def spec(text: str) -> TrainSpec:
    return TrainSpec(
        "small",
        40 * BATCH,
        ModelSpec(width=16, layers=1, context=16),
        DataSpec("text", text, validation_tokens=256),
        OptimiserSpec(batch_tokens=BATCH, warmup_steps=4),
        log_every=4,
        validate_every=10,
        seed=3,
    )


def run(spec: TrainSpec, path: Path, watch: Watch | None = None) -> RunFolder:
    folder = RunFolder(path)
    if not (path / "spec.json").exists():
        folder.create(spec.to_json())
    train(spec, folder, watch or Watch())
    return folder


def lines(folder: RunFolder) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in folder.metrics()]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["module"]


def same_weights(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_learns_and_says_what_it_was(spec: TrainSpec, tmp_path: Path) -> None:
    watch = Watch()
    folder = run(replace(spec, tokens=150 * BATCH), tmp_path / "a", watch)
    result = folder.result
    assert result is not None
    assert result["loss"] < 3.2 < math.log(256)  # it has learned which letters there are
    assert result["bits_per_byte"] == pytest.approx(result["loss"] / math.log(2))
    assert result["n_params"] == 12 * 16**2 + 256 * 16
    assert result["counts"]["total"] == result["n_params"] + 257 * 16
    assert result["flops_6nd"] == 6 * result["n_params"] * 150 * BATCH
    assert result["data"]["sha256"]
    assert result["core_share"] > 0
    assert watch.told[-1]["steps"] == 150
    rows = list(folder.metrics())
    assert [r["step"] for r in rows if "val_loss" in r] == list(range(10, 151, 10))
    assert rows[-1]["val_loss"] == result["loss"]


def test_a_resumed_run_is_the_run_that_was_never_stopped(spec: TrainSpec, tmp_path: Path) -> None:
    straight = run(spec, tmp_path / "straight")
    stopped = run(spec, tmp_path / "stopped", Watch(22))
    assert stopped.result is None
    assert torch.load(stopped.last, weights_only=True)["step"] == 22
    run(spec, tmp_path / "stopped")
    assert lines(stopped) == lines(straight)
    assert same_weights(stopped.last, straight.last)
    assert stopped.result["loss"] == straight.result["loss"]  # type: ignore[index]


def test_a_branch_off_a_trunk_is_the_single_run(spec: TrainSpec, tmp_path: Path) -> None:
    whole = run(spec, tmp_path / "whole")
    trunk = replace(spec, name="trunk", role="trunk", tokens=60 * BATCH, keep_at=(28 * BATCH,))
    run(trunk, tmp_path / "trunk", Watch(35))  # the trunk need not have ended
    branch = run(replace(spec, start=StartSpec("trunk", 28 * BATCH)), tmp_path / "branch")
    assert same_weights(branch.last, whole.last)
    assert lines(branch) == [row for row in lines(whole) if row["step"] > 28]
    result = branch.result
    assert result is not None
    assert (result["tokens"], result["own_tokens"]) == (40 * BATCH, 12 * BATCH)


def test_a_run_on_images_says_what_is_known_of_images(tmp_path: Path) -> None:
    spec = TrainSpec("d", 128, ModelSpec("convnet", 8, 1), DataSpec("digits"), OptimiserSpec(batch_tokens=32))
    result = run(spec, tmp_path / "d").result
    assert result is not None
    assert (result["flops_6nd"], result["heads"], result.get("bits_per_byte")) == (None, None, None)
    assert result["flops"] > 6 * result["n_params"] * 128  # a weight is used at many pixels
    assert 0 < result["accuracy"] <= 1


def test_the_first_line_of_a_branch_is_the_mean_of_its_own_steps(spec: TrainSpec, tmp_path: Path) -> None:
    whole = run(replace(spec, log_every=1), tmp_path / "whole")
    every = {row["step"]: row["loss"] for row in whole.metrics() if "loss" in row}
    trunk = replace(spec, name="trunk", role="trunk", tokens=40 * BATCH, keep_at=(29 * BATCH,))
    run(trunk, tmp_path / "trunk")
    branch = run(replace(spec, start=StartSpec("trunk", 29 * BATCH)), tmp_path / "branch")  # between two lines
    first = next(row for row in branch.metrics() if "loss" in row)
    assert first["step"] == 32
    assert first["loss"] == pytest.approx(sum(every[step] for step in (30, 31, 32)) / 3, rel=1e-6)


def test_a_checkpoint_of_another_network_or_other_data_is_refused(spec: TrainSpec, tmp_path: Path) -> None:
    copy = tmp_path / "verse.txt"
    copy.write_bytes(Path(spec.data.path).read_bytes())
    spec = replace(spec, model=replace(spec.model, width=64), data=replace(spec.data, path=str(copy)))
    run(replace(spec, name="trunk", role="trunk", tokens=8 * BATCH), tmp_path / "trunk")
    kept = torch.load(tmp_path / "trunk" / "checkpoints" / "last.pt", weights_only=True)
    assert kept["model"]["heads"] == 2  # the specification leaves them open
    short = replace(spec, tokens=9 * BATCH, start=StartSpec("trunk"))
    branch = run(replace(short, model=replace(spec.model, heads=2)), tmp_path / "said")
    assert branch.result["heads"] == 2  # type: ignore[index]
    with pytest.raises(UserError, match="another network"):
        run(replace(short, model=replace(spec.model, heads=4)), tmp_path / "four")
    copy.write_bytes(b"9" + copy.read_bytes()[1:])  # as long as before
    with pytest.raises(UserError, match="not those that the checkpoint was trained on"):
        run(short, tmp_path / "changed")


def test_fine_tuning_takes_the_weights_alone_and_is_marked(spec: TrainSpec, tmp_path: Path) -> None:
    first = run(replace(spec, tokens=8 * BATCH), tmp_path / "first")
    start = StartSpec("first", kind="fine-tune")
    other = replace(spec, name="tuned", tokens=BATCH, data=replace(spec.data, seed=9), start=start)
    other = replace(other, optimiser=replace(other.optimiser, matrix_lr=0.0, other_lr=0.0))
    tuned = run(other, tmp_path / "tuned")
    assert same_weights(tuned.last, first.last)
    assert tuned.result["start"]["kind"] == "fine-tune"  # type: ignore[index]
    with pytest.raises(UserError, match="must go on with the data"):
        run(replace(other, start=StartSpec("first")), tmp_path / "wrong")
    with pytest.raises(UserError, match="another network than this run asks for: layers 1, not 2"):
        run(replace(other, model=replace(spec.model, layers=2)), tmp_path / "wider")
    state = torch.load(first.last, weights_only=True)
    state["module"] = {k: v[:8] if k.startswith("head") and v.ndim == 2 else v for k, v in state["module"].items()}
    torch.save(state, first.last)
    with pytest.raises(UserError, match=r"do not fit this network: size mismatch for head\..*\[8, 16\]"):
        run(replace(other, name="few"), tmp_path / "few")


def test_a_cool_down_off_a_fine_tuned_trunk_is_fine_tuned(spec: TrainSpec, tmp_path: Path) -> None:
    fp32 = replace(spec, precision="fp32")
    first = run(replace(fp32, tokens=8 * BATCH), tmp_path / "first")
    came = first.result["loss"]  # type: ignore[index]
    start = StartSpec("first", kind="fine-tune")
    trunk = replace(fp32, name="trunk", role="trunk", tokens=12 * BATCH, keep_at=(6 * BATCH,), start=start)
    run(trunk, tmp_path / "trunk")
    branch = run(replace(fp32, name="branch", tokens=9 * BATCH, start=StartSpec("trunk", 6 * BATCH)), tmp_path / "b")
    result = branch.result
    assert result is not None
    # On the data that they come from, weights are worth what their own run said of them.
    said = {"run": "first", "ladder": tmp_path.name, "folder": str(first.path), "tokens": 8 * BATCH, "loss": came}
    assert result["tuned_from"] == {**said, "before": pytest.approx(came, rel=1e-6)}
    assert (result["tokens"], result["own_tokens"]) == (9 * BATCH, 3 * BATCH)
    before = next(row for row in RunFolder(tmp_path / "trunk").metrics() if "val_loss" in row)
    assert (before["step"], before["val_loss"]) == (0, pytest.approx(came, rel=1e-6))
    assert finished(tmp_path)["run"].tolist() == ["small"], "no point of a law but the first run"
    assert tuned(tmp_path)[["run", "tuned_from"]].values.tolist() == [["branch", "first"]]
    again = run(replace(fp32, name="again", tokens=BATCH, start=StartSpec("b", kind="fine-tune")), tmp_path / "again")
    assert again.result["tuned_from"]["tokens"] == 17 * BATCH  # type: ignore[index]  # all that the weights have seen


def test_a_resumed_run_keeps_the_format_that_it_began_in(spec: TrainSpec, tmp_path: Path) -> None:
    stopped = run(replace(spec, model=replace(spec.model, width=64)), tmp_path / "a", Watch(6))
    state = torch.load(stopped.last, weights_only=True)
    here = "bf16" if _has_bf16(capabilities(torch.device("cpu"))) else "fp32"
    assert state["precision"] == here  # what “auto” takes at this width
    torch.save({**state, "precision": "fp32"}, stopped.last)
    wide = replace(spec, model=replace(spec.model, width=64))
    assert run(wide, tmp_path / "a").result["precision"] == "fp32"  # type: ignore[index]
    (tmp_path / "a" / "result.json").unlink()
    torch.save({**state, "precision": "fp16"}, stopped.last)  # as of a GPU
    with pytest.raises(UserError, match=r"begun in fp16, and cannot go on so here: .* needs a GPU") as no:
        run(wide, tmp_path / "a")
    assert "start it anew" in no.value.fix


def test_parts_of_a_batch_give_what_the_batch_gives(spec: TrainSpec, tmp_path: Path) -> None:
    one = run(spec, tmp_path / "one")
    two = run(replace(spec, optimiser=replace(spec.optimiser, accumulate=2)), tmp_path / "two")
    assert two.result["loss"] == pytest.approx(one.result["loss"], rel=1e-3)  # type: ignore[index]
    first, other = lines(one)[0], lines(two)[0]
    assert other["loss"] == pytest.approx(first["loss"], rel=1e-5)
    with pytest.raises(UserError, match="does not divide into parts"):
        run(replace(spec, optimiser=replace(spec.optimiser, accumulate=3)), tmp_path / "three")


def test_processes_whose_follower_was_killed_save_and_leave(tmp_path: Path) -> None:
    follower = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / "follower").write_text(str(follower.pid))
    mailbox = Mailbox(tmp_path)
    assert mailbox.check() == "run", "nothing was said yet"
    (tmp_path / "wanted").write_text("cancel")
    assert mailbox.check() == "cancel"
    follower.kill()
    follower.communicate()
    assert mailbox.check() == "pause"


def test_a_loss_that_is_no_number_ends_the_run(spec: TrainSpec, tmp_path: Path) -> None:
    wild = replace(spec, optimiser=replace(spec.optimiser, other_lr=1e30, clip=0))
    with pytest.raises(UserError, match=r"diverged at step \d+"):
        run(wild, tmp_path / "wild")
    folder = RunFolder(tmp_path / "wild")
    assert folder.result is None
    assert list(folder.metrics())[-1]["event"] == "diverged"
    assert not folder.last.exists()  # nothing broken was saved


def test_early_stopping_ends_a_run_that_no_longer_improves(spec: TrainSpec, tmp_path: Path) -> None:
    still = replace(spec.optimiser, matrix_lr=0.0, other_lr=0.0, early_stopping=2)
    folder = run(replace(spec, optimiser=still), tmp_path / "still")
    assert folder.result["steps"] == 30  # type: ignore[index]  # the first look counts as an improvement
    assert folder.result["ended_early"]  # type: ignore[index]


def test_a_run_that_cannot_be_is_refused(spec: TrainSpec, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no device"):
        run(replace(spec, device="abacus"), tmp_path / "a")
    with pytest.raises(UserError, match="no data source"):
        run(replace(spec, data=DataSpec("dreams")), tmp_path / "b")
    assert json.loads((tmp_path / "a" / "spec.json").read_text())["device"] == "abacus"
