"""The resources that listeners of one session subscribe to: the server is asked once for each.

Must not know: transports, what listeners hear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lockgate.core.message import Failure, Reply
from lockgate.upstreams.flights import Listener


class Subscribed:
    """Counts who wants each resource; the first has the server asked, the last has it told."""

    def __init__(
        self, ask: Callable[[str], Coroutine[Any, Any, Reply]], leave: Callable[[str], None]
    ) -> None:
        """`ask` subscribes to a URI at the server, `leave` ends that."""
        self._ask = ask
        self._leave = leave
        self._counts: dict[str, int] = {}
        self._asking: dict[str, asyncio.Task[Reply]] = {}

    async def add(self, listener: Listener, uri: str) -> Failure | None:
        """Have the server report changes of `uri` to the listener too; why not, if it does not.

        Raises what asking raises. Then, or when cancelled, the listener is to be removed.
        """
        # Counted before asking, so that who leaves meanwhile does not end it for all.
        known = self._counts.get(uri, 0)
        self._counts[uri] = known + 1
        listener.uris.add(uri)
        asking = self._asking.get(uri)
        if asking is None:
            if known:
                return None
            asking = self._asking[uri] = asyncio.get_running_loop().create_task(self._ask(uri))
            asking.add_done_callback(lambda task: self._asked(uri, task))
        # Not the first one's alone: whoever comes meanwhile has the same answer.
        reply = await asyncio.shield(asking)
        if not isinstance(reply, Failure):
            return None
        self._uncount(listener, uri)
        return reply

    def _asked(self, uri: str, task: asyncio.Task[Reply]) -> None:
        if self._asking.get(uri) is task:
            del self._asking[uri]
        if not task.cancelled():
            task.exception()  # those who waited have it; there may be none left

    def remove(self, listener: Listener, uri: str) -> None:
        """Undo `add`; when nobody is left, the server is told."""
        if not self._uncount(listener, uri):
            return
        asking = self._asking.pop(uri, None)
        if asking is not None:
            asking.cancel()
        self._leave(uri)

    def _uncount(self, listener: Listener, uri: str) -> bool:
        """Whether that was the last one."""
        listener.uris.discard(uri)
        left = self._counts.get(uri, 0) - 1
        if left > 0:
            self._counts[uri] = left
            return False
        return self._counts.pop(uri, None) is not None
