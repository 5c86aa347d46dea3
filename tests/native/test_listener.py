"""The listener as Python holds it."""

from __future__ import annotations

from collections.abc import Callable

from currant_lab._native import Listener
from tests.conftest import Leased
from tests.native.conftest import until

Listen = Callable[..., Listener]


async def test_messages_come_in_order_with_their_channel(leased: Leased, listen: Listen) -> None:
    listener = listen("one", 'an "odd" name')
    assert (listener.connected, listener.dropped, listener.take()) == (True, 0, [])
    connection = await leased.connect()
    await connection.execute("SELECT pg_notify('one', 'a'), pg_notify('an \"odd\" name', 'b'), pg_notify('one', '')")
    await connection.close()
    heard: list[tuple[str, str]] = []

    def ask() -> bool:
        heard.extend(listener.take())
        return len(heard) == 3

    until(listener, ask)
    assert heard == [("one", "a"), ('an "odd" name', "b"), ("one", "")]


async def test_a_listener_comes_back_and_says_that_it_was_away(leased: Leased, listen: Listen) -> None:
    channel = f"{leased.schema}_back"
    listener = listen(channel)
    connection = await leased.connect()
    await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'currant listener' AND query LIKE $1",
        f"%{channel}%",
    )
    until(listener, lambda: listener.dropped == 1 and listener.connected)
    await connection.execute(f"NOTIFY {channel}, 'again'")
    await connection.close()
    assert until(listener, listener.take) == [(channel, "again")]


async def test_close_ends_it(listen: Listen) -> None:
    listener = listen("one")
    listener.close()
    listener.close()
    assert not listener.connected
