"""The parts of the loop: schedules, orthogonal moves, precision, checkpoints, text."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from scaling_core.errors import UserError
from scaling_core.training import checkpoint
from scaling_core.training.data import open_source
from scaling_core.training.folder import RunFolder
from scaling_core.training.metrics_log import MetricsLog
from scaling_core.training.muon import Muon, orthogonal
from scaling_core.training.precision import choose
from scaling_core.training.schedule import cooldown_begin, share
from scaling_core.training.spec import DataSpec, OptimiserSpec


def test_wsd_warms_up_stays_and_falls_in_a_line() -> None:
    spec = OptimiserSpec(warmup_steps=4, cooldown=0.25)
    shares = [share(spec, step, 40) for step in range(40)]
    assert shares[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert cooldown_begin(spec, 40) == 30
    assert shares[29] == 1.0
    np.testing.assert_allclose(shares[30:], np.arange(10, 0, -1) / 11)


def test_a_trunk_never_falls_and_a_cosine_ends_at_a_tenth() -> None:
    assert share(OptimiserSpec(), 10_000, None) == 1.0
    cosine = OptimiserSpec(schedule="cosine", warmup_steps=0)
    assert share(cosine, 0, 100) == pytest.approx(1.0)
    assert share(cosine, 50, 100) == pytest.approx(0.55)
    assert share(cosine, 100, 100) == pytest.approx(0.1)


@pytest.mark.parametrize("shape", [(3, 24, 24), (2, 96, 24), (2, 24, 96)])
def test_orthogonal_keeps_the_directions_and_makes_the_lengths_one(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape, dtype=torch.float64), full_matrices=False)
    lengths = torch.linspace(0.1, 1.0, 24, dtype=torch.float64)
    made = orthogonal((left * lengths) @ right)
    found = torch.linalg.svdvals(made)
    assert found.min() > 0.73 - 1e-3  # three polynomials err at most .2694 from .01 on
    assert found.max() < 1.27 + 1e-3
    # The directions are those of the decomposition: only the lengths are off.
    core = left.transpose(1, 2) @ made @ right.transpose(1, 2)
    assert (core - torch.diag_embed(core.diagonal(dim1=1, dim2=2))).abs().max() < 1e-4


def test_muon_moves_stacked_matrices_as_it_moves_each_alone() -> None:
    torch.manual_seed(0)
    weights, gradients = torch.randn(2, 3, 8, 8)
    together = [w.clone().requires_grad_() for w in weights]
    alone = [w.clone().requires_grad_() for w in weights]
    for group in ([together], [[w] for w in alone]):
        for members in group:
            for number, weight in enumerate(members):
                weight.grad = gradients[
                    number if len(members) > 1 else [id(w) for w in alone].index(id(weight))
                ].clone()
            Muon(members, 0.1).step()
    torch.testing.assert_close(torch.stack(together), torch.stack(alone), rtol=1e-5, atol=1e-6)
    # A step of rate .1 along a nearly orthogonal matrix: the singular values of the move are about .1.
    moved = torch.linalg.svdvals((torch.stack(together) - weights).detach())
    assert (moved[:, 0] - 0.1).abs().max() < 0.03


CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_precision_is_what_the_hardware_has_units_for() -> None:
    assert choose("auto", GPU, {"cuda": (8, 0)}).name == "bf16"
    assert choose("auto", GPU, {"cuda": (7, 5)}).name == "fp32"
    assert choose("auto", CPU, {"avx512_bf16": True}, width=64).name == "bf16"
    assert choose("auto", CPU, {"avx512_bf16": True}, width=32).name == "fp32"
    assert choose("auto", CPU, {"avx2": True}, width=64).name == "fp32"
    assert choose("fp16", GPU, {"cuda": (7, 5)}).scaled
    assert choose("bf16", CPU, {"avx512_bf16": True}).name == "bf16"
    for wanted, device, able in (("bf16", CPU, {"avx2": True}), ("bf16", GPU, {"cuda": (7, 0)}), ("fp16", CPU, {})):
        with pytest.raises(UserError, match=r"units|GPU"):
            choose(wanted, device, able)  # type: ignore[arg-type]


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk is full") as caught:
        checkpoint.save(path, {"step": 2})
    assert caught.value.errno == errno.ENOSPC
    assert checkpoint.load(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(UserError, match="no checkpoint"):
        checkpoint.load(tmp_path / "text.pt")


def test_a_torn_line_is_mended_and_a_step_is_told_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 5}\n{"step": 2, "lo')
    log = MetricsLog(folder)
    for step in (1, 2, 3):
        log.write({"step": step, "loss": 6})
    assert [(row["step"], row["loss"]) for row in folder.metrics()] == [(1, 5), (2, 6), (3, 6)]


def test_text_of_a_file_is_seen_once_in_a_pass_and_never_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes((np.arange(4000) % 251).astype(np.uint8).tobytes().replace(b"\0", b"\1"))
    source = open_source(DataSpec("text", str(path), validation_tokens=64), 16)
    assert source.unique_tokens == (3800 - 1) // 16 * 16
    rows = source.batch(0, source.unique_tokens)
    assert rows.inputs.shape == (237, 16)
    np.testing.assert_array_equal(rows.inputs[:, 1:], rows.targets[:, :-1])
    data = np.frombuffer(path.read_bytes(), np.uint8)
    np.testing.assert_array_equal(np.sort(rows.inputs, axis=None), np.sort(data[: 237 * 16]))
    again = np.vstack([source.batch(0, 32).inputs, source.batch(32, 64).inputs])
    np.testing.assert_array_equal(rows.inputs[:6], again)
    assert source.validation().inputs.shape == (4, 16)
    assert source.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("content", "message"), [(b"", "empty"), (b"abc", "too small"), (b"\0\1" * 4000, "not text")])
def test_text_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_source(DataSpec("text", str(path)), 16)


def test_a_folder_is_split_by_file_and_packed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path / "home"))
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_bytes(bytes([65 + number]) * 400)
    (folder / "image.png").write_bytes(b"\0" * 50)
    source = open_source(DataSpec("text", str(folder)), 16)
    trained, held = (
        set(np.unique(source.batch(0, source.unique_tokens).inputs)),
        set(np.unique(source.validation().inputs)),
    )
    assert len(held) == 1
    assert not trained & held
    assert source.provenance["left_out"] == 1
    assert open_source(DataSpec("text", str(folder)), 16).provenance == source.provenance
    with pytest.raises(UserError, match="no such file"):
        open_source(DataSpec("text", str(tmp_path / "nowhere")), 16)
