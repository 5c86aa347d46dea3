"""From any page to the executions that something there stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from currant_tui.views.executions import Executions

if TYPE_CHECKING:
    from textual.app import App

    from currant_lab.watch.listing import Sort
    from currant_tui.app import CurrantApp

__all__ = ["look_for"]


def look_for(app: App[Any], line: str, sort: Sort = "newest") -> None:
    """Go to the list of executions, and show what a filter line means."""

    async def go() -> None:
        currant = cast("CurrantApp", app)
        await currant.action_look("executions")
        if isinstance(currant.view, Executions):
            currant.view.look(line, sort)

    app.run_worker(go(), group="look", exclusive=True)
