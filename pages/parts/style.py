"""The few rules that the theme cannot say: of style, and of the way back."""

from __future__ import annotations

import streamlit as st

_CSS = """
<style>
/* Less empty ground above the strip and beside the content: the first chart belongs on the first screen. */
[data-testid="stMainBlockContainer"] { padding: .7rem 2.5rem 4rem; gap: .8rem; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: .7rem 1rem 4rem; } }
[data-testid="stMainBlockContainer"] h1 { padding: 0; font-size: 1.7rem; line-height: 1.2; }
.st-key-title { gap: 0 1rem; }
.st-key-answer h3 { padding: 0; font-size: 1.25rem; line-height: 1.35; }
/* The strip shares its line with the menu and the sign of work at the right and, where the sidebar is closed, with what
   opens it. It has its height before it is filled, so that nothing jumps. */
[data-testid="stHeader"] { background: transparent; }
[data-testid="stHeader"], [data-testid="stToolbar"] { pointer-events: none; }
[data-testid="stToolbar"] :is(button, a) { pointer-events: auto; }
.st-key-strip {
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); min-height: 2.9rem;
  padding: 0 7.2rem .35rem 0;
}
.st-key-strip > [data-testid="stElementContainer"]:has(> .stEmpty) { display: none; }
@media (max-width: 640px) { .st-key-strip { padding-right: 2.6rem; } }
[data-testid="stApp"]:has([data-testid="stExpandSidebarButton"]) .st-key-strip { padding-left: 1.6rem; }
.st-key-way_back { display: none; }
/* Charts in several panels are drawn wider than their place by their axes. A slider of theirs stands above them, as
   wide as they are; its bare count of steps says nothing. */
[class*="st-key-stacked_"] { padding-right: 4.6rem; }
[class*="st-key-stacked_"] .vega-embed { display: flex; flex-direction: column; }
[class*="st-key-stacked_"] .vega-bindings {
  order: -1; padding: 0 0 1.2rem !important; margin-right: -4.6rem !important;
}
[class*="st-key-stacked_"] .vega-bind label {
  display: flex; align-items: center; gap: .8rem; width: 100%;
}
[class*="st-key-stacked_"] .vega-bind-name { white-space: nowrap; font-weight: 600; }
[class*="st-key-stacked_"] .vega-bind span:not(.vega-bind-name) { display: none; }
[class*="st-key-stacked_"] input[type=range] { flex: 1; min-width: 6rem; }
</style>
"""

#: Streamlit 1.67 enters a page into the browser's history twice, without its choices and with them, so that Back seems
#: to do nothing. What only completes an address without choices takes its place instead of following it.
_ONE_STEP_BACK = """
<script>
if (!window.completesAddresses) {
  window.completesAddresses = true;
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const next = new URL(url ?? location.href, location.href);
    const completes = next.pathname === location.pathname && !location.search;
    completes ? history.replaceState(state, title, url) : push(state, title, url);
  };
}
</script>
"""


def apply() -> None:
    """Put the rules on the page."""
    st.html(_CSS)
    with st.container(key="way_back"):
        st.html(_ONE_STEP_BACK, unsafe_allow_javascript=True)
