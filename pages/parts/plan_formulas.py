"""The formulas that a plan went through, with the numbers put in."""

import streamlit as st

from pages.parts import frame
from scaling_core.planning import Basis, Plan, Scenario
from scaling_core.planning.followed import followed


def draw(basis: Basis, scenario: Scenario, answer: Plan) -> None:
    """Each formula under its name, its source after it."""
    for step in followed(basis, scenario, answer):
        st.markdown(f"**{frame.plain(step.what)}**")
        st.latex(step.latex)
        if step.source:
            st.caption(frame.plain(step.source))
