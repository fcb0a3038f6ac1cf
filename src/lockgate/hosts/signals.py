"""A word ahead of the web server's own stop: what would hold it up is ended as soon as it is asked.

Must not know: what is ended, which server it is.

A web server that is told to stop waits for open connections before it tells its application. A
client that listens keeps one open for as long as the application lets it, so each would wait for
the other until the server's patience is over, and calls would then be cut with the streams.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


class Ahead:
    """Calls `asked` on the event loop when a stop signal arrives, before whoever handles it.

    Only where somebody handles it: a signal that ends the process at once is left alone.
    """

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Begin; without effect outside of the main thread, where no signals arrive."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            before = signal.getsignal(number)
            if callable(before) and before is not signal.default_int_handler:
                self._before[number] = before
                signal.signal(number, self._handler(loop, before))

    def end(self) -> None:
        """Give the signals back, if nobody else has taken them meanwhile."""
        for number, before in self._before.items():
            current = signal.getsignal(number)
            if getattr(current, "ahead", None) is self:
                signal.signal(number, before)
        self._before.clear()

    def _handler(
        self, loop: asyncio.AbstractEventLoop, before: Callable[[int, FrameType | None], Any]
    ) -> Callable[[int, FrameType | None], Any]:
        def arrived(number: int, frame: FrameType | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._asked)
            before(number, frame)

        arrived.ahead = self  # type: ignore[attr-defined] - how `end` knows its own
        return arrived
