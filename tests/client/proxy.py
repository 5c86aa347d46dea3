"""A wire to the database that can be cut (at once, for a while, or just before an answer arrives), slow, or dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from currant_lab.database.url import Target
from currant_lab.loop import background
from tests.conftest import Leased


class Wire:
    """Forwards connections to a server's loopback port. All its methods belong to the loop it was opened on.

    Attributes:
        port: where it listens, on 127.0.0.1.
        swallow: cut the connection instead of forwarding the answer that contains these bytes.
        is_cut: take no connections.
        is_dead: connections that are used meanwhile are half-open from then on: nothing comes through, nothing ends,
            and each end thinks that the other is only slow, also when one of them has gone.
        delay_s: how long everything takes, each way.
        swallowed: set when an answer was swallowed.
    """

    def __init__(self, target_port: int, host: str = "127.0.0.1") -> None:
        self._target_port = target_port
        self._host = host
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.swallow: bytes | None = None
        self.is_cut = False
        self.is_dead = False
        self.delay_s = 0.0
        self.swallowed = asyncio.Event()

    async def open(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def cut(self) -> None:
        """Break all connections, and take no new ones until `is_cut` is reset."""
        self.is_cut = True
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        await self.cut()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:  # the server is down
            writer.transport.abort()
            return
        if self.is_cut:  # meanwhile
            writer.transport.abort()
            back.transport.abort()
            return
        self._writers |= {writer, back}
        dead = asyncio.Event()
        await asyncio.gather(
            self._pump(reader, back, dead, answers=False), self._pump(there, writer, dead, answers=True)
        )
        self._writers -= {writer, back}

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, dead: asyncio.Event, *, answers: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.is_dead:
                    dead.set()
                if dead.is_set():
                    continue
                if answers and self.swallow is not None and self.swallow in data:
                    self.swallow = None
                    self.swallowed.set()
                    sink.transport.abort()
                    return
                sink.write(data)
                await sink.drain()
        if not dead.is_set():
            sink.close()


@pytest.fixture
def wire(leased: Leased) -> Iterator[Wire]:
    """A wire to the test's database."""
    made = background.run(Wire(leased.server.port).open())
    yield made
    background.run(made.close())


def over(wire: Wire, leased: Leased) -> Target:
    """The test's database at the wire's other end."""
    return replace(leased.target, hosts=(("127.0.0.1", wire.port),), sslmode="disable")
