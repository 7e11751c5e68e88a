"""Giving what no column holds: from names of runs, typed, counted from a shape, or as batch × sequence × step."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.parts import data, frame, state
from pages.parts.mapping_columns import NONE, file_columns
from scaling_core.errors import UserError
from scaling_core.runs import COLUMNS, Overrides, RunTable
from scaling_core.runs.given import FAMILY, PLAIN, SIZES, TIED, number_of
from scaling_core.runs.name_pattern import suggest_pattern
from scaling_core.runs.shape import FAMILIES
from scaling_core.units import parse_quantity

_MOST_TYPED_ROWS = 500
_TYPED = ("params", "tokens", "flops")
_SIZE_TITLES = {
    "layers": "Layers", "d_model": "Width", "heads": "Heads", "vocabulary": "Vocabulary", "context": "Sequence",
    "d_ff": "Feed-forward width", "kv_heads": "Heads of keys and values", "head_size": "Width of one head",
}  # fmt: skip
_FACTORS = ("Batch, in sequences", "Tokens of a sequence", "Step", "Anything else, such as accumulation")


def names_form(_: RunTable | None, now: Overrides) -> Overrides | None:
    """Type an expression and see at once what it reads."""
    names = data.names_of_runs(now)
    suggested = suggest_pattern(names)
    version = f"{state.get('runs')}|{state.get('map')}"
    pattern = st.text_input(
        "Expression on the names of runs", value=now.given.pattern or suggested, key=f"pattern_{version}",
        placeholder=r"d=(?P<d_model>\d+)_l=(?P<layers>\d+)",
        help="A regular expression with named groups. params, tokens, flops, step and run are used as such; d_model, "
        "layers, heads, vocabulary and context count N; every other group becomes a column.",
    ).strip()  # fmt: skip
    if not pattern:
        st.caption(f"Names are like “{frame.plain(names[0])}”. Write what the numbers in them mean." if names else "")
        return replace(now, given=replace(now.given, pattern="")) if now.given.pattern else None
    if pattern == suggested and not now.given.pattern:
        st.caption(
            "Suggested by what the names look like. Below is what it reads; nothing is used before you apply it."
        )
    said = replace(now, given=replace(now.given, pattern=pattern))
    return _shown(said, now, "names")


def typed_form(_: RunTable | None, now: Overrides) -> Overrides | None:
    """Type values into a table, run by run."""
    before = typed_frame(now)
    version = f"{state.get('runs')}|{state.get('map')}"
    text = "Type numbers such as 70M, 1.4e9 or 3e21. An empty cell leaves it to the file; a typed one stands over it."
    st.caption(text + (f" The first {_MOST_TYPED_ROWS} runs." if len(before) == _MOST_TYPED_ROWS else ""))
    after = st.data_editor(
        before, key=f"typed_{version}", hide_index=True, disabled=["run"], width="stretch", height=280,
        column_config={"run": "Run"} | {c: f"{COLUMNS[c].title} {COLUMNS[c].symbol}" for c in _TYPED},
    )  # fmt: skip
    if st.button("Apply", type="primary", key="apply_typed"):
        return replace(now, given=replace(now.given, typed=typed_values(before, after, now.given.typed)))
    return None


def typed_frame(now: Overrides) -> pd.DataFrame:
    """A row a run, with the values that are known of it as text."""
    known = data.preview_sizes(now).head(_MOST_TYPED_ROWS)
    columns = {c: [f"{v:.6g}" if pd.notna(v) else "" for v in known[c]] for c in _TYPED}
    return pd.DataFrame({"run": known["run"].astype(str), **columns})


def typed_values(
    before: pd.DataFrame, after: pd.DataFrame, typed: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Return what is typed after an edit: changed cells alone; an emptied one is no longer typed.

    Raises
    ------
    UserError
        If a cell holds no number above zero.
    """
    values = {name: dict(typed.get(name, {})) for name in {*_TYPED, *typed}}
    for name in _TYPED:
        for run, old, new in zip(before["run"], before[name], after[name], strict=True):
            text = "" if new is None or pd.isna(new) else str(new).strip()
            if text == old:
                continue
            values[name].pop(run, None)
            if text:
                values[name][run] = _number(text, run, name)
    return {name: values[name] for name in sorted(values) if values[name]}


def _number(text: str, run: str, name: str) -> float:
    try:
        value = parse_quantity(text)
    except (UserError, ValueError):
        value = 0.0
    if not value > 0:
        raise UserError(
            f"“{text}” is no number above zero.",
            where=f"{COLUMNS[name].title} of {run}",
            fix="Type it like 70M or 1.4e9.",
        )
    return value


def shape_form(_: RunTable | None, now: Overrides) -> Overrides | None:
    """Say which columns hold layers, width and so on; N is counted from them."""
    shape, groups = now.given.shape, now.given.group_names
    version = f"{state.get('runs')}|{state.get('map')}"
    slots = st.columns(4)
    chosen: dict[str, str] = {}
    for i, size in enumerate(SIZES):
        value = shape.get(size, size if size in groups else _like(size))
        found = _pick(slots[i % 4], _SIZE_TITLES[size], value, f"shape_{size}_{version}", groups)
        chosen |= {size: found} if found else {}
    families = [PLAIN, *FAMILIES]
    family = slots[0].selectbox(
        "Built like", families, index=families.index(shape.get(FAMILY, PLAIN)), key=f"family_{version}",
        format_func=lambda f: "a plain decoder" if f == PLAIN else f,
        help="Families differ in biases, gates, positions and whether head and embedding are one. A plain decoder has "
        "two matrices in its feed-forward part, no biases, and learns nothing of positions.",
    )  # fmt: skip
    tied = family == PLAIN and slots[1].toggle(
        "Head and embedding are one", value=shape.get(TIED) == "yes", key=f"tied_{version}"
    )
    st.caption("Choose a column or type a number. Without a vocabulary, N is the count without embeddings.")
    if not {"layers", "d_model"} <= chosen.keys():
        return None
    said = {**chosen, **({FAMILY: family} if family != PLAIN else {}), **({TIED: "yes"} if tied else {})}
    return _shown(replace(now, given=replace(now.given, shape=said)), now, "shape")


def product_form(runs: RunTable | None, now: Overrides) -> Overrides | None:
    """Say what multiplies to the tokens of a row."""
    version = f"{state.get('runs')}|{state.get('map')}"
    factors = now.given.products.get("tokens", ())
    steps = "step" if runs is not None and "step" in runs.frame else _like("step")
    guesses = [*factors, *[""] * 4][:4] if factors else [_like("batch"), _like("context"), steps, ""]
    slots = st.columns(4)
    chosen = [
        _pick(slots[i], title, guesses[i], f"factor_{i}_{version}", now.given.group_names)
        for i, title in enumerate(_FACTORS)
    ]
    st.caption("Tokens D = the product of these. Choose columns or type numbers; a step is one optimizer step.")
    kept = tuple(filter(None, chosen))
    if len(kept) < 2:
        return None
    if not chosen[1]:
        text = (
            "No tokens of a sequence are named: is the batch in tokens already? If not, choose a column or type them."
        )
        st.warning(text, icon=":material/warning:")
    said = replace(now, given=replace(now.given, products={**now.given.products, "tokens": kept}))
    return _shown(said, now, "product")


def _shown(said: Overrides, now: Overrides, way: str) -> Overrides | None:
    """Show what would be read, and offer to use it."""
    try:
        given = data.preview(said)
        titles = {c: COLUMNS[c].title for c in given.columns if c in COLUMNS}
        st.dataframe(given.head(8), hide_index=True, width="stretch", column_config=titles)
    except UserError as error:
        frame.show_error(error)
        return None
    used = st.button("Apply", type="primary", key=f"apply_{way}", disabled=said == now)
    return said if used else None


def _pick(slot: st.delta_generator.DeltaGenerator, title: str, now: str, key: str, groups: tuple[str, ...]) -> str:
    """Choose a column, or type a number; "" for neither."""
    options = list(dict.fromkeys([NONE, *groups, *file_columns(state.get("runs")), *([now] if now else [])]))
    chosen = slot.selectbox(title, options, index=options.index(now) if now else 0, key=key, accept_new_options=True)
    if chosen in (None, NONE):
        return ""
    if chosen not in options and number_of(chosen) is None:
        raise UserError(
            f"“{chosen}” is neither a column nor a number above zero.", where=title, fix="Choose or type one."
        )
    return str(chosen)


_LIKE = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "layers", "depth"),
    "d_model": ("hidden_size", "n_embd", "d_model", "dim", "width", "model_dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads", "heads"),
    "vocabulary": ("vocab_size", "padded_vocab_size", "vocabulary", "n_vocab", "vocab"),
    "context": ("seq_len", "sequence_length", "block_size", "context_length", "n_positions", "max_seq_len", "n_ctx"),
    "d_ff": ("intermediate_size", "d_ff", "ffn_dim", "n_inner"),
    "kv_heads": ("num_key_value_heads", "n_kv_heads", "n_kv_head"),
    "head_size": ("head_dim", "head_size"),
    "batch": ("global_batch_size", "batch_size", "train_batch_size", "batch", "bsz", "bs"),
    "step": ("step", "steps", "global_step", "iter"),
}


def _like(what: str) -> str:
    """A column that is called as this usually is, its last dotted part compared; "" where none is."""
    by_last = {c.rsplit(".", 1)[-1].rsplit("/", 1)[-1].lower(): c for c in reversed(file_columns(state.get("runs")))}
    return next((by_last[name] for name in _LIKE[what] if name in by_last), "")
