"""Images: what is drawn, what scikit-learn brings, and the convnet that learns them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from scaling_core.errors import UserError
from scaling_core.training.data import open_source
from scaling_core.training.data import shapes as module
from scaling_core.training.data.shapes import SHAPES, SIDE
from scaling_core.training.models import MODELS, DataShape
from scaling_core.training.spec import DataSpec, ModelSpec

IMAGES = DataShape("labels", 0, 10, (1, 16, 16))


def test_shapes_have_one_area_and_each_class_comes_up_as_often() -> None:
    labels = np.repeat(np.arange(len(SHAPES)), 20)
    chances = np.tile(np.linspace(0.05, 0.95, 20)[:, None], (len(SHAPES), 5))
    areas = module._covered(labels, chances).sum(axis=1).reshape(len(SHAPES), 20)
    assert np.abs(areas / areas.mean(axis=0) - 1).max() < 0.12
    held_out = open_source(DataSpec(source="shapes", validation_tokens=2000), 0).validation()
    counts = np.bincount(held_out.targets, minlength=10)
    assert np.abs(counts - counts.mean()).max() < 5 * np.sqrt(counts.mean())


def test_an_image_is_known_by_its_place_alone() -> None:
    source = open_source(DataSpec(source="shapes", validation_tokens=50), 0)
    whole = source.batch(1000, 24)
    parts = [source.batch(1000, 10), source.batch(1010, 14)]
    assert np.array_equal(whole.inputs, np.concatenate([part.inputs for part in parts]))
    assert np.array_equal(whole.targets, np.concatenate([part.targets for part in parts]))
    assert whole.inputs.shape == (24, 1, SIDE, SIDE)
    assert whole.inputs.dtype == np.float32
    assert source.validation().targets.size == 50
    assert not np.array_equal(source.validation().inputs[:24], source.batch(0, 24).inputs)


def test_digits_are_split_once_whatever_the_seed() -> None:
    one, other = (open_source(DataSpec(source="digits", seed=seed), 0) for seed in (0, 1))
    assert one.provenance["sha256"] == other.provenance["sha256"]
    assert (one.unique_tokens, one.validation().targets.size) == (1438, 359)
    assert np.array_equal(one.validation().inputs, other.validation().inputs)
    assert not np.array_equal(one.batch(0, 32).targets, other.batch(0, 32).targets)
    seen = np.sort(one.batch(0, 1438).targets)
    assert np.array_equal(seen, np.sort(one.training.targets))
    assert np.abs(one.training.inputs).max() == 1.0


@pytest.mark.parametrize(("width", "layers"), [(4, 1), (6, 2), (16, 3)])
def test_the_convnet_has_the_parameters_that_are_counted(width: int, layers: int) -> None:
    spec, family = ModelSpec("convnet", width, layers), MODELS["convnet"]
    counts, sizes = family.count(spec, IMAGES), {"embedding": 0, "blocks": 0, "head": 0}
    for name, parameter in family.build(spec, IMAGES).named_parameters():
        sizes[name.split(".")[0]] += parameter.numel()
    assert sizes == {"embedding": counts.embedding, "blocks": counts.blocks, "head": counts.head}
    w = width
    inside = (layers - 1) * (w * w + 4 * w * w + 16 * w * w) + 2 * w * w + 8 * w * w
    assert counts.blocks == 9 * inside
    assert counts.head == 40 * w


def test_the_flops_of_the_convnet_are_those_that_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    spec, family = ModelSpec("convnet", 8, 2), MODELS["convnet"]
    net, rows = family.build(spec, IMAGES), 4
    with FlopCounterMode(display=False) as counter:
        net(torch.randn(rows, 1, 16, 16)).sum().backward()
    assert family.flops_per_token(spec, IMAGES) * rows == pytest.approx(counter.get_total_flops(), rel=1e-12)


def test_the_convnet_learns_the_digits() -> None:
    torch.manual_seed(0)
    source = open_source(DataSpec(source="digits"), 0)
    net = MODELS["convnet"].build(ModelSpec("convnet", 8, 1), source.shape)
    torch.set_num_threads(1)
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(60):
        inputs, targets = (torch.from_numpy(part) for part in source.batch(32 * step, 32))
        adam.zero_grad()
        functional.cross_entropy(net(inputs), targets).backward()
        adam.step()
    inputs, targets = (torch.from_numpy(part) for part in source.validation())
    right = (net(inputs).argmax(-1) == targets).float().mean().item()
    assert right > 0.85  # .90 was measured


def test_the_convnet_refuses_what_is_no_image() -> None:
    with pytest.raises(UserError, match="learns from images"):
        MODELS["convnet"].count(ModelSpec("convnet"), DataShape("labels", 256, 12, (256,)))
    with pytest.raises(UserError, match="too small"):
        MODELS["convnet"].count(ModelSpec("convnet"), DataShape("labels", 0, 10, (1, 3, 3)))
