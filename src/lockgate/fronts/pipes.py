"""Standard input and output as streams of the protocol, with nothing else on them.

Must not know: what travels there. While the protocol has the two descriptors, file descriptor 0 is
empty and 1 is stderr: neither a child nor a stray `print` can touch the conversation.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable
from typing import Final

_CHUNK: Final = 64 * 1024
_LAST_WORDS: Final = 2.0


def claim() -> tuple[int, int]:
    """Take standard input and output away from everyone else; their new descriptors."""
    read_from, write_to = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return read_from, write_to


class Pipes:
    """A reader and a writer on two descriptors. Open with `await Pipes.open(...)`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        finish: Callable[[], None] | None = None,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._finish = finish

    @classmethod
    async def open(cls, read_from: int, write_to: int) -> Pipes:
        """Streams on two descriptors of any kind.

        Pipes and sockets are given to the event loop. A terminal or a file cannot be: making a
        terminal non-blocking would do so for stderr too. Those are copied by threads.
        """
        if sys.platform != "win32" and _pollable(read_from) and _pollable(write_to):
            return await cls._direct(read_from, write_to)
        return await cls._copied(read_from, write_to)

    @classmethod
    async def _direct(cls, read_from: int, write_to: int) -> Pipes:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_from, "rb", 0)
        )
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
            os.fdopen(write_to, "wb", 0),
        )
        return cls(reader, asyncio.StreamWriter(transport, protocol, None, loop))

    @classmethod
    async def _copied(cls, read_from: int, write_to: int) -> Pipes:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        threading.Thread(target=_copy_in, args=(read_from, theirs), daemon=True).start()
        out = threading.Thread(target=_copy_out, args=(theirs, write_to), daemon=True)
        out.start()
        return cls(reader, writer, lambda: out.join(_LAST_WORDS))

    async def close(self) -> None:
        """Write what is left and close; who does not read it is not waited for long."""
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self.writer.drain()
                self.writer.close()
                await self.writer.wait_closed()
                if self._finish is not None:
                    await asyncio.to_thread(self._finish)
        except (OSError, TimeoutError):
            return


def _pollable(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _copy_in(read_from: int, to: socket.socket) -> None:
    try:
        while chunk := os.read(read_from, _CHUNK):
            to.sendall(chunk)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _copy_out(source: socket.socket, write_to: int) -> None:
    try:
        while chunk := source.recv(_CHUNK):
            view = memoryview(chunk)
            while view:
                view = view[os.write(write_to, view) :]
    except OSError:
        return
