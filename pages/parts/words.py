"""Words of files and people on the screen."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text from a file or a person, so that Markdown shows it as it is."""
    for sign in "&\\`*_{}[]()#+-.!|~<>$:":  # & first: the others bring their own
        text = text.replace(sign, f"\\{sign}" if sign not in "<>&" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[sign])
    return text.replace("\n", " ")
