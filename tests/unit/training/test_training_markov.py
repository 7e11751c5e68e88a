"""The chain of known entropy: its closed forms, and what it draws."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.errors import UserError
from scaling_core.training.data import open_source
from scaling_core.training.data.drawn import normal, uniform
from scaling_core.training.data.markov import Chain
from scaling_core.training.spec import DataSpec


def test_the_entropy_of_two_states_is_the_closed_form() -> None:
    stay, leave = 0.9, 0.3  # from state 1, it goes to state 0 with probability .3
    chain = Chain(np.array([[stay, 1 - stay], [leave, 1 - leave]]))
    share = leave / (1 - stay + leave)
    binary = [-p * np.log(p) - (1 - p) * np.log(1 - p) for p in (stay, leave)]
    assert chain.stationary == pytest.approx([share, 1 - share], abs=1e-13)
    assert chain.entropy() == pytest.approx(share * binary[0] + (1 - share) * binary[1], abs=1e-13)


@pytest.mark.parametrize(("order", "symbols"), [(1, 24), (2, 7), (3, 4)])
def test_the_stationary_state_is_the_eigenvector_of_the_chain_of_contexts(order: int, symbols: int) -> None:
    chain = Chain.drawn(order, symbols, seed=3)
    contexts = symbols**order
    step = np.zeros((contexts, contexts))
    for context in range(contexts):
        for following in range(symbols):
            after = (context * symbols + following) % contexts
            step[context, after] += chain.transitions.reshape(contexts, symbols)[context, following]
    values, vectors = np.linalg.eig(step.T)
    vector = np.real(vectors[:, np.argmax(np.real(values))])
    assert chain.stationary.ravel() == pytest.approx(vector / vector.sum(), abs=1e-12)


def test_entropy_falls_with_what_is_seen_and_windows_lose_a_little_at_their_beginning() -> None:
    chain = Chain.drawn(3, 6, seed=0)
    one, two, three = (chain.entropy(seen) for seen in (1, 2, 3))
    assert one > two > three == chain.entropy()
    assert chain.window_entropy(10) == pytest.approx((one + two + 8 * three) / 10, abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_true_probabilities_lose_the_entropy_on_what_is_drawn(order: int) -> None:
    source = open_source(DataSpec(source="markov", order=order, validation_tokens=65_536), 64)
    entropy = source.provenance["entropy_of_windows"]
    # Seen over 20 seeds, 65,536 symbols scatter by .007 nats or less.
    assert source.provenance["entropy_of_validation"] == pytest.approx(entropy, abs=0.03)
    assert source.entropy == source.provenance["entropy_of_validation"]
    assert entropy >= source.provenance["entropy_rate"] - 1e-12


def test_no_other_table_of_the_same_order_loses_less() -> None:
    chain = Chain.drawn(1, 12, seed=1)
    rows = chain.windows(1, 0, np.arange(3000), 33)
    counts = np.zeros((12, 12))
    np.add.at(counts, (rows[:, :-1], rows[:, 1:]), 1)
    measured = counts / counts.sum(axis=1, keepdims=True)
    assert np.abs(measured - chain.transitions).max() < 0.05
    assert counts.sum(axis=1) / counts.sum() == pytest.approx(chain.stationary, abs=0.01)


def test_windows_are_known_by_their_place_alone() -> None:
    source = open_source(DataSpec(source="markov", order=2, validation_tokens=1024), 32)
    whole = source.batch(320, 128)
    first, second = source.batch(320, 96), source.batch(416, 32)
    for part in (0, 1):
        assert np.array_equal(whole[part], np.concatenate([first[part], second[part]]))
    assert np.array_equal(whole.inputs[:, 1:], whole.targets[:, :-1])
    held_out = {row.tobytes() for row in source.validation().inputs}
    assert not held_out & {row.tobytes() for row in source.batch(0, 32 * 2000).inputs}
    other = open_source(DataSpec(source="markov", order=2, seed=1), 32)
    assert not np.array_equal(other.batch(320, 128).inputs, whole.inputs)


def test_drawn_numbers_have_the_moments_they_should() -> None:
    even, bell = uniform(5, 1, np.arange(400), 500), normal(5, 1, np.arange(400), 501)
    assert even.min() >= 0
    assert even.max() < 1
    # 200,000 numbers: five standard errors.
    assert even.mean() == pytest.approx(0.5, abs=0.0033)
    assert even.var() == pytest.approx(1 / 12, abs=0.001)
    assert bell.mean() == pytest.approx(0, abs=0.012)
    assert bell.std() == pytest.approx(1, abs=0.008)
    assert (bell**4).mean() == pytest.approx(3, abs=0.11)
    assert abs(np.corrcoef(even[:-1].ravel(), even[1:].ravel())[0, 1]) < 0.012
    assert np.array_equal(uniform(5, 1, np.array([7]), 500)[0], even[7])


def test_a_chain_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="no chain of order 9"):
        open_source(DataSpec(source="markov", order=9), 32)
    with pytest.raises(UserError, match="shorter than what a symbol depends on"):
        open_source(DataSpec(source="markov", order=3), 2)
