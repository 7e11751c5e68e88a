"""FLOPs of a decoder, counted layer by layer with attention, beside the estimate 6N; and the utilisation they mean."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.planning.shapes import Decoder
from scaling_core.planning.values import Number, plain, positive

#: Passes through the blocks per training step, in forward passes: one forward, two backward, one more to recompute.
_PASSES = {"none": 3, "full": 4}


@dataclass(frozen=True)
class ForwardFlops:
    """FLOPs of one forward pass of one sequence, by part, all layers together. A multiply-add counts as two.

    Attributes
    ----------
    projections : int
        Queries, keys, values and the projection after attention.
    attention : int
        Scores of queries and keys, and their sum over values.
    softmax : int
        Three per score (Hoffmann et al. 2022, appendix F); most counts leave it out.
    feed_forward, logits : int
    """

    projections: int
    attention: int
    softmax: int
    feed_forward: int
    logits: int

    @property
    def blocks(self) -> int:
        """The blocks, without softmax: matrix products only."""
        return self.projections + self.attention + self.feed_forward

    @property
    def total(self) -> int:
        """The blocks and the logits: what nanoGPT counts."""
        return self.blocks + self.logits


def forward_flops(decoder: Decoder, tokens: int | None = None, *, causal: bool = False) -> ForwardFlops:
    """Count the FLOPs of one forward pass of one sequence, by default as long as the context.

    ``causal`` counts only the scores that are not masked, as a kernel that skips the rest computes them; most
    published counts take all of them. Looking up an embedding costs no FLOPs.
    """
    t = decoder.context if tokens is None else tokens
    layers, d, q = decoder.layers, decoder.d_model, decoder.width_q
    scores = t * (t + 1) // 2 if causal else t * t
    return ForwardFlops(
        projections=layers * 2 * t * d * (2 * q + 2 * decoder.width_kv),
        attention=layers * 2 * 2 * scores * q,
        softmax=layers * 3 * decoder.heads * scores,
        feed_forward=layers * 2 * t * decoder.ff_matrices * d * decoder.width_ff,
        logits=2 * t * d * decoder.vocabulary,
    )


def training_flops_per_token(
    decoder: Decoder, *, recompute: str = "none", logits: bool = True, softmax: bool = False, causal: bool = False
) -> float:
    """FLOPs of training per token: forward, backward at twice that, and once more where activations are recomputed.

    The logits are never recomputed. Recomputed FLOPs are no useful ones: leave them out for MFU, not for time.

    Raises
    ------
    UserError
        If ``recompute`` is neither "none" nor "full".
    """
    if recompute not in _PASSES:
        raise UserError(f"There is no “{recompute}” recomputation.", fix=f"Choose one of: {', '.join(_PASSES)}.")
    forward = forward_flops(decoder, causal=causal)
    blocks = forward.blocks + (forward.softmax if softmax else 0)
    return (_PASSES[recompute] * blocks + (3 * forward.logits if logits else 0)) / decoder.context


def six_n(n_params: Number) -> Number:
    """The estimate 6N per token (Kaplan et al. 2020): every parameter in one multiply-add forward and two backward."""
    return plain(6.0 * plain(n_params))


def palm_flops_per_token(n_params: Number, layers: Number, width_q: Number, context: Number) -> Number:
    """6N + 12·L·H·Q·T per token: 6N and the scores of attention (Chowdhery et al. 2022, appendix B)."""
    return plain(plain(six_n(n_params)) + 12.0 * plain(layers) * plain(width_q) * plain(context))


def model_flops_utilisation(tokens_per_s: Number, flops_per_token: Number, peak_flops_per_s: Number) -> Number:
    """Useful FLOP/s over dense peak, for as many accelerators as the peak is given for (Chowdhery et al. 2022)."""
    peak = positive(peak_flops_per_s, "The peak rate", "Give the dense peak of all accelerators, in FLOP/s.")
    return plain(plain(tokens_per_s) * flops_per_token / peak)
