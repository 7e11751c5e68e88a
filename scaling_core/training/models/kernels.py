"""The two halves of a block with gradients by hand, for a processor, where half of a small step is not matrix products.

Each is one autograd function: nothing is saved twice, elementwise steps happen in place, and the causal half of the
scores that a mask would throw away is mostly not computed. Products with weights may be in bf16, where the processor
has units for it; everything else stays in the format of ``x``. ``decoder_net.Block.forward`` states the same
mathematics in torch's own words.
"""

# torch types neither autograd.Function nor its context.
# mypy: disable-error-code="no-untyped-call, misc"

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

#: e^x = 2^(x log₂ e): the power of two is three times as quick here.
_LOG2_E = math.log2(math.e)
#: Added to mean squares.
EPSILON = 1e-6
#: Largest score that a query and a key can have: norms alone would leave narrow heads unable to choose.
SHARPEST = 12.0
#: Rows of scores that are computed together; what lies right of their last column is not computed.
_STRIP = 64


def rms_forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """Divide ``(..., d)`` by its root mean square; also return the factor, ``(..., 1)``."""
    factor = torch.linalg.vecdot(x, x).div_(x.shape[-1]).add_(EPSILON).rsqrt_().unsqueeze(-1)
    return x * factor, factor


def rms_backward(gradient: Tensor, normed: Tensor, factor: Tensor) -> Tensor:
    """Gradient by what ``rms_forward`` was given; overwrites ``gradient``."""
    share = torch.linalg.vecdot(gradient, normed).div_(-normed.shape[-1]).unsqueeze(-1)
    return gradient.addcmul_(normed, share).mul_(factor)


class RmsNorm(torch.autograd.Function):
    """x / rms(x), without weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Norm over the last dimension."""
        normed, factor = rms_forward(x)
        ctx.save_for_backward(normed, factor)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Gradient by the input."""
        return rms_backward(gradients[0].clone(), *ctx.saved_tensors)


def _added(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """x + a b, the product in the format of ``a``."""
    return torch.addmm(x, a, b) if a.dtype == x.dtype else torch.mm(a, b).add(x)


class FeedForward(torch.autograd.Function):
    """x + relu(rms(x) Wᵢᵀ)² Wₒᵀ for ``x`` ``(tokens, d)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, inner: Tensor, outer: Tensor, product: torch.dtype) -> Tensor:
        """``inner`` is ``(4 d, d)``, ``outer`` ``(d, 4 d)``; ``product`` is the format of the products."""
        normed, factor = rms_forward(x)
        low, inner, outer = normed.to(product), inner.to(product), outer.to(product)
        rectified = torch.mm(low, inner.t()).relu_()
        squared = rectified * rectified
        ctx.save_for_backward(normed, low, factor, rectified, squared, inner, outer)
        return _added(x, squared, outer.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients by x and both matrices."""
        normed, low, factor, rectified, squared, inner, outer = ctx.saved_tensors
        (gradient,) = gradients
        given = gradient.to(low.dtype)
        by_inner = torch.mm(given, outer).mul_(rectified)  # half of it: the factor 2 goes into the products below
        by_outer = torch.mm(given.t(), squared).to(gradient.dtype)
        by_normed = torch.addmm(given, by_inner, inner, beta=0, alpha=2).to(gradient.dtype)
        by_matrix = torch.addmm(inner, by_inner.t(), low, beta=0, alpha=2).to(gradient.dtype)
        return rms_backward(by_normed, normed, factor).add_(gradient), by_matrix, by_outer, None


class Attention(torch.autograd.Function):
    """x + softmax(q kᵀ / √h) v Wₒᵀ, causal, with q and k normed and rotated; ``x`` is ``(rows · context, d)``.

    Normed queries and keys bound a score by √h, so that exponentials need no maximum taken off first.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, qkv: Tensor, out: Tensor, turns: Tensor, heads: int, product: torch.dtype
    ) -> Tensor:
        """``qkv`` is ``(3 d, d)``, ``out`` ``(d, d)``, ``turns`` ``(context, h / 2)`` complex."""
        context, width = turns.shape[0], x.shape[1]
        rows, size = x.shape[0] // context, width // heads
        normed, factor = rms_forward(x)
        low, qkv, out = normed.to(product), qkv.to(product), out.to(product)
        projected = torch.mm(low, qkv.t()).to(x.dtype).view(rows, context, 3, heads, size)
        qk_factor = _inverse_rms(projected[:, :, :2])
        queries, keys = _turned(projected, turns, qk_factor)
        values = projected[:, :, 2].transpose(1, 2).reshape(rows * heads, context, size)
        strips, heard, inverse = _attend(queries, keys, values)
        together = heard.view(rows, heads, context, size).transpose(1, 2).to(product).reshape(x.shape)
        ctx.sizes = rows, heads, context, size
        ctx.save_for_backward(
            normed, low, factor, qk_factor, turns, queries, keys, values, heard, inverse, together, qkv, out, *strips
        )
        return _added(x, together, out.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        """Gradients by x and both matrices."""
        normed, low, factor, qk_factor, turns, queries, keys, values, heard, inverse, together, qkv, out, *strips = (
            ctx.saved_tensors
        )
        rows, heads, context, size = ctx.sizes
        (gradient,) = gradients
        given = gradient.to(low.dtype)
        by_out = torch.mm(given.t(), together).to(gradient.dtype)
        by_heard = torch.mm(given, out).to(gradient.dtype).view(rows, context, heads, size)
        by_heard = by_heard.transpose(1, 2).reshape(heard.shape)
        by_qkv = gradient.new_empty(rows, context, 3, heads, size)
        by_q, by_k, by_v = _attend_backward(strips, by_heard, queries, keys, values, heard, inverse)
        against = turns.conj().resolve_conj()
        for place, (turned_gradient, turned) in enumerate(((by_q, queries), (by_k, keys))):
            # The share of the gradient along the vector itself is the same before and after its rotation.
            share = torch.linalg.vecdot(turned_gradient, turned).div_(-size).unsqueeze(-1)
            across = turned_gradient.addcmul_(turned, share).view(rows, heads, context, size)
            back = torch.view_as_real(_complex(across) * against).view(across.shape)
            torch.mul(back.transpose(1, 2), qk_factor[:, :, place].unsqueeze(-1), out=by_qkv[:, :, place])
        by_qkv[:, :, 2] = by_v.view(rows, heads, context, size).transpose(1, 2)
        flat = by_qkv.view(rows * context, 3 * heads * size).to(low.dtype)
        by_x = rms_backward(torch.mm(flat, qkv).to(gradient.dtype), normed, factor).add_(gradient)
        return by_x, torch.mm(flat.t(), low).to(gradient.dtype), by_out, None, None, None


def _complex(x: Tensor) -> Tensor:
    """Neighbouring pairs of the last dimension as complex numbers: the same memory."""
    return torch.view_as_complex(x.view(*x.shape[:-1], x.shape[-1] // 2, 2))


def _inverse_rms(x: Tensor) -> Tensor:
    """1 / rms over the last dimension, which it drops."""
    factor: Tensor = torch.linalg.vecdot(x, x).div_(x.shape[-1]).add_(EPSILON).rsqrt_()
    return factor


def _turned(projected: Tensor, turns: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Normed and rotated queries and keys, each ``(rows · heads, context, h)``.

    ``projected`` is ``(rows, context, 3, heads, h)``, ``factor`` ``(rows, context, 2, heads)``.
    """
    rows, context, _, heads, size = projected.shape
    turned = projected.new_empty(2, rows, heads, context, size)
    torch.mul(_complex(projected)[:, :, :2].permute(2, 0, 3, 1, 4), turns, out=_complex(turned))
    turned.mul_(factor.permute(2, 0, 3, 1).unsqueeze(-1))
    queries, keys = turned.view(2, rows * heads, context, size)
    return queries, keys


def _attend(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Exponentials of the scores in strips of rows, what each place hears, and one over the sums; all by head.

    ``queries``, ``keys``, ``values``: ``(rows · heads, context, h)``.
    """
    context, scale = queries.shape[1], SHARPEST / queries.shape[2] * _LOG2_E
    strips, heard, sums = [], [], []
    for begin in range(0, context, _STRIP):
        end = min(begin + _STRIP, context)
        place = queries.new_empty(queries.shape[0], end - begin, end)
        scores = torch.baddbmm(place, queries[:, begin:end], keys[:, :end].transpose(1, 2), beta=0, alpha=scale)
        scores.exp2_().tril_(begin)
        sums.append(scores.sum(-1, keepdim=True))
        heard.append(torch.bmm(scores, values[:, :end]))
        strips.append(scores)
    inverse = torch.cat(sums, 1).reciprocal_()
    return strips, torch.cat(heard, 1).mul_(inverse), inverse


def _attend_backward(
    strips: list[Tensor],
    gradient: Tensor,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    heard: Tensor,
    inverse: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by queries, keys and values; overwrites ``gradient``."""
    scale = SHARPEST / queries.shape[2]
    gradient = gradient.mul_(inverse)
    along = torch.linalg.vecdot(gradient, heard).neg_().unsqueeze(-1)
    by_q: list[Tensor] = []
    by_k, by_v = None, None
    for scores in reversed(strips):  # the longest first: its gradients cover every key, the others add to them
        length, end = scores.shape[1:]
        here = slice(end - length, end)
        by_scores = torch.baddbmm(along[:, here], gradient[:, here], values[:, :end].transpose(1, 2)).mul_(scores)
        by_q.append(torch.bmm(by_scores, keys[:, :end]))
        to_values = torch.bmm(scores.transpose(1, 2), gradient[:, here])
        to_keys = torch.bmm(by_scores.transpose(1, 2), queries[:, here])
        if by_k is None or by_v is None:
            by_k, by_v = to_keys, to_values
        else:
            by_k[:, :end] += to_keys
            by_v[:, :end] += to_values
    assert by_k is not None  # there is at least one strip
    assert by_v is not None
    return torch.cat(by_q[::-1], 1).mul_(scale), by_k.mul_(scale), by_v
