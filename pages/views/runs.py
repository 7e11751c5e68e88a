"""Runs: what do I have?"""

import pandas as pd
import streamlit as st

from pages.parts import curves, data, exports, frame, points, state, uploading
from pages.parts.cleaning import rows_to_look_at
from pages.parts.law_controls import has_seeds
from pages.parts.mapping import remembered_offer, wizard
from pages.parts.mapping_columns import file_columns
from scaling_core.charts.axes import View, unit_title
from scaling_core.charts.runs import BRUSH, runs_chart
from scaling_core.errors import UserError
from scaling_core.fitting import FITTED, HELD_OUT, FitResult, roles
from scaling_core.planning import basis_of_fit, budgets, frontier
from scaling_core.runs import COLUMNS, RunTable, Upload, samples
from scaling_core.runs.counted import unit_of
from scaling_core.runs.seeds import seed_summary
from scaling_core.units import format_count, format_flops

UPLOADER, FOLDER, AS_FOLDER = "uploader", "folder_uploader", "as_folder"
#: Formats are told by content, and event files have no ending of their own: the zones take every file.
FORMATS = (
    "Tables: CSV, TSV, JSON, JSON Lines, Parquet, Excel. Trackers: TensorBoard, W&B, MLflow, trackio. "
    "Trainers: Hugging Face, Lightning, Keras, litgpt, nanoGPT, build-nanogpt, nanochat, modded-nanogpt, Megatron, "
    "OLMo, and other printed logs with a step and a loss. "
    "Any of them in ZIP, tar, gzip or zstd. A mapping file says how to understand them."
)


def body() -> None:
    pick_runs()
    for refused in uploading.refused():
        frame.show_error(refused)
    remembered_offer()
    try:
        runs = data.table()
    except UserError as error:
        frame.show_error(error)
        if st.session_state.get(uploader_key()):
            st.caption("To leave a file out, take it from the drop zone with its ×.")
        correct_columns()
        return
    st.markdown(facts(runs))
    questions = [n for n in runs.notes if n.severity == "question"]
    for note in questions:
        st.warning(frame.plain(note.text), icon=":material/question_mark:")
    if len(drawable(runs)) > 1:
        main_chart(runs)
    else:
        st.info("Only one of N, D, C and loss is known of these runs: there is nothing to draw it against. Name the "
                "columns that hold the others.", icon=":material/info:")  # fmt: skip
    if runs.has_curves:
        curves.section()
    own_without_loss = not runs.has_loss and st.session_state["sample"] is None
    details(runs, bool(questions) or own_without_loss)


def correct_columns() -> None:
    """Offer the form where the columns are the trouble; a file that cannot be read has none to offer."""
    try:
        file_columns(state.get("runs"))
    except UserError:
        return
    with frame.worded_errors(), st.expander("Columns and units", expanded=True, icon=":material/view_column:"):
        wizard(None)


def pick_runs() -> None:
    """Samples and drop zone in one row, and under them what is open."""
    left, right = st.columns([1, 1], vertical_alignment="top")
    known = {s.name: s for s in samples()}
    loaded = data.run_ids()
    st.session_state["sample"] = loaded[0] if len(loaded) == 1 and loaded[0] in known else None
    with left:
        st.pills(
            "Samples", list(known), format_func=lambda n: known[n].title, key="sample", on_change=take_sample, wrap=True
        )
        if st.session_state["sample"]:
            chosen = known[st.session_state["sample"]]
            st.caption(f"{frame.plain(chosen.about)} Source: {frame.plain(chosen.source)}.")
        else:
            st.caption(f"Open: {frame.plain(data.open_files())}. Pick a sample to go back to published runs.")
    with right:
        drop_zone()


def drop_zone() -> None:
    """One zone, for files or for a folder: a browser offers only one of them at a time."""
    folder = bool(st.session_state.get(AS_FOLDER))
    st.file_uploader(
        "Your runs: a folder of them" if folder else "Your runs: tables or logs, one or more files", help=FORMATS,
        accept_multiple_files="directory" if folder else True,
        key=uploader_key(), on_change=take_uploads, args=(uploader_key(),),
    )  # fmt: skip
    st.toggle("A folder", key=AS_FOLDER, help="Files of one folder are one run: its log and the settings beside it.")


def uploader_key() -> str:
    """A drop zone cannot be emptied, only replaced: picking a sample begins a new one."""
    kind = FOLDER if st.session_state.get(AS_FOLDER) else UPLOADER
    return f"{kind}{uploading.zone()}"


def take_sample() -> None:
    """Open a sample; whatever lay in the drop zone is put away."""
    uploading.cancel()
    if name := st.session_state["sample"]:  # none where the open one was clicked again
        state.open_runs(name)


def take_uploads(zone: str) -> None:
    """Open the dropped files."""
    if zone != uploader_key():  # a sample was picked in the same moment
        return
    files = [Upload(file.name, file.getvalue()) for file in st.session_state[zone]]
    uploading.take(files, folder=zone.startswith(FOLDER))


def facts(runs: RunTable) -> str:
    """One line: how many, which sizes, which span, which loss, what was left out."""
    ends, counted = runs.frame[runs.frame["is_final"]], unit_of(runs)
    parts = [f"**{len(ends)} runs**"]
    if len(ends) < len(runs.frame):
        parts.append(f"{len(runs.frame)} rows with checkpoints")
    sizes = ends["params"].nunique()
    if sizes:
        parts.append(f"{sizes} size{'s' if sizes != 1 else ''}, {span_text(runs, 'params', format_count)} parameters")
    for name, write, unit in (("tokens", format_count, f"{counted}s"), ("flops", format_flops, "FLOPs")):
        if runs.span(name):
            computed = " (computed)" if all(name in s.derived for s in runs.sources) else ""
            parts.append(f"{span_text(runs, name, write)} {unit}{computed}")
    splits = {s.loss_split for s in runs.sources}
    split = f"{splits.pop()} " if len(splits) == 1 and "unknown" not in splits else ""
    parts.append(f"{split}loss in nats per {counted}" if runs.has_loss else "no loss")
    left_out = len(runs.rejected)
    parts.append(f"**{left_out} row{'s' if left_out != 1 else ''} left out**" if left_out else "nothing left out")
    return " · ".join(parts)


def span_text(runs: RunTable, name: str, write) -> str:
    low, high = runs.span(name)
    return write(low) if low == high else f"{write(low)}–{write(high)}"


def drawable(runs: RunTable) -> list[str]:
    """Quantities that are known of some run."""
    return [c for c in ("flops", "params", "tokens", "loss") if runs.frame[c].notna().any()]


def main_chart(runs: RunTable) -> None:
    chart_side, control_side = st.columns([5, 1.15])
    with control_side:
        view, color = controls(runs)
    counted = unit_of(runs)
    fit = try_fit()
    rows = fit.points if fit else runs.frame.assign(role=roles_without_law(runs))
    spread = seed_summary(rows[rows["role"] == FITTED]) if state.get("seeds") else None
    figure = runs_chart(rows, view, color, frame.palette(), law_line(fit, view), spread)
    with chart_side:
        frame.chart(
            figure,
            key="runs_chart",
            alt_text=f"{unit_title(view.y, counted)} against {unit_title(view.x, counted)} of {len(rows)} rows, "
            f"coloured by {unit_title(color, counted)}",
            on_select=lambda: points.take_box("runs_chart"),
            selection_mode=[BRUSH],
        )
        if runs.has_loss:
            points.sentence(rows["role"])
        else:
            st.info(
                "These runs have no loss, so no law can be fitted to them. Choose what to put on the axes, or name a "
                "loss column under *Columns and units*.",
                icon=":material/info:",
            )


def controls(runs: RunTable) -> tuple[View, str]:
    """What stands on the axes and what the colour means."""
    known = drawable(runs)
    axes = [c for c in known if c != "loss"]
    if state.get("x") not in axes:
        state.put(x=axes[0])
    counted = unit_of(runs)
    st.selectbox("Across", axes, format_func=lambda c: short_title(c, counted), key="x")
    ups = [c for c in ("loss", "params", "tokens", "flops") if c in known and c != state.get("x")]
    if state.get("y") not in ups:
        state.put(y=ups[0])
    st.selectbox("Up", ups, format_func=lambda c: short_title(c, counted), key="y")
    st.toggle("Log across", key="logx")
    st.toggle("Log up", key="logy")
    if view_of_loss() and has_seeds(runs):
        st.toggle("Mean of seeds", key="seeds", help="Bars of one standard deviation about the mean of runs that have "
                  "the same N, D and C.")  # fmt: skip
    colors = [c for c in runs.frame.columns if c not in ("line", "is_final")]
    if state.get("color") not in colors:
        state.put(color="params")
    st.selectbox(
        "Colour", colors, format_func=lambda c: short_title(c, counted), key="color",
        help="Any column of the file. “unknown” in the legend are runs whose row leaves that column empty; of many "
        "names the rarest share one colour.",
    )  # fmt: skip
    x, y = state.get("x"), state.get("y")
    other = unit_title(y, counted) if y != "loss" or runs.metric.column == "loss" else runs.metric.cost_title
    view = View(x, y, state.get("logx"), state.get("logy"), other, unit_title(x, counted))
    return view, state.get("color")


def view_of_loss() -> bool:
    return state.get("y") == "loss"


def short_title(name: str, counted: str) -> str:
    return unit_title(name, counted).split(" (")[0] if name in COLUMNS else name


def try_fit() -> FitResult | None:
    """The law drawn faintly; the Law page says why where there is none."""
    try:
        return data.current_fit()
    except UserError:
        return None


def roles_without_law(runs: RunTable) -> pd.Series:
    if not runs.has_loss:
        return pd.Series(FITTED, index=runs.frame.index)
    try:
        return roles(runs, state.selection(), ())
    except UserError as error:  # a box drawn over a column that only other runs have: no row lies in it
        frame.show_error(error)
        return pd.Series(HELD_OUT, index=runs.frame.index)


def law_line(fit: FitResult | None, view: View) -> pd.DataFrame | None:
    """The best loss the law gives at each compute, where the chart has loss and the law can say."""
    if fit is None or view.y != "loss" or "flops" not in fit.ranges:
        return None
    try:
        low, high = fit.ranges["flops"]
        return frontier(basis_of_fit(fit), budgets(low / 2, high * 2), level=None)
    except UserError:
        return None


def details(runs: RunTable, ask: bool) -> None:
    """What was understood, guessed and left out, and the rows themselves."""
    with st.expander("Columns and units", expanded=ask, icon=":material/view_column:"):
        wizard(runs)
    rows_to_look_at(runs)
    with st.expander(f"Notes ({len(runs.notes)})", icon=":material/sticky_note_2:"):
        notes(runs)
    left_out_title = f"Rows left out ({len(runs.rejected)})"
    frame.folded("left_out", left_out_title, ":material/filter_alt_off:", lambda: left_out(runs))
    frame.folded(
        "table", f"Table ({len(runs.frame)} rows)", ":material/table:", lambda: frame.table(runs.frame, "runs")
    )
    frame.folded("export", "Export", ":material/download:", lambda: exports.downloads(data.loss_table()))


def notes(runs: RunTable) -> None:
    if not runs.notes:
        st.markdown("Nothing was guessed, converted or doubted.")
    for note in runs.notes:
        icon = {"info": ":material/info:", "warning": ":material/warning:", "question": ":material/help:"}[
            note.severity
        ]
        file = f" ({frame.plain(note.file)})" if note.file and len(runs.sources) > 1 else ""
        st.markdown(f"{icon} {frame.plain(note.text)}{file}")
    for source in runs.sources:
        st.caption(f"{frame.plain(source.file)} · {frame.plain(source.format)} · SHA-256 {source.sha256[:16]}…")


def left_out(runs: RunTable) -> None:
    if len(runs.rejected):
        frame.table(runs.rejected, "left_out")
    else:
        st.markdown("Every row was used.")


frame.page(
    "Runs",
    "What do I have, and does it look like a law? Drop the results of your training runs, or look at published ones.",
    body,
)
