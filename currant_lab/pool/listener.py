"""Notifications as an async iterator, drained by Rust however busy Python is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from currant_lab._native import Listener as NativeListener
from currant_lab.database.url import Target
from currant_lab.pool.threads import in_thread

__all__ = ["Listener"]


class Listener:
    """`async for channel, payload in listener` until it is closed."""

    def __init__(self, native: NativeListener) -> None:
        self._native = native
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[tuple[str, str]] = deque()
        self._signal = asyncio.Event()
        self._closed = False
        self._loop.add_reader(native.fileno(), self._on_readable)

    @classmethod
    async def open(cls, target: Target, channels: Sequence[str]) -> Listener:
        """Connect to `target` and LISTEN on `channels`.

        Raises:
            DatabaseUnavailable: with the real reason.
        """
        native = await in_thread(lambda: NativeListener.connect(**target.engine_args(), channels=list(channels)))
        return cls(native)

    @property
    def connected(self) -> bool:
        """Whether the connection stands; it is made again by itself."""
        return self._native.connected

    @property
    def dropped(self) -> int:
        """How many messages were lost, at least: re-read what they spoke of when this grows."""
        return self._native.dropped

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> tuple[str, str]:
        while not self._arrived:
            if self._closed:
                raise StopAsyncIteration
            self._signal.clear()
            await self._signal.wait()
        return self._arrived.popleft()

    async def close(self) -> None:
        """Stop listening; a waiting iteration ends."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._native.fileno())
            self._signal.set()
            await in_thread(self._native.close)

    def _on_readable(self) -> None:
        self._native.clear()
        self._arrived.extend(self._native.take())
        self._signal.set()
