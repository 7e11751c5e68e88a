"""What leaves the app: text to paste, files to keep."""

from scaling_core.report.fit_text import as_latex, as_python

__all__ = ["as_latex", "as_python"]
