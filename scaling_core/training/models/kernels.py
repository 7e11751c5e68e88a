"""The two halves of a block with gradients by hand, for a processor, where half of a small step is not matrix products.

Each is one autograd function: nothing is saved twice, elementwise steps happen in place, and the causal half of the
scores that a mask would throw away is mostly not computed. ``plain`` states the same mathematics in torch's own words.
"""

# torch types neither autograd.Function nor its context.
# mypy: disable-error-code="no-untyped-call, misc"

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Added to mean squares.
EPSILON = 1e-6
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


class FeedForward(torch.autograd.Function):
    """x + relu(rms(x) Wᵢᵀ)² Wₒᵀ for ``x`` ``(tokens, d)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
        """``inner`` is ``(4 d, d)``, ``outer`` ``(d, 4 d)``."""
        normed, factor = rms_forward(x)
        rectified = torch.mm(normed, inner.t()).relu_()
        squared = rectified * rectified
        ctx.save_for_backward(normed, factor, rectified, squared, inner, outer)
        return torch.addmm(x, squared, outer.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients by x and both matrices."""
        normed, factor, rectified, squared, inner, outer = ctx.saved_tensors
        (gradient,) = gradients
        by_inner = torch.mm(gradient, outer).mul_(rectified)  # half of it: the factor 2 goes into the products below
        by_outer = torch.mm(gradient.t(), squared)
        by_normed = torch.addmm(gradient, by_inner, inner, beta=0, alpha=2)
        by_matrix = torch.addmm(inner, by_inner.t(), normed, beta=0, alpha=2)
        return rms_backward(by_normed, normed, factor).add_(gradient), by_matrix, by_outer


class Attention(torch.autograd.Function):
    """x + softmax(q kᵀ / √h) v Wₒᵀ, causal, with q and k normed and rotated; ``x`` is ``(rows · context, d)``.

    Normed queries and keys bound a score by √h, so that exponentials need no maximum taken off first.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, qkv: Tensor, out: Tensor, turns: Tensor, heads: int) -> Tensor:
        """``qkv`` is ``(3 d, d)``, ``out`` ``(d, d)``, ``turns`` ``(context, h / 2)`` complex."""
        context, width = turns.shape[0], x.shape[1]
        rows, size = x.shape[0] // context, width // heads
        normed, factor = rms_forward(x)
        projected = torch.mm(normed, qkv.t()).view(rows, context, 3 * heads, size).transpose(1, 2)
        bounded, qk_factor = rms_forward(projected[:, : 2 * heads])
        turned = torch.view_as_real(_complex(bounded) * turns).flatten(-2)
        queries, keys = (part.reshape(rows * heads, context, size) for part in turned.split(heads, 1))
        values = projected[:, 2 * heads :].reshape(rows * heads, context, size)
        strips, heard, inverse = _attend(queries, keys, values)
        together = heard.view(rows, heads, context, size).transpose(1, 2).reshape(x.shape)
        ctx.sizes = rows, heads, context, size
        ctx.save_for_backward(
            normed, factor, qk_factor, turns, queries, keys, values, heard, inverse, together, qkv, out, *strips
        )
        return torch.addmm(x, together, out.t())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients by x and both matrices."""
        normed, factor, qk_factor, turns, queries, keys, values, heard, inverse, together, qkv, out, *strips = (
            ctx.saved_tensors
        )
        rows, heads, context, size = ctx.sizes
        (gradient,) = gradients
        by_out = torch.mm(gradient.t(), together)
        by_heard = torch.mm(gradient, out).view(rows, context, heads, size).transpose(1, 2).reshape(heard.shape)
        by_qkv = gradient.new_empty(rows, context, 3 * heads, size)
        by_q, by_k, by_v = _attend_backward(strips, by_heard, queries, keys, values, heard, inverse)
        for place, (turned_gradient, turned) in enumerate(((by_q, queries), (by_k, keys))):
            # The share of the gradient along the vector itself is the same before and after its rotation.
            share = torch.linalg.vecdot(turned_gradient, turned).div_(-size).unsqueeze(-1)
            across = turned_gradient.addcmul_(turned, share).view(rows, heads, context, size)
            back = torch.view_as_real(_complex(across) * turns.conj()).flatten(-2)
            chosen = slice(place * heads, (place + 1) * heads)
            torch.mul(back, qk_factor[:, chosen], out=by_qkv[:, :, chosen].transpose(1, 2))
        by_qkv[:, :, 2 * heads :] = by_v.view(rows, heads, context, size).transpose(1, 2)
        flat = by_qkv.view(rows * context, 3 * heads * size)
        by_x = rms_backward(torch.mm(flat, qkv), normed, factor).add_(gradient)
        return by_x, torch.mm(flat.t(), normed), by_out, None, None


def _complex(x: Tensor) -> Tensor:
    """Neighbouring pairs of the last dimension as complex numbers."""
    return torch.view_as_complex(x.contiguous().unflatten(-1, (-1, 2)))


def _attend(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Exponentials of the scores in strips of rows, what each place hears, and one over the sums; all by head.

    ``queries``, ``keys``, ``values``: ``(rows · heads, context, h)``.
    """
    context, scale = queries.shape[1], queries.shape[2] ** -0.5
    heard, inverse = torch.empty_like(queries), queries.new_empty(*queries.shape[:2], 1)
    strips = []
    for begin in range(0, context, _STRIP):
        end = min(begin + _STRIP, context)
        scores = queries.new_empty(queries.shape[0], end - begin, end)
        torch.baddbmm(scores, queries[:, begin:end], keys[:, :end].transpose(1, 2), beta=0, alpha=scale, out=scores)
        scores.exp_().tril_(begin)
        torch.sum(scores, -1, keepdim=True, out=inverse[:, begin:end])
        torch.bmm(scores, values[:, :end], out=heard[:, begin:end])
        strips.append(scores)
    heard.mul_(inverse.reciprocal_())
    return strips, heard, inverse


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
    scale = queries.shape[2] ** -0.5
    gradient = gradient.mul_(inverse)
    along = torch.linalg.vecdot(gradient, heard).neg_().unsqueeze(-1)
    by_q, by_k, by_v = torch.empty_like(queries), torch.zeros_like(keys), torch.zeros_like(values)
    begin = 0
    for scores in strips:
        length, end = scores.shape[1:]
        here = slice(begin, begin + length)
        by_v[:, :end].baddbmm_(scores.transpose(1, 2), gradient[:, here])
        by_scores = torch.baddbmm(along[:, here], gradient[:, here], values[:, :end].transpose(1, 2)).mul_(scores)
        torch.baddbmm(by_q[:, here], by_scores, keys[:, :end], beta=0, alpha=scale, out=by_q[:, here])
        by_k[:, :end].baddbmm_(by_scores.transpose(1, 2), queries[:, here], alpha=scale)
        begin = end
    return by_q, by_k, by_v
