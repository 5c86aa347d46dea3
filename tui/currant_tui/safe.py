"""Strings from outside, made fit to show: never markup, every control character visible.

What a job is called, what it raised or printed is anybody's text. Given to a widget as `str` it would be read as
markup, and an unmatched `[/foo]` ends the app; written raw to a terminal, an escape sequence would be obeyed.
"""

from __future__ import annotations

import unicodedata

from rich.text import Text

__all__ = ["LONGEST", "paragraph", "plain", "text"]

LONGEST = 20_000
"""Characters shown of one string: a terminal of 200 x 50 holds 10,000."""

_NEWLINE = "↵"


def plain(value: object, limit: int = LONGEST) -> str:
    """One line of readable text: control characters as pictures, direction marks and halves of characters named."""
    return _shown(value, limit, keep="")


def paragraph(value: object, limit: int = LONGEST) -> Text:
    """Several lines of readable text; newlines are kept, tabs are four spaces."""
    return Text(_shown(value, limit, keep="\n"), no_wrap=False)


def text(value: object, style: str = "", limit: int = LONGEST) -> Text:
    """One line of readable text, which no widget takes for markup."""
    return Text(plain(value, limit), style=style, no_wrap=True, end="")


def _shown(value: object, limit: int, keep: str) -> str:
    whole = value if isinstance(value, str) else str(value)
    cut = whole[:limit]
    if not cut.isprintable():
        cut = "".join(char if char.isprintable() or char in keep else _picture(char, keep) for char in cut)
    return cut + f"… ({len(whole):,} characters)" if len(whole) > limit else cut


def _picture(char: str, keep: str) -> str:
    code = ord(char)
    if char == "\n":
        return _NEWLINE
    if char == "\t":
        return "    " if keep else "␉"
    if code < 0x20:
        return chr(0x2400 + code)  # the block of pictures for control characters
    if code == 0x7F:
        return "␡"
    if 0xD800 <= code < 0xE000:
        return "\ufffd"  # half a character: no terminal's encoding has it
    if unicodedata.category(char) == "Zs":
        return " "
    return f"‹U+{code:04X}›"
