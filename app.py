"""Scaling Explorer: the router. Page config and navigation; no page content."""

import importlib
import sys

import streamlit as st

st.set_page_config(
    page_title="Scaling Explorer",
    page_icon="assets/icon.svg",
    layout="wide",
    initial_sidebar_state="auto",
)

PAGES = (
    st.Page("pages/views/runs.py", title="Runs", icon=":material/scatter_plot:", default=True),
    st.Page("pages/views/law.py", title="Law", icon=":material/show_chart:", url_path="law"),
    st.Page("pages/views/plan.py", title="Plan", icon=":material/explore:", url_path="plan"),
    st.Page("pages/views/train.py", title="Train", icon=":material/model_training:", url_path="train"),
    st.Page("pages/views/devices.py", title="Devices", icon=":material/memory:", url_path="devices"),
)

page = st.navigation(PAGES)
if "pages.parts.frame" not in sys.modules:  # seconds on a busy machine, in which there should be something to see
    with st.spinner("Starting: the first visit after a restart loads the libraries"):
        importlib.import_module("pages.parts.frame")
page.run()
