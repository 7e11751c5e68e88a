"""Text classification: the snippets, the encoder and the scores."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from scaling_core.errors import UserError
from scaling_core.training.data import open_source
from scaling_core.training.data.snippets import largest_packages, split
from scaling_core.training.models import MODELS, DataShape
from scaling_core.training.scores import scores
from scaling_core.training.spec import DataSpec, ModelSpec

TEXT = DataShape("labels", 256, 12, (32,))


def test_files_are_held_out_whole_and_from_every_package() -> None:
    root = Path(sysconfig.get_path("stdlib"))
    packages = largest_packages(root)
    assert len(packages) == 12
    for files in packages.values():
        training, held_out = split(root, files)
        size = sum(path.stat().st_size for path in held_out) / sum(path.stat().st_size for path in files)
        assert sorted(training + held_out) == files
        assert 0.05 < size <= 0.2


def test_snippets_are_of_the_length_of_the_context_and_of_twelve_packages() -> None:
    source = open_source(DataSpec(source="snippets", validation_tokens=500), 256)
    held_out, batch = source.validation(), source.batch(0, 64)
    assert source.shape == DataShape("labels", 256, 12, (256,))
    assert held_out.inputs.shape == (500, 256)
    assert set(held_out.targets) == set(range(12))
    assert batch.inputs.dtype == batch.targets.dtype == np.int64
    assert source.provenance["unit"] == "examples"
    training = {row.tobytes() for row in source.training.inputs}
    assert not training & {row.astype(np.uint8).tobytes() for row in held_out.inputs}
    assert np.array_equal(source.batch(16, 16).inputs, batch.inputs[16:32])
    assert np.array_equal(source.training.inputs[0][64:], source.training.inputs[1][:-64])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array(pairs).T
    found = scores(predicted, true, 5)
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted, labels=range(5), zero_division=0)
    assert found.accuracy == pytest.approx(accuracy_score(true, predicted))
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(f1)
    assert found.record()["macro_f1"] == pytest.approx(f1.mean())


def test_scores_of_a_small_case_by_hand() -> None:
    record = scores(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2]), 3).record(["a", "b", "c"])
    assert record["accuracy"] == pytest.approx(3 / 5)
    assert record["classes"]["b"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "examples": 3})
    assert record["classes"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "examples": 1}


@pytest.mark.parametrize(("width", "layers"), [(16, 1), (32, 3)])
def test_the_encoder_has_the_parameters_that_are_counted(width: int, layers: int) -> None:
    spec, family = ModelSpec("encoder", width, layers, context=32), MODELS["encoder"]
    counts, sizes = family.count(spec, TEXT), {"embedding": 0, "blocks": 0, "head": 0}
    for name, parameter in family.build(spec, TEXT).named_parameters():
        sizes[name.split(".")[0]] += parameter.numel()
    assert sizes == {"embedding": counts.embedding, "blocks": counts.blocks, "head": counts.head}


def test_the_flops_of_the_encoder_are_those_that_torch_counts() -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    spec, family = ModelSpec("encoder", 32, 2, context=32), MODELS["encoder"]
    net, rows = family.build(spec, TEXT), 3
    # The fused attention of a processor is not counted by torch; written out, it is.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(torch.randint(0, 256, (rows, 32))).sum().backward()
    assert family.flops_per_token(spec, TEXT) * rows == pytest.approx(counter.get_total_flops(), rel=1e-12)


def test_every_place_of_the_encoder_sees_every_other() -> None:
    torch.manual_seed(0)
    net = MODELS["encoder"].build(ModelSpec("encoder", 32, 2, context=32), TEXT).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # output matrices begin at 0, and nothing would be seen
    text = torch.randint(0, 256, (1, 32))
    plain = net(text)
    for place in (0, 15, 31):  # the first and the last byte lie in one patch each
        changed = text.clone()
        changed[0, place] = (changed[0, place] + 1) % 256
        assert (net(changed) - plain).abs().max() > 1e-6
    assert (net(text.flip(1)) - plain).abs().max() > 1e-6  # and the order counts


def test_the_encoder_refuses_images() -> None:
    with pytest.raises(UserError, match="classifies text"):
        MODELS["encoder"].count(ModelSpec("encoder"), DataShape("labels", 0, 10, (1, 16, 16)))
    with pytest.raises(UserError, match="at least 8"):
        MODELS["encoder"].count(ModelSpec("encoder"), DataShape("labels", 256, 12, (4,)))
