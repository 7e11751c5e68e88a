"""The one error a person can cause.

Pages show it with ``st.error``; the command line prints it and exits with 2. Any other exception is a bug.
"""

from __future__ import annotations


class UserError(Exception):
    """Something a person can put right.

    Parameters
    ----------
    what : str
        What is wrong, in one plain sentence.
    where : str, optional
        File, row and column, as far as known ("runs.csv, line 14, column 'loss'").
    fix : str, optional
        What the person can do about it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(self.line())

    def line(self) -> str:
        """Return the error as one line of text."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join(f"{text} {self.fix}".split())
