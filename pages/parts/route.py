"""Deep links on a fresh server.

Until a session has run ``app.py``, Streamlit 1.67 knows only the files that lie directly in ``pages/``: it answers
``/plan`` with a "Page not found" dialog if there is none of that name, and runs it past ``app.py`` if there is one.
So each address has a file there, and all that it does is run ``app.py``, which then draws the page asked for.
"""

from __future__ import annotations

import runpy
from pathlib import Path

APP = Path(__file__).parents[2] / "app.py"


def through_app() -> None:
    """Run the router."""
    runpy.run_path(str(APP))
