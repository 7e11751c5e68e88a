"""What-ifs beside a plan: fewer bits, sparse weights, experts, a teacher. By laws whose constants are not portable."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import streamlit as st

from pages.parts import frame
from scaling_core.planning import Basis, Plan, Scenario
from scaling_core.planning.figures import size
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
from scaling_core.units import format_number, format_percent


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """One fold for each what-if."""
    if not math.isfinite(answer.params):
        st.info("These laws ask for a size, which this plan does not have.", icon=":material/info:")
        return
    st.warning(
        "These laws were fitted to other models on other data: their directions carry over, their constants do not.",
        icon=":material/science:",
    )
    for key, table in _TABLES.items():
        label = LABELS[key]
        with st.expander(label.title, icon=":material/science:", expanded=key == "precision"), frame.worded_errors():
            rows = table(answer)
            st.table(rows.set_index(rows.columns[0]))
            if key == "precision":
                best = best_training_bits()
                st.caption(f"By this law a budget of any size is best spent on training in {best:.1f} bits.")
            st.caption(
                f"{frame.plain(label.source)}; fitted on {frame.plain(label.fitted_on)}. {frame.plain(label.caveat)}"
            )


def _bits(answer: Plan) -> pd.DataFrame:
    """Training, and quantising after it, in fewer bits."""
    rows, full = [], float(precision_loss(answer.params, answer.tokens, 16))
    for bits in (16, 8, 6, 4, 3):
        share = float(effective_share(bits, bits, bits))
        left = format_percent(share) if share > 0 else "outside the law"
        penalty = float(quantisation_penalty(answer.params, answer.tokens, bits)) if bits < 16 else 0.0
        rows.append({
            "bits": str(bits),
            "parameters left, all three tensors trained in it": left,
            "weights alone": format_percent(float(effective_share(bits))),
            "as good as a model of": size(float(effective_params(answer.params, bits))) if share > 0 else "",
            "loss added by training in it": _added(float(precision_loss(answer.params, answer.tokens, bits)) - full),
            "loss added by quantising weights after training": f"+{format_number(penalty, 2)}" if penalty else "none",
        })  # fmt: skip
    return pd.DataFrame(rows)


def _added(loss: float) -> str:
    """A difference of losses with its sign."""
    return f"{loss:+.4f}" if math.isfinite(loss) else "outside the law"


def _sparse(answer: Plan) -> pd.DataFrame:
    """Dense models as good as the sparse ones of the plan's non-zero parameters."""
    return pd.DataFrame([
        {
            "weights that are zero": format_percent(share, 3),
            "as good as a dense model of": size(float(dense_equivalent(answer.params, share))),
            "loss, against a dense model of as many non-zero weights": _added(
                float(sparse_loss(answer.params, answer.tokens, share))
                - float(sparse_loss(answer.params, answer.tokens, 0.0))
            ),
        }
        for share in (0.5, 0.75, 0.875)
    ])  # fmt: skip


def _granular(answer: Plan) -> pd.DataFrame:
    """Loss by granularity beside that of experts of the usual size."""
    usual = float(fine_grained_loss(answer.params, answer.tokens, 1))
    losses = {g: float(fine_grained_loss(answer.params, answer.tokens, g)) for g in (1, 2, 4, 8, 16)}
    said = {str(g): loss for g, loss in losses.items()}
    said["none: a dense model of as many active parameters"] = float(
        fine_grained_dense_loss(answer.params, answer.tokens)
    )
    return pd.DataFrame([
        {"granularity": g, "loss, against experts of the usual size": _added(loss - usual)} for g, loss in said.items()
    ])  # fmt: skip


def _routed(answer: Plan) -> pd.DataFrame:
    """Dense models as good as ones with so many experts."""
    dense = float(clark_loss(answer.params, 1))
    return pd.DataFrame([
        {
            "experts": str(experts),
            "as good as a dense model of": size(float(clark_dense_equivalent(answer.params, experts))),
            "loss, against a dense model": _added(float(clark_loss(answer.params, experts)) - dense),
        }
        for experts in (8, 32, 128)
    ])  # fmt: skip


def _taught(answer: Plan) -> pd.DataFrame:
    """Loss of a student of the plan's size by the teacher's loss."""
    alone = float(supervised_loss(answer.params, answer.tokens))
    rows = [{"teacher's loss": "no teacher", "student's loss": format_number(alone, 4), "difference": "",
             "helps": ""}]  # fmt: skip
    for better in (0.0, 0.05, 0.10, 0.15):
        teacher = alone * (1 - better)
        student = float(distilled_loss(answer.params, answer.tokens, teacher))
        rows.append({
            "teacher's loss": f"{format_number(teacher, 4)} ({format_percent(better)} lower)",
            "student's loss": format_number(student, 4),
            "difference": _added(student - alone),
            "helps": "yes" if bool(teacher_helps(answer.params, answer.tokens, teacher)) else "no",
        })  # fmt: skip
    return pd.DataFrame(rows)


_TABLES: dict[str, Callable[[Plan], pd.DataFrame]] = {
    "precision": _bits, "sparsity": _sparse, "fine_grained": _granular, "routed": _routed, "distillation": _taught,
}  # fmt: skip
