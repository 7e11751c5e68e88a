"""What would change if: fewer bits, fewer weights, experts, a teacher. Published laws that do not transfer as they are.

Constants of these laws hold for the data, tokeniser and model family they were fitted on. They say which way a choice
pushes and about how far; losses of different laws must not be compared.
"""

from scaling_core.planning.whatif.distillation import (
    distilled_loss,
    supervised_loss,
    teacher_helps,
)
from scaling_core.planning.whatif.experts import (
    clark_dense_equivalent,
    clark_loss,
    fine_grained_dense_loss,
    fine_grained_loss,
)
from scaling_core.planning.whatif.label import LABELS, Label
from scaling_core.planning.whatif.precision import (
    best_training_bits,
    effective_params,
    effective_share,
    precision_loss,
    quantisation_penalty,
)
from scaling_core.planning.whatif.sparsity import dense_equivalent, sparse_loss

__all__ = [
    "LABELS",
    "Label",
    "best_training_bits",
    "clark_dense_equivalent",
    "clark_loss",
    "dense_equivalent",
    "distilled_loss",
    "effective_params",
    "effective_share",
    "fine_grained_dense_loss",
    "fine_grained_loss",
    "precision_loss",
    "quantisation_penalty",
    "sparse_loss",
    "supervised_loss",
    "teacher_helps",
]
