"""What stands around every page: the strip with runs, law, certificate and link, errors, and chart boxes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from pages.parts import analyses, data, opening, state, style, uploading
from pages.parts.words import plain
from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import DARK, LIGHT, Palette
from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.fitting.verdict import Verdict
from scaling_core.planning import get_published
from scaling_core.runs import RunTable, safe_csv
from scaling_core.units import format_flops

_LOG = logging.getLogger("scaling_explorer")
#: FLOPs below which a table counts in 10^9.
_FEW_FLOPS = 1e16
_BADGE = {"good": ("green", ":material/verified:"), "doubtful": ("orange", ":material/help:"),
          "failed": ("red", ":material/error:")}  # fmt: skip


def fitted_title(fit: FitResult) -> str:
    """Title of what is fitted where it is not the loss."""
    return "" if fit.metric.column == "loss" else fit.metric.cost_title


def palette() -> Palette:
    """Return the colours for the theme that the visitor sees."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def page(title: str, question: str, body: Callable[[], None]) -> None:
    """Draw a page: strip, title, the one sentence it answers, and its body, with errors worded.

    The strip stands first and is filled last: it waits for a fit that not every page needs.
    """
    state.begin()
    style.apply()
    with worded_errors():
        uploading.adopt()
    reading = _still_reading()
    strip = st.container(key="strip", horizontal=True, vertical_alignment="center", gap="small")
    strip.empty()  # one without children would not be there, and all would jump when it comes
    with st.container(key="title", horizontal=True, vertical_alignment="bottom", gap="small"):
        st.title(title, anchor=False, width="content")
        st.markdown(question, width="content")
    for refused in state.complaints():
        st.warning(f"The link asks for {plain(refused)}, which is not possible here; the default is used instead.")
    if reading:
        opening.panel(reading, lambda: data.stop_reading(reading))
    else:
        with st.container():  # stands there always, so that what follows is not drawn anew where it comes and goes
            uploading.panel()
        if data.is_stopped():
            st.button("Read it again", on_click=data.read_again, key="read_again", icon=":material/refresh:")
        with worded_errors():
            body()
    state.publish()
    with strip, worded_errors():
        _strip(title) if not reading else _strip_while_reading()


def _still_reading() -> opening.Key | None:
    """What is being read of what the page shows; other troubles come up where it is drawn."""
    try:
        data.loss_table()
    except opening.StillReading as reading:
        return reading.key
    except Exception:
        return None
    data.is_shown()
    return None


@contextmanager
def worded_errors() -> Iterator[None]:
    """Show a person's error where it happened; log and word anything else."""
    try:
        yield
    except UserError as error:
        show_error(error)
    except opening.StillReading as reading:  # it was let go of meanwhile, and is read again
        key = reading.key
        opening.panel(key, lambda: data.stop_reading(key))
    except Exception as error:
        if type(error).__module__.startswith("streamlit.runtime.scriptrunner"):  # a rerun or stop, not a failure
            raise
        _LOG.exception("A page failed")
        st.error(f"Something went wrong that is not your doing ({type(error).__name__}). It has been logged.")


def show_error(error: UserError) -> None:
    """Show what is wrong, where, and what to do."""
    where = f"**{plain(error.where)}** · " if error.where else ""
    st.error(f"{where}{plain(error.what)}\n\n{plain(error.fix)}", icon=":material/error:")


def _strip_while_reading() -> None:
    st.markdown(f":material/hourglass_top: **{plain(data.open_files())}**")
    st.space("stretch")
    _share()


def _strip(page_title: str) -> None:
    """One line on top of every page: which runs, which law, how good, and the link."""
    try:
        runs = data.table()
    except UserError:
        st.markdown(":material/database_off: No runs")
        _share()
        return
    try:
        fit = data.current_fit()
        st.markdown(_runs_line(runs, fit))
        _law_line(fit, page_title)
    except UserError as error:
        st.markdown(_runs_line(runs))
        st.badge("no law", color="gray", icon=":material/block:", help=plain(error.line()))
    st.space("stretch")
    _share()


def _runs_line(runs: RunTable, fit: FitResult | None = None) -> str:
    """How many runs, and their compute: of those that are fitted, where some were chosen."""
    count = int(runs.frame["is_final"].sum())
    some = fit if fit and (state.get("box") or state.get("drop")) else None
    number = f"{some.n_points} of {count} runs" if some else f"{count} run{'s' if count != 1 else ''}"
    span = some.ranges.get("flops") if some else runs.span("flops")
    compute = f" · {format_flops(span[0])}–{format_flops(span[1])} FLOPs" if span else ""
    return f":material/database: **{plain(data.runs_title(runs))}** · {number}{compute}"


def _law_line(fit: FitResult, page_title: str) -> None:
    """The law that the page shows: on the Plan page that may be a published one."""
    basis = state.get("basis")
    if page_title == "Plan" and basis.startswith(state.KEPT):
        _kept_line(basis.removeprefix(state.KEPT))
        return
    if page_title == "Plan" and basis != state.OWN_FIT:
        published = get_published(basis)
        st.markdown(f":material/show_chart: {plain(published.title)}")
        st.badge("published", color="gray", icon=":material/menu_book:", help=f"{published.source}. Not fitted here.")
        return
    st.markdown(f":material/show_chart: {plain(fit.law.title)}")
    _verdict_badge(analyses.verdict())


def _kept_line(name: str) -> None:
    """A kept fit, with the badge that it had when it was kept."""
    st.markdown(f":material/bookmark: {plain(name)}")
    try:
        kept = data.kept_fit(name)
    except UserError as error:
        st.badge("not kept here", color="gray", icon=":material/block:", help=plain(error.line()))
        return
    if kept.findings is None:
        st.badge("kept fit", color="gray", help=plain(f"{kept.verdict.solve} Nothing else is known of it here."))
        return
    _verdict_badge(kept.verdict, "Trust, below, lists what was found of it when it was kept.")


def _verdict_badge(verdict: Verdict, where: str = "The Law page lists what counts for and against it.") -> None:
    """The certificate of the solve and what was found of the fit, as one badge; which is which is its tooltip."""
    color, icon = _BADGE[verdict.grade]
    more = f" {where}" if verdict.reasons else ""
    st.badge(f"fit: {verdict.grade}", color=color, icon=icon, help=plain(f"{verdict.text}{more}"))


def _share() -> None:
    with st.popover("Share", icon=":material/link:"):
        st.markdown("This link opens the same runs, law and points, and all that is asked of the plan.")
        base = (st.context.url or "").split("?")[0]
        query = "&".join(f"{k}={_quoted(str(v))}" for k, v in st.query_params.to_dict().items())
        st.code(f"{base}?{query}" if query else base, language=None, wrap_lines=True)
        kept = ["Uploaded files"] * any(len(item) == 64 for item in data.run_ids())
        kept += ["Kept fits"] * state.get("basis").startswith(state.KEPT)
        kept += ["Accelerators of your own"] * state.get("hardware").startswith(state.OWN)
        for what in kept:
            st.caption(f"{what} are kept on this server only: the link works for people who use the same one.")


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe=",:;")


def chart(
    figure: Figure,
    *,
    key: str,
    alt_text: str,
    rows: pd.DataFrame | None = None,
    stacked: bool = False,
    **options: object,
):
    """Draw a chart with its text alternative; its table and file are one click away.

    ``stacked`` says that it has several panels, one above the other.
    """
    with st.container(key=f"{'stacked' if stacked else 'plain'}_{key}"), st.container(key=f"box_{key}"):
        drawn = st.vega_lite_chart(figure.spec(), key=key, width="stretch", alt=alt_text, **options)
    if rows is not None:
        folded(f"data_{key}", "Data", ":material/table:", lambda: table(rows, key))
    return drawn


def keep_options(key: str, options: Container[str]) -> None:
    """Drop from a stored choice of several what can no longer be chosen: Streamlit fails on it."""
    if key in st.session_state:
        st.session_state[key] = [v for v in st.session_state[key] if v in options]


def folded(key: str, label: str, icon: str, content: Callable[[], None]) -> None:
    """A section whose content is only made, and only sent, once it is opened."""
    section = st.expander(label, icon=icon, key=f"open_{key}", on_change="rerun")
    if section.open:
        with section:
            content()


def table(rows: pd.DataFrame, name: str) -> None:
    """Rows as a table with readable numbers, and as a file at full precision."""
    st.dataframe(_readable(rows), hide_index=True, height=360, column_config=_column_formats(rows))
    st.download_button(
        "Download as CSV", lambda: safe_csv(rows), f"{name}.csv", "text/csv",
        on_click="ignore", key=f"csv_{name}", icon=":material/download:",
    )  # fmt: skip


def _readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Compute in units of a power of ten: as plain numbers it is beyond what a browser's integers hold."""
    if "flops" not in rows:
        return rows
    return rows.assign(flops=rows["flops"] / 10.0 ** _flops_power(rows))


def _flops_power(rows: pd.DataFrame) -> int:
    """The unit of compute in a table: 10^18, or 10^9 where even the largest run would be a small part of that."""
    return 9 if "flops" in rows and rows["flops"].max() < _FEW_FLOPS else 18


def _column_formats(rows: pd.DataFrame) -> dict[str, st.column_config.NumberColumn]:
    """Sizes as 1.4B, ratios and losses with few digits."""
    formats = {"params": "compact", "tokens": "compact", "unique_tokens": "compact", "loss": "%.4f",
               "predicted": "%.4f", "residual": "percent", "beyond": "%.3g", "tokens_per_param": "%.3g"}  # fmt: skip
    bare = {c: c.removesuffix("_low").removesuffix("_high").removesuffix("_non_embedding") for c in rows.columns}
    known = {c: st.column_config.NumberColumn(format=formats[b]) for c, b in bare.items() if b in formats}
    return {
        **known,
        "flops": st.column_config.NumberColumn(f"flops, 10{'⁹' if _flops_power(rows) == 9 else '¹⁸'}", format="%.4g"),
    }


def json_download(label: str, value: dict, name: str, key: str) -> None:
    """Offer a value as a JSON file."""
    st.download_button(
        label,
        json.dumps(value, indent=2),
        name,
        "application/json",
        on_click="ignore",
        key=key,
        icon=":material/download:",
    )
