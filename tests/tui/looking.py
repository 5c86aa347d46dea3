"""What the tests of the dashboard share: an app on a real database, and what its terminal would show."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from currant_tui.app import CurrantApp
from currant_tui.view import Lab
from textual import events
from textual._context import active_app
from textual.widgets import Input

from currant_lab.settings import load
from currant_lab.watch.live import Live
from tests.conftest import Leased

HOSTILE = "boom [/foo] \x1b[31m ‮ שלום \U0001f347"
SIZES = [(80, 24), (120, 36), (200, 50)]


class Watched(CurrantApp):
    """The dashboard, which keeps what it has notified: on the screen that is seen for five seconds only."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.said: list[str] = []

    def notify(self, message: str, **more: Any) -> None:
        self.said.append(message)
        super().notify(message, **more)


def app_on(leased: Leased, *, view: str = "overview", read_only: bool = False, url: str | None = None) -> Watched:
    live = Live(load(database=url or leased.url, schema=leased.schema))
    return Watched(Lab(live, live.settings, read_only=read_only), view=view)


def screen_of(app: CurrantApp) -> str:
    """What a terminal would show."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()[:height]
    return "\n".join(strip.text[:width] for strip in strips)


async def shown(app: CurrantApp, pilot: Any, true: Callable[[str], bool], within_s: float = 40) -> str:
    """The screen once it says what is waited for."""
    try:
        async with asyncio.timeout(within_s):
            while not true(screen := screen_of(app)):
                await asyncio.sleep(0.02)
                await pilot.pause()
    except TimeoutError:
        said = "\n".join(line.rstrip() for line in screen.splitlines() if line.strip())
        raise AssertionError(f"not seen within {within_s} s:\n{said}") from None
    return screen


async def until(pilot: Any | None, true: Callable[[], Awaitable[bool]], within_s: float = 40) -> None:
    """Waits for something that the database tells."""
    async with asyncio.timeout(within_s):
        while not await true():
            await asyncio.sleep(0.02)
            if pilot is not None:
                await pilot.pause()


async def told(app: Watched, pilot: Any, text: str) -> None:
    """Waits for a notification."""

    async def is_told() -> bool:
        return any(text in said for said in app.said)

    await until(pilot, is_told)


async def focused(pilot: Any) -> None:
    """Waits until a field has the focus: on a busy machine the key that leads there may not have been heard yet."""

    async def is_field() -> bool:
        return isinstance(pilot.app.screen.focused, Input)

    await until(pilot, is_field)


async def typed(pilot: Any, text: str) -> None:
    """Put a text into the field that has the focus, as a terminal does, once one has it."""
    await focused(pilot)
    pilot.app.screen.focused.post_message(events.Paste(text))
    await pilot.pause()


async def execute(leased: Leased, sql: str, *arguments: object) -> Any:
    """Run a statement; SCHEMA in it is the schema. Returns its rows."""
    conn = await leased.connect()
    try:
        return await conn.fetch(sql.replace("SCHEMA", leased.schema), *arguments)
    finally:
        await conn.close()


async def submit(leased: Leased, number: int, queue: str = "default", job: str = "nb:fetch", delay: float = 0) -> None:
    call = "SCHEMA.submit($1, '[1]', $2, 0, make_interval(secs => $3))"
    await execute(leased, f"SELECT {call} FROM generate_series(1, $4)", job, queue, delay, number)


async def fail(leased: Leased, number: int, job: str, error: str, message: str = "went wrong") -> None:
    """Executions that failed."""
    await execute(
        leased,
        "INSERT INTO SCHEMA.history (id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,"
        " created_at, claimed_at, started_at, finished_at, args, error)"
        " SELECT gen_random_uuid(), $1, 'mail', 0, 'failed', 1, 1, 0, 0, 1, now() - interval '1 min',"
        " now() - interval '59 s', now() - interval '58 s', now() - n * interval '1 s', '[]',"
        " jsonb_build_object('type', $2::text, 'message', $3::text, 'traceback', 'Traceback of ' || $3)"
        " FROM generate_series(1, $4) AS n",
        job, error, message, number,
    )  # fmt: skip


async def begun(leased: Leased, name: str, steps: int, kind: str = "event") -> UUID:
    """A run whose steps, one after the other, are written as if a pool had."""
    await submit(leased, 1, job=f"nb:{name}")
    ((run,),) = await execute(leased, "SELECT id FROM SCHEMA.executions ORDER BY id DESC LIMIT 1")
    await execute(
        leased,
        "INSERT INTO SCHEMA.steps (execution, number, kind, name, seen, ended_at, result)"
        " SELECT $1, n, $4, $2, CASE WHEN n > 1 THEN ARRAY[n - 1] ELSE '{}' END,"
        " CASE WHEN $4 = 'call' THEN clock_timestamp() END, CASE WHEN $4 = 'call' THEN '\"done\"'::bytea END"
        " FROM generate_series(1, $3) AS n",
        run, name, steps, kind,
    )  # fmt: skip
    return UUID(bytes=run)


async def heard(*_: float) -> None:
    """Waits until no message waits for anybody on the screen, three times in a row: one may lead to another."""
    app, quiet = active_app.get(), 0
    while quiet < 3:
        await asyncio.sleep(0.005)
        nodes = [app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True))]
        quiet = quiet + 1 if not any(node.message_queue_size for node in nodes) else 0
