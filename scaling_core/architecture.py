"""A decoder by its shape, and its parameters counted to the last one, each class apart."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_core.errors import UserError

#: How positions enter: a learned table, nothing to learn (rotary, ALiBi), or Transformer-XL's relative keys.
POSITIONS = ("learned", "none", "relative")


@dataclass(frozen=True)
class Decoder:
    """A decoder-only transformer.

    Attributes
    ----------
    d_ff : int, optional
        Width inside the feed-forward part; 4 times ``d_model`` unless said.
    head_size : int, optional
        ``d_model / heads`` unless said; heads × head size need not be the width.
    kv_heads : int, optional
        Heads of keys and values: fewer than ``heads`` is grouped-query attention.
    context : int
        Tokens of a training sequence; also the length of a learned table of positions.
    bias : bool
        Biases in every linear layer but the head, and in the norms.
    glu : bool
        A gated feed-forward part: three matrices instead of two.
    tied : bool
        The head shares the weights of the embedding.
    norm_bias : bool, optional
        Biases in the norms alone; as ``bias`` unless said.
    """

    layers: int
    d_model: int
    heads: int
    vocabulary: int
    context: int
    d_ff: int | None = None
    head_size: int | None = None
    kv_heads: int | None = None
    bias: bool = False
    glu: bool = False
    tied: bool = False
    positions: str = "none"
    norm_bias: bool | None = None

    def __post_init__(self) -> None:
        sizes = {n: getattr(self, n) for n in ("layers", "d_model", "heads", "vocabulary", "context")}
        sizes |= {n: v for n in ("d_ff", "head_size", "kv_heads") if (v := getattr(self, n)) is not None}
        for name, value in sizes.items():
            if value < 1:
                raise UserError(f"“{name}” is {value}.", fix="Give a whole number above zero.")
        if self.head_size is None and self.d_model % self.heads:
            raise UserError(
                f"A width of {self.d_model} does not divide among {self.heads} heads.", fix="Give the head size too."
            )
        if self.heads % self.n_kv_heads:
            raise UserError(f"{self.heads} heads do not divide among {self.n_kv_heads} heads of keys and values.")
        if self.positions not in POSITIONS:
            raise UserError(
                f"There are no “{self.positions}” positions.", fix=f"Choose one of: {', '.join(POSITIONS)}."
            )

    @property
    def width_ff(self) -> int:
        """Width inside the feed-forward part."""
        return self.d_ff if self.d_ff is not None else 4 * self.d_model

    @property
    def size_of_head(self) -> int:
        """Width of one head."""
        return self.head_size if self.head_size is not None else self.d_model // self.heads

    @property
    def n_kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads if self.kv_heads is not None else self.heads

    @property
    def width_q(self) -> int:
        """Width of all queries together."""
        return self.heads * self.size_of_head

    @property
    def width_kv(self) -> int:
        """Width of all keys together, and of all values."""
        return self.n_kv_heads * self.size_of_head

    @property
    def ff_matrices(self) -> int:
        """Matrices of one feed-forward part."""
        return 3 if self.glu else 2


@dataclass(frozen=True)
class ParameterCount:
    """Parameters by class. ``head`` is 0 where it shares the embedding."""

    embedding: int
    position: int
    blocks: int
    final_norm: int
    head: int

    @property
    def total(self) -> int:
        """Everything that is stored."""
        return self.embedding + self.position + self.blocks + self.final_norm + self.head

    @property
    def non_embedding(self) -> int:
        """Blocks and the last norm: the N of Kaplan et al. 2020."""
        return self.blocks + self.final_norm

    @property
    def with_head(self) -> int:
        """Blocks, last norm and the weights that make the logits, shared or not; embeddings left out."""
        return self.non_embedding + (self.head or self.embedding)


def count_parameters(decoder: Decoder) -> ParameterCount:
    """Count the parameters of a decoder exactly."""
    embedding = decoder.vocabulary * decoder.d_model
    return ParameterCount(
        embedding=embedding,
        position=decoder.context * decoder.d_model if decoder.positions == "learned" else 0,
        blocks=decoder.layers * block_parameters(decoder),
        final_norm=_norm(decoder),
        head=0 if decoder.tied else embedding,
    )


def block_parameters(decoder: Decoder) -> int:
    """Parameters of one block: attention, feed-forward part and two norms."""
    return _attention(decoder) + _feed_forward(decoder) + 2 * _norm(decoder)


def _attention(decoder: Decoder) -> int:
    d, q, kv = decoder.d_model, decoder.width_q, decoder.width_kv
    biases = q + 2 * kv + d if decoder.bias else 0
    # Relative keys and two biases of queries (Dai et al. 2019), as in Gopher and Chinchilla.
    relative = d * q + 2 * q if decoder.positions == "relative" else 0
    return d * (q + 2 * kv) + q * d + biases + relative


def _feed_forward(decoder: Decoder) -> int:
    d, ff = decoder.d_model, decoder.width_ff
    biases = (decoder.ff_matrices - 1) * ff + d if decoder.bias else 0
    return decoder.ff_matrices * d * ff + biases


def _norm(decoder: Decoder) -> int:
    with_bias = decoder.bias if decoder.norm_bias is None else decoder.norm_bias
    return (2 if with_bias else 1) * decoder.d_model
