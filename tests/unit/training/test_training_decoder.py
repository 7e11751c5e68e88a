"""The decoder: its gradients by hand, its counts, and that no place sees a later one."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from scaling_core.errors import UserError
from scaling_core.training.models import MODELS, DataShape, family, kernels
from scaling_core.training.models.decoder_net import DecoderNet, rms_norm, turns
from scaling_core.training.spec import ModelSpec

SHAPE = DataShape("text", 256, 256, (16,))


@pytest.fixture
def net() -> DecoderNet:
    torch.manual_seed(1)
    made = DecoderNet(256, 256, 16, 2, 2, 70)
    for block in made.blocks:  # weights that start at nothing would hide a wrong gradient
        torch.nn.init.normal_(block.out, std=0.3)
        torch.nn.init.normal_(block.outer, std=0.3)
    torch.nn.init.normal_(made.embedding.before)
    return made.double()


def in_torchs_words(net: DecoderNet, inputs: torch.Tensor) -> torch.Tensor:
    """The same network as it runs on a GPU."""
    x = rms_norm(net.embedding(inputs))
    for block in net.blocks:
        x = block(x, net.cosines, net.sines)
    return functional.linear(rms_norm(x), net.head.weight)


def test_both_ways_of_computing_agree_in_value_and_gradient(net: DecoderNet) -> None:
    inputs, targets = torch.randint(0, 256, (2, 3, 70))
    found = []
    for logits in (net(inputs), in_torchs_words(net, inputs)):
        net.zero_grad()
        functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        found.append([logits.detach(), *(p.grad.clone() for p in net.parameters())])
    for by_hand, plain in zip(*found, strict=True):
        torch.testing.assert_close(by_hand, plain, rtol=1e-9, atol=1e-10)


def test_gradients_by_hand_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    inner, outer, qkv, out = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((16, 4), (4, 16), (12, 4), (4, 4))
    )
    places = turns(3, 2)
    assert torch.autograd.gradcheck(kernels.RmsNorm.apply, (x,))
    assert torch.autograd.gradcheck(kernels.FeedForward.apply, (x, inner, outer, torch.float64))
    assert torch.autograd.gradcheck(kernels.Attention.apply, (x, qkv, out, places, 2, torch.float64))


def test_the_embedding_adds_the_symbol_before_by_channel(net: DecoderNet) -> None:
    table, weights = net.embedding.weight, net.embedding.before
    found = net.embedding(torch.tensor([[7, 9, 7]]))
    torch.testing.assert_close(
        found[0], torch.stack((table[7], table[9] + weights * table[7], table[7] + weights * table[9]))
    )


def test_a_place_sees_no_later_one(net: DecoderNet) -> None:
    inputs = torch.randint(0, 256, (1, 70))
    changed = inputs.clone()
    changed[0, 65:] = (changed[0, 65:] + 1) % 256
    before, after = net(inputs)[0], net(changed)[0]
    torch.testing.assert_close(before[:65], after[:65], rtol=0, atol=0)
    assert (before[65:] - after[65:]).abs().max() > 1e-3


def test_products_in_bf16_stay_near(net: DecoderNet) -> None:
    net.float()
    inputs = torch.randint(0, 256, (2, 70))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = net(inputs)
    exact = net(inputs)
    assert low.dtype == torch.float32
    assert 0 < (low - exact).abs().max() < 0.05 * exact.abs().max()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_counts_are_those_of_the_network_built(name: str) -> None:
    kind = family(name)
    shape = SHAPE if "text" in kind.kinds else DataShape("labels", 256, 5, (16,))
    if name == "convnet":
        shape = DataShape("labels", 0, 5, (1, 8, 8))
    spec = ModelSpec(name, 32, 2, 0, 16)
    built = {"embedding": 0, "position": 0, "blocks": 0, "head": 0}
    for key, parameter in kind.build(spec, shape).named_parameters():
        built[key.split(".")[0]] += parameter.numel()
    counts = kind.count(spec, shape)
    assert built == {
        "embedding": counts.embedding,
        "position": counts.position,
        "blocks": counts.blocks,
        "head": counts.head,
    }


def test_flops_of_the_decoder_by_hand() -> None:
    # 2 blocks of 12·32² and a head of 256·32, two FLOPs each, and 4·32·8.5 of attention a block; three passes.
    assert family("decoder").flops_per_token(ModelSpec("decoder", 32, 2, 0, 16), SHAPE) == 3 * (
        2 * (2 * 12 * 32**2 + 256 * 32) + 2 * 4 * 32 * 8.5
    )


def test_a_width_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UserError, match="does not divide into 3 heads"):
        family("decoder").count(ModelSpec("decoder", 32, 2, 3), SHAPE)
    with pytest.raises(UserError, match="no model family"):
        family("perceptron")
