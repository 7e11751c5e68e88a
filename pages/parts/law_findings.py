"""What speaks for and against a fit, gravest first, each with what to do about it."""

from __future__ import annotations

import streamlit as st

from pages.parts import analyses, frame
from scaling_core.fitting import FitResult
from scaling_core.fitting.finding import Finding
from scaling_core.runs import RunTable

_SHOWN = 4
_LOOK = {
    "problem": (":material/error:", "red"),
    "doubt": (":material/warning:", "orange"),
    "info": (":material/info:", "blue"),
    "good": (":material/check_circle:", "green"),
}


def draw(runs: RunTable, fit: FitResult) -> None:
    """List the findings: the gravest in sight, the rest and what is well folded away."""
    findings = analyses.findings()
    grave = [f for f in findings if f.severity in ("problem", "doubt")]
    st.subheader("What to doubt" if grave else "Nothing speaks against this fit")
    for finding in grave[:_SHOWN]:
        line(finding)
    rest = [*grave[_SHOWN:], *(f for f in findings if f.severity in ("info", "good"))]
    if not rest:
        return
    with st.expander(f"{len(rest)} more that were looked at", icon=":material/checklist:"):
        for finding in rest:
            line(finding)


def line(finding: Finding) -> None:
    """One finding, its colour and sign by how grave it is."""
    icon, color = _LOOK[finding.severity]
    fix = f" {frame.plain(finding.fix)}" if finding.fix else ""
    st.markdown(f":{color}[{icon}] **{frame.plain(finding.text)}**{fix}")
