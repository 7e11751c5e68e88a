"""Memory of training on one accelerator, by part, under sharding, parallelism and recomputation; and what fits.

Activations follow Korthikanti et al. 2022 (arXiv 2205.05198), written out by width so that grouped queries, gated
feed-forward parts and any head size are counted too; states follow Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.planning.hardware import Hardware
from scaling_core.planning.shapes import Decoder, count_parameters

GIB = 2.0**30
RECOMPUTE = ("none", "selective", "full")
#: Share of the memory that states and activations may fill; the rest is for kernels, caches and fragmentation.
USABLE_SHARE = 0.9
#: Splits that are tried.
_TENSOR = (1, 2, 4, 8, 16, 32, 64)
_STAGES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class StateBytes:
    """Bytes per parameter of weights, gradients and optimiser states, and per value of an activation."""

    weights: float
    gradients: float
    optimiser: float
    activations: float


#: Ways to keep the states of Adam. Mixed precision keeps an FP32 copy of the weights with its two moments.
STATES = {
    "fp32": StateBytes(4, 4, 8, 4),
    "mixed": StateBytes(2, 4, 12, 2),
    "mixed, 16-bit gradients": StateBytes(2, 2, 12, 2),
    "mixed, 8-bit moments": StateBytes(2, 4, 6, 2),
}


@dataclass(frozen=True)
class MemorySetup:
    """How a model is trained, as far as it matters for memory.

    Attributes
    ----------
    micro_batch : int
        Sequences that one replica works on at once.
    data_parallel, tensor_parallel, pipeline_parallel : int
        Replicas, accelerators that share each layer, and stages; their product is the number of accelerators.
    zero : int
        0 shards nothing over the replicas, 1 the optimiser states, 2 also gradients, 3 also weights.
    recompute : str
        "none" keeps all activations; "selective" recomputes attention's scores (or a kernel that never stores them);
        "full" keeps only the input of each layer.
    sequence_parallel : bool
        Shares what tensor parallelism leaves whole, too.
    dropout : bool
        Keep the masks of dropout, one byte a value.
    states : str
        One of ``STATES``.
    bucket_elements : float
        Elements of the buffer that sharded states are gathered in.
    """

    micro_batch: int = 1
    data_parallel: int = 1
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    zero: int = 0
    recompute: str = "selective"
    sequence_parallel: bool = True
    dropout: bool = True
    states: str = "mixed"
    bucket_elements: float = 5e8

    def __post_init__(self) -> None:
        for name in ("micro_batch", "data_parallel", "tensor_parallel", "pipeline_parallel"):
            if getattr(self, name) < 1:
                raise UserError(f"“{name}” is {getattr(self, name)}.", fix="Give a whole number above zero.")
        if self.zero not in (0, 1, 2, 3):
            raise UserError(f"There is no ZeRO stage {self.zero}.", fix="Choose 0, 1, 2 or 3.")
        for what, value, choices in (("recomputation", self.recompute, RECOMPUTE), ("states", self.states, STATES)):
            if value not in choices:
                raise UserError(f"There is no {what} “{value}”.", fix=f"Choose one of: {', '.join(choices)}.")

    @property
    def n_gpus(self) -> int:
        """Accelerators in all."""
        return self.data_parallel * self.tensor_parallel * self.pipeline_parallel


@dataclass(frozen=True)
class MemoryParts:
    """Bytes on the fullest accelerator, by part."""

    weights: float
    gradients: float
    optimiser: float
    activations: float
    logits: float
    communication: float

    @property
    def total(self) -> float:
        """All parts together."""
        return float(sum(dataclasses.astuple(self)))


def memory(decoder: Decoder, setup: MemorySetup) -> MemoryParts:
    """Memory of training on one accelerator, by part.

    Parameters are taken to divide evenly over tensors and layers: embedding and head belong to all stages alike.
    """
    size = STATES[setup.states]
    stage = stage_layers(decoder, setup) / decoder.layers
    n_params = count_parameters(decoder).total * stage / setup.tensor_parallel
    shards = [setup.data_parallel if setup.zero >= stage else 1 for stage in (3, 2, 1)]
    buffered = setup.zero >= 1 and setup.data_parallel > 1
    return MemoryParts(
        weights=n_params * size.weights / shards[0],
        gradients=n_params * size.gradients / shards[1],
        optimiser=n_params * size.optimiser / shards[2],
        activations=_activations(decoder, setup),
        logits=_logits(decoder, setup),
        # No buffer is larger than what it gathers.
        communication=min(setup.bucket_elements, n_params) * size.weights if buffered else 0.0,
    )


def stage_layers(decoder: Decoder, setup: MemorySetup) -> int:
    """Layers of the longest stage of the pipeline."""
    return math.ceil(decoder.layers / setup.pipeline_parallel)


def layer_activation_bytes(decoder: Decoder, setup: MemorySetup) -> float:
    """Bytes that one layer keeps for the backward pass, for one micro-batch.

    Of a plain GPT layer in 16 bits: sbh(34 + 5as/h) without parallelism or recomputation, sbh(10 + 24/t + 5as/(ht))
    with tensor parallelism, all of it over t with sequence parallelism, without the 5as/h when attention is
    recomputed, and 2sbh with full recomputation (Korthikanti et al. 2022, Table 2).
    """
    rows = decoder.context * setup.micro_batch
    t, w = setup.tensor_parallel, STATES[setup.states].activations
    whole = t if setup.sequence_parallel else 1
    if setup.recompute == "full":
        return w * rows * decoder.d_model / whole
    # Inputs of two norms and of two linear parts, and two masks after them; these are not split by tensors.
    outer = (4 * w + (2 if setup.dropout else 0)) * decoder.d_model
    middle = (3 if decoder.glu else 2) * decoder.width_ff
    inner = w * (2 * decoder.width_q + 2 * decoder.width_kv + middle)
    scores = (2 * w + (1 if setup.dropout else 0)) * decoder.heads * decoder.context
    return rows * (outer / whole + (inner + (scores if setup.recompute == "none" else 0)) / t)


def _activations(decoder: Decoder, setup: MemorySetup) -> float:
    """The first of p stages holds p micro-batches at once (Korthikanti et al. 2022, section 4.2.3)."""
    kept = setup.pipeline_parallel * stage_layers(decoder, setup) * layer_activation_bytes(decoder, setup)
    if setup.recompute != "full":
        return kept
    # While one layer is recomputed, all its activations are there.
    return kept + layer_activation_bytes(decoder, dataclasses.replace(setup, recompute="none"))


def _logits(decoder: Decoder, setup: MemorySetup) -> float:
    """Last norm, input of the head and logits in FP32, which only the last stage has (Korthikanti et al., eq. 5)."""
    if setup.pipeline_parallel > 1:
        return 0.0
    rows = decoder.context * setup.micro_batch
    w = STATES[setup.states].activations
    return rows * (2 * w * decoder.d_model + 4 * decoder.vocabulary) / setup.tensor_parallel


@dataclass(frozen=True)
class Fit:
    """A setup that fits, and its memory."""

    setup: MemorySetup
    parts: MemoryParts
    capacity_bytes: float

    @property
    def n_gpus(self) -> int:
        """Accelerators in all."""
        return self.setup.n_gpus


def fewest_gpus(
    decoder: Decoder,
    hardware: Hardware,
    setup: MemorySetup | None = None,
    *,
    usable_share: float = USABLE_SHARE,
    gpus_per_node: int = 8,
    most_replicas: int = 4096,
) -> Fit:
    """Find the smallest number of accelerators that a model can be trained on.

    Tensor parallelism is tried up to one node, pipelines of up to 64 stages, replicas as
    the ZeRO stage makes them useful; micro-batch, recomputation and states are those of ``setup``. Among equal
    numbers the setup with the least splitting of the model wins.

    Raises
    ------
    UserError
        If the memory is unknown, or nothing fits.
    """
    if hardware.memory_gb is None:
        raise UserError(f"The memory of {hardware.name} is not known.", fix="Give its memory in GB.")
    capacity = hardware.memory_gb * 1e9 * usable_share
    fits = list(_fits(decoder, setup or MemorySetup(zero=1), capacity, gpus_per_node, most_replicas))
    if not fits:
        raise UserError(
            f"This model does not fit on {hardware.name} however it is split.",
            fix="Recompute activations fully, take shorter sequences or smaller micro-batches, or more memory.",
        )
    return min(fits, key=lambda fit: (fit.n_gpus, fit.setup.pipeline_parallel, fit.setup.tensor_parallel))


def _fits(decoder: Decoder, setup: MemorySetup, capacity: float, node: int, most: int) -> Iterator[Fit]:
    tensor = [t for t in _TENSOR if t <= node and decoder.heads % t == 0]
    stages = [p for p in _STAGES if p <= decoder.layers]
    for t in tensor:
        for p in stages:
            split = dataclasses.replace(setup, data_parallel=1, tensor_parallel=t, pipeline_parallel=p)
            for replicas in _replicas(decoder, split, capacity, most):
                tried = dataclasses.replace(split, data_parallel=replicas)
                parts = memory(decoder, tried)
                if parts.total <= capacity:
                    yield Fit(tried, parts, capacity)
                    break


def _replicas(decoder: Decoder, split: MemorySetup, capacity: float, most: int) -> list[int]:
    """Numbers of replicas worth trying: one, and the fewest over which sharded states become small enough."""
    if split.zero == 0:
        return [1]
    two = memory(decoder, dataclasses.replace(split, data_parallel=2))
    parts = (two.optimiser, two.gradients, two.weights)
    sharded = 2 * sum(parts[: split.zero])
    left = capacity - (two.total - sharded / 2)
    needed = math.ceil(sharded / left) if left > 0 else most + 1
    return [1, *(n for n in (max(2, needed), needed + 1) if n <= most)]
