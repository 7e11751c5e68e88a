"""Laws of precision, sparsity, experts and distillation, each to its printed values, and where each ends."""

from __future__ import annotations

import numpy as np
import pytest
from printed_values import all_printed, printed

from scaling_core.errors import UserError
from scaling_core.planning.whatif import (
    LABELS,
    best_training_bits,
    clark_dense_equivalent,
    clark_loss,
    dense_equivalent,
    distilled_loss,
    effective_params,
    effective_share,
    fine_grained_dense_loss,
    fine_grained_loss,
    precision_loss,
    quantisation_penalty,
    sparse_loss,
    supervised_loss,
    teacher_helps,
)


@pytest.mark.parametrize(
    ("bits", "values"),
    [(4, "0.6389; 0.1910"), (6, "0.8331; 0.6113"), (8, "0.9241; 0.8278"), (16, "0.9968; 0.9937")],
)
def test_parameters_left_by_bits(bits: int, values: str) -> None:
    """Kumar et al. 2024, appendix K, Table 2: all three tensors, without and with offsets."""
    assert [effective_share(bits, offsets=False), effective_share(bits)] == all_printed(values)


def test_the_best_bits() -> None:
    """3.469 without offsets and 7.002 with them; the paper says 7 to 8."""
    assert [best_training_bits(offsets=False), best_training_bits()] == all_printed("3.469; 7.002")


def test_the_best_bits_do_not_depend_on_the_budget() -> None:
    """At a compute of N·D·P the loss is lowest where effective parameters per bit are most, for any split."""
    bits = np.linspace(4, 16, 1201)
    for compute in (1e20, 1e23):
        nd = compute / bits
        n = np.geomspace(1e7, 1e11, 400)[:, None]
        lowest = np.min(precision_loss(n, nd / n, bits), axis=0)
        assert bits[np.argmin(lowest)] == pytest.approx(best_training_bits(), abs=0.05)


def test_activations_of_three_bits_leave_nothing_instead_of_less() -> None:
    """1 − exp(−3/2.2102 + 1.4072) is −0.05: the law ends there."""
    assert effective_share(8, 3.0) == 0
    assert effective_share(np.array([1.0, 2.0, 3.0])) == pytest.approx([0, 0, 0])
    assert effective_params(1e9, 8, 3.2) > 0
    assert list(np.isinf(precision_loss(1e9, 1e10, np.array([3.0, 4.0])))) == [True, False]


def test_tensors_apart() -> None:
    """Weights alone, without offsets: 1 − exp(−P/2.6745)."""
    assert effective_share(4, 1e3, 1e3, offsets=False) == pytest.approx(1 - np.exp(-4 / 2.6745))


def test_quantising_after_training_hurts_more_after_more_tokens() -> None:
    few, many = (float(quantisation_penalty(1e9, d, 4)) for d in (1e10, 1e11))
    assert many / few == pytest.approx(10**0.5068)
    assert quantisation_penalty(1e9, 1e10, 8) < 1e-4
    assert quantisation_penalty(2e9, 1e10, 4) < few


def test_sparse_models_count_for_more_than_their_weights() -> None:
    """Frantar et al. 2023: 75% sparse is worth 2.16 times its non-zero weights; a dense model is worth itself."""
    assert dense_equivalent(1.0, 0.75) == printed("2.16")
    assert dense_equivalent(1e8, 0.0) == pytest.approx(1e8)
    same = sparse_loss(dense_equivalent(5e7, 0.5), 1e10, 0.0)
    assert sparse_loss(5e7, 1e10, 0.5) == pytest.approx(same, rel=1e-12)


@pytest.mark.parametrize(("granularity", "loss"), [(1, "3.27613"), (8, "3.14039"), (64, "3.09976")])
def test_fine_grained_experts(granularity: float, loss: str) -> None:
    """Krajewski et al. 2024, Table 1, for 1B active parameters and 20B tokens."""
    assert fine_grained_loss(1e9, 20e9, granularity) == printed(loss)


def test_dense_models_of_the_same_paper() -> None:
    assert fine_grained_dense_loss(1e9, 20e9) == printed("2.98031")


def test_routed_experts() -> None:
    """Clark et al. 2022: 5M with 128 experts is worth about 55M dense; printed constants say 52M."""
    assert clark_dense_equivalent(5e6, 128) == pytest.approx(55e6, rel=0.07)
    assert clark_dense_equivalent(1e9, 1) == pytest.approx(1e9)
    equal = clark_loss(clark_dense_equivalent(3e8, 64), 1)
    assert clark_loss(3e8, 64) == pytest.approx(equal, rel=1e-12)


def test_routed_experts_saturate_and_end() -> None:
    """Ê stays below 314; near 1e12 parameters b + c log N turns positive (937B in the paper)."""
    gain = [float(clark_loss(1e8, e)) / float(clark_loss(1e8, 1e9)) - 1 for e in (1, 64, 512, 1e6)]
    assert gain == sorted(gain, reverse=True)
    assert abs(gain[-1]) < 1e-3
    assert clark_loss(5e11, 64) < clark_loss(5e11, 1)
    assert clark_loss(2e12, 64) > clark_loss(2e12, 1)


def test_supervised_and_distilled() -> None:
    """Busbridge et al. 2025, Table 6 and eq. 8."""
    assert supervised_loss(np.array([1e9, 7e9]), np.array([20e9, 1.4e11])) == all_printed("2.37469; 2.01881")
    teachers = np.array([2.6, 2.3, 2.1, 2.0, 1.9])
    found = distilled_loss(1e9, 20e9, teachers)
    assert found == all_printed("2.60061; 2.35747; 2.29280; 2.27681; 2.26428")


def test_a_teacher_worse_than_the_student_alone_does_not_help() -> None:
    assert list(teacher_helps(1e9, 20e9, np.array([2.6, 2.3, 2.0]))) == [False, True, True]


def test_a_teacher_far_beyond_helps_less_and_less() -> None:
    """The student's gap to its teacher grows as the teacher gets better, without overflow at either end."""
    teachers = np.linspace(1.3, 3.0, 50)
    gap = np.asarray(distilled_loss(1e8, 1e10, teachers)) - teachers
    assert np.all(np.diff(gap) < 0)
    assert np.all(np.diff(gap, 2) > -1e-9)
    assert np.isfinite(np.asarray(distilled_loss(1e8, 1e10, np.array([1e-3, 1e3])))).all()


def test_every_law_is_labelled() -> None:
    assert set(LABELS) == {"precision", "sparsity", "fine_grained", "routed", "distillation"}
    for label in LABELS.values():
        assert label.notes[0].startswith("Constants not portable")
        assert "arXiv" in label.source


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: effective_share(0), "precision"),
        (lambda: sparse_loss(1e8, 1e9, 1.0), "zero weights"),
        (lambda: fine_grained_loss(1e9, 0, 1), "tokens"),
        (lambda: clark_loss(1e9, 0.5), "experts"),
        (lambda: distilled_loss(1e9, 1e10, -2), "teacher"),
    ],
)
def test_what_makes_no_sense_is_refused(call: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        call()  # type: ignore[operator]
