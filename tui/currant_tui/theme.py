"""The colours: a dark and a light theme, and what each ink of a picture is in any theme."""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["DARK", "INK_DEFAULTS", "LIGHT", "THEMES"]

_DARK_INKS = {
    "ink-muted": "#7d8597",
    "ink-strong": "#f2f4f8",
    "ink-accent": "#e85d8a",
    "ink-good": "#6cc08b",
    "ink-warn": "#e8b04b",
    "ink-bad": "#f2665b",
    "ink-one": "#62b6e8",
    "ink-two": "#6cc08b",
    "ink-three": "#e8b04b",
    "ink-four": "#b48ee8",
    "ink-five": "#e85d8a",
    "ink-heat1": "#263a5c",
    "ink-heat2": "#2f5f86",
    "ink-heat3": "#35919a",
    "ink-heat4": "#6cc08b",
    "ink-heat5": "#d9c45f",
    "ink-heat6": "#f58b54",
}

_LIGHT_INKS = {
    "ink-muted": "#6a7080",
    "ink-strong": "#12151c",
    "ink-accent": "#b31b52",
    "ink-good": "#1d7a45",
    "ink-warn": "#94620a",
    "ink-bad": "#c0271b",
    "ink-one": "#1568a8",
    "ink-two": "#1d7a45",
    "ink-three": "#94620a",
    "ink-four": "#6b3fb0",
    "ink-five": "#b31b52",
    "ink-heat1": "#c3d6ec",
    "ink-heat2": "#8ab6dc",
    "ink-heat3": "#4a93c0",
    "ink-heat4": "#1f7a8c",
    "ink-heat5": "#8a5a00",
    "ink-heat6": "#b5331c",
}

INK_DEFAULTS = _DARK_INKS
"""Inks of a theme that brings none of its own."""

DARK = Theme(
    name="currant-dark",
    primary="#e85d8a",
    secondary="#62b6e8",
    accent="#e85d8a",
    warning="#e8b04b",
    error="#f2665b",
    success="#6cc08b",
    foreground="#d3d8e2",
    background="#12141b",
    surface="#181b24",
    panel="#212633",
    dark=True,
    variables=_DARK_INKS | {"block-cursor-text-style": "none"},
)

LIGHT = Theme(
    name="currant-light",
    primary="#b31b52",
    secondary="#1568a8",
    accent="#b31b52",
    warning="#94620a",
    error="#c0271b",
    success="#1d7a45",
    foreground="#262a33",
    background="#fbfaf8",
    surface="#f3f1ed",
    panel="#e6e3dc",
    dark=False,
    variables=_LIGHT_INKS | {"block-cursor-text-style": "none"},
)

THEMES = (DARK, LIGHT)
