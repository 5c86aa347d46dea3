"""A wire to the database that can be cut: at once, for a while, or just before an answer arrives."""

from __future__ import annotations

import asyncio
import contextlib


class Wire:
    """Forwards connections to a server's loopback port. All its methods belong to the loop it was opened on.

    Attributes:
        port: where it listens, on 127.0.0.1.
        swallow: cut the connection instead of forwarding the answer that contains these bytes.
        is_cut: take no connections.
        swallowed: set when an answer was swallowed.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.swallow: bytes | None = None
        self.is_cut = False
        self.swallowed = asyncio.Event()

    async def open(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
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
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back, answers=False), self._pump(there, writer, answers=True))
        self._writers -= {writer, back}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                if answers and self.swallow is not None and self.swallow in data:
                    self.swallow = None
                    self.swallowed.set()
                    sink.transport.abort()
                    return
                sink.write(data)
                await sink.drain()
        sink.close()
