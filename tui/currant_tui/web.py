"""`--web`: the dashboard in a browser of this machine, over textual-serve.

Each tab is a process of its own. Whoever reaches the port sees the dashboard, so it is bound to 127.0.0.1 and only
looks, unless told otherwise; and what another site's page sends to it is refused: a page may open a WebSocket to any
address, also one of this machine.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from currant_lab.errors import CurrantError

__all__ = ["serve"]

HOST = "127.0.0.1"
_POLICY = "default-src 'self' 'unsafe-inline' data:; connect-src 'self' ws://{host}"
_INSTALL = "currant-tui --web needs textual-serve: pip install 'currant-tui[web]'"


def serve(words: Sequence[str], *, database: str | None, port: int = 0) -> None:
    """Serve until interrupted.

    Args:
        words: what each tab's `currant-tui` is told.
        database: the URL; it goes by the environment, since a process list shows words.
        port: 0 takes one that is free.

    Raises:
        CurrantError: textual-serve isn't installed, or the port is taken.
    """
    try:
        from aiohttp import web
        from textual_serve.server import Server
    except ModuleNotFoundError:
        raise CurrantError(_INSTALL) from None
    listening = _listen(port)
    port = listening.getsockname()[1]
    address = f"{HOST}:{port}"

    @web.middleware
    async def only_here(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
        if request.headers.get("Host") != address or request.headers.get("Origin") not in (None, f"http://{address}"):
            raise web.HTTPForbidden(text="This page is only for who runs it.")
        response = await handler(request)
        if not response.prepared:  # the page asks for a font from elsewhere; it has the same one here
            response.headers["Content-Security-Policy"] = _POLICY.format(host=address)
        return response

    class Here(Server):
        async def _make_app(self) -> web.Application:
            made = await super()._make_app()
            made.middlewares.append(only_here)
            made.on_cleanup.append(_reaped)
            return made

        async def on_startup(self, app: web.Application) -> None:
            print(f"currant-tui: http://{address} (Ctrl-C ends it)", flush=True)  # noqa: T201 - the command's answer

    if database is not None:
        os.environ["CURRANT_DATABASE_URL"] = database
    command = "exec " + shlex.join([sys.executable, "-m", "currant_tui", "--tab", *words])
    here = Here(command, host=HOST, port=port, title="Currant Lab")
    with listening:
        web.run_app(here._make_app(), sock=listening, access_log=None, print=None)


async def _reaped(_: Any) -> None:
    """The tabs' processes have been told to end; the loop has to see it before it closes."""
    await asyncio.sleep(0.3)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise CurrantError(f"port {port} can't be used: {error.strerror}") from None
