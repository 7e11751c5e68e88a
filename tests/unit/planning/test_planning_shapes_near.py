"""A shape near a number of parameters: close, usual in proportion, and made of numbers that divide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core.errors import UserError
from scaling_core.planning.shape_near import (
    COUNTS,
    GOOD_MISS,
    ODDEST_ASPECT,
    shape_near,
    usual_aspect,
    usual_head_size,
)
from scaling_core.planning.shapes import count_parameters, published_shapes


def test_gpt2_is_found_again() -> None:
    near = shape_near(124e6, tied=True, positions="learned", context=1024)
    assert (near.decoder.layers, near.decoder.d_model, near.decoder.heads) == (12, 768, 12)
    assert near.count.total == 124_337_664
    assert near.miss == pytest.approx(124_337_664 / 124e6 - 1)


@settings(max_examples=50, deadline=None)
@given(
    size=st.floats(8.0, 12.0),
    count=st.sampled_from(COUNTS),
    glu=st.booleans(),
    tied=st.booleans(),
    bias=st.booleans(),
)
def test_any_size_from_100m_to_1t_is_met_within_two_percent(
    size: float, count: str, glu: bool, tied: bool, bias: bool
) -> None:
    near = shape_near(10**size, count=count, glu=glu, tied=tied, bias=bias)
    decoder = near.decoder
    assert near.count == count_parameters(decoder)
    assert near.miss == pytest.approx(getattr(near.count, count) / 10**size - 1)
    assert abs(near.miss) <= GOOD_MISS
    assert 1 / ODDEST_ASPECT <= near.aspect / near.usual_aspect <= ODDEST_ASPECT
    assert decoder.d_model % (128 if decoder.d_model >= 1024 else 64 if decoder.d_model >= 256 else 8) == 0
    assert decoder.heads * decoder.size_of_head == decoder.d_model
    assert decoder.layers < 32 or decoder.layers % 2 == 0


def test_small_models_of_bytes() -> None:
    """The sizes of a ladder that a laptop trains: within 15% from 10k and 4% from 1M parameters."""
    misses = [abs(shape_near(n, 256, 256).miss) for n in (1e4, 3e4, 1e5, 2e5, 6e5)]
    assert max(misses) < 0.15
    assert max(abs(shape_near(n, 256, 256).miss) for n in np.geomspace(1e6, 1e8, 40)) < 0.04


def test_models_grow_wider_for_their_depth() -> None:
    """The trend of the table: 57 at 100M and 138 at 100B, and every published model within a factor of 2.2 of it."""
    assert usual_aspect(1e8) == pytest.approx(57, abs=1)
    assert usual_aspect(1e11) == pytest.approx(138, abs=1)
    off = [abs(np.log(s.aspect / usual_aspect(s.params))) for s in published_shapes()]
    assert np.exp(np.max(off)) < 2.2


@pytest.mark.parametrize(
    ("width", "size"), [(64, 32), (320, 64), (768, 64), (1024, 64), (2048, 128), (8192, 128), (24, 8)]
)
def test_heads(width: int, size: int) -> None:
    assert usual_head_size(width) == size


@pytest.mark.parametrize(
    ("n_params", "options", "said"),
    [
        (1e6, {}, "A vocabulary of 50,257 tokens leaves too few of 1.00M parameters"),
        (1e3, {"count": "non_embedding"}, "too few for a decoder"),
        (1e15, {}, "No decoder up to a width of 65,536"),
        (0.0, {}, "make no model"),
        (float("nan"), {}, "make no model"),
        (1e9, {"count": "some"}, "counted as “some”"),
    ],
)
def test_what_no_shape_can_meet_is_said(n_params: float, options: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        shape_near(n_params, **options)  # type: ignore[arg-type]
