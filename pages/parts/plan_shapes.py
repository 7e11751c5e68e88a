"""A concrete architecture near the best size, and learning rates and batches by published rules."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from pages.parts import frame
from scaling_core.planning import Plan
from scaling_core.planning.flops import palm_flops_per_token, six_n, training_flops_per_token
from scaling_core.planning.parallel import steps_for_batch
from scaling_core.planning.recipes import Recipe, kaplan_critical_batch, recipes
from scaling_core.planning.shape_near import shape_near
from scaling_core.units import format_count, format_flops, format_ratio


def draw(answer: Plan, *, of_loss: bool) -> None:
    """A concrete architecture near N*, and learning rates and batches by published rules."""
    st.markdown("**A shape of about this size**")
    near = shape_near(answer.params)
    d = near.decoder
    counted, estimate = training_flops_per_token(d), float(six_n(near.count.total))
    palm = float(palm_flops_per_token(near.count.total, d.layers, d.width_q, d.context))
    st.markdown(
        f"{d.layers} layers, width {d.d_model:,}, {d.heads} heads: exactly {format_count(near.count.total, 4)} "
        f"parameters with embeddings, {_signed(near.miss)} off. Counted layer by layer, with attention over "
        f"{d.context:,} tokens, it trains with {format_flops(counted)} FLOPs a token, "
        f"{_signed(counted / estimate - 1)} beside 6N and {_signed(counted / palm - 1)} beside 6N + 12LHQT "
        "(Chowdhery et al. 2022)."
    )
    rules(recipes(near.count.non_embedding, answer.tokens, answer.flops), answer, of_loss=of_loss)
    st.caption(
        "These rules count N without embeddings: they are given the "
        f"{format_count(near.count.non_embedding)} of the shape above."
    )
    if of_loss and math.isfinite(answer.loss):
        critical = format_count(float(kaplan_critical_batch(answer.loss)))
        st.caption(
            f"Critical batch at this loss, by Kaplan et al. 2020: {critical} tokens. A batch of that size takes "
            "twice the fewest steps and twice the fewest tokens (McCandlish et al. 2018)."
        )


def _signed(share: float) -> str:
    """A share in percent with its sign."""
    return f"{100 * share:+.1f}%".replace("-", "−")


def rules(found: tuple[Recipe, ...], answer: Plan, *, of_loss: bool) -> None:
    """What each published rule says; those that say nothing here, and why, below."""
    st.markdown("**Learning rate and batch by published rules**")
    rows = [
        {
            "rule": r.name,
            "learning rate": f"{r.learning_rate:.2e}" if r.learning_rate is not None else "none",
            "batch, tokens": format_count(r.batch_tokens) if r.batch_tokens else "not said",
            "steps": format_count(r.steps) if r.steps else "",
            **({"steps / fewest": _beside_fewest(r.batch_tokens, answer)} if of_loss else {}),
            "in its range": "yes" if r.inside else "no",
            "source": r.source,
        }
        for r in found
        if r.learning_rate is not None or r.batch_tokens
    ]
    if rows:
        st.table(pd.DataFrame(rows).set_index("rule"))
    for silent in (r for r in found if r.learning_rate is None and not r.batch_tokens):
        st.caption(f"{frame.plain(silent.name)} say nothing here: {frame.plain(' '.join(silent.notes))}")


def _beside_fewest(batch: float | None, answer: Plan) -> str:
    """Steps at a batch over the fewest there can be, by the critical batch at the plan's loss."""
    if not batch or not math.isfinite(answer.loss):
        return ""
    return format_ratio(float(steps_for_batch(1.0, batch, kaplan_critical_batch(answer.loss))))
