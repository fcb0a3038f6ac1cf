"""Raw exchanges with an HTTP server: what is sent is what the step wants, right or wrong.

Must not know: MCP. The gateway's own pool carries it; nothing is repeated and nothing followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final

from lockgate.doctor.heard import EVENTS, Heard, Trouble
from lockgate.doctor.report import Exchange
from lockgate.doctor.visit import Patience, Visit
from lockgate.upstreams.failures import (
    BadRequest,
    BadResponse,
    ConnectFailed,
    HttpFailure,
    TimedOut,
    TooLarge,
)
from lockgate.upstreams.pool import HttpPool, PoolLimits, Url
from lockgate.upstreams.remote import Remote
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.sse import EventTooLarge, Parser

Pairs = Sequence[tuple[str, str]]
LARGEST: Final = 8 * 1024 * 1024
MOST_EVENTS: Final = 1000
Done = Callable[[Heard], bool]


def pool_for(patience: Patience) -> HttpPool:
    """The connections of one diagnosis."""
    limits = PoolLimits(
        connections=8,
        streams=8,
        connect_seconds=patience.connect,
        sweep_seconds=0.1,
        reach="outside",
    )
    return HttpPool(limits)


class HttpLine:
    """The way to one server. `own` headers, which may be secret, go to its origin alone."""

    def __init__(self, visit: Visit, pool: HttpPool, url: Url, own: Pairs) -> None:
        """Nothing is sent yet."""
        self._visit = visit
        self._pool = pool
        self._own = list(own)
        self.url = url

    async def send(
        self,
        method: str,
        headers: Pairs = (),
        body: bytes = b"",
        *,
        url: Url | None = None,
        own: bool = True,
        done: Done | None = None,
        within: float | None = None,
    ) -> Heard:
        """One request, and its answer to the end.

        done  of an event stream: whether what has come so far is enough.
        own   whether the subject's own headers go along.
        """
        async with Stream(self, method, headers, body, url=url, own=own) as stream:
            await stream.begin(within)
            await stream.read(done, within)
            return stream.heard

    def at(self, url: Url) -> HttpLine:
        """The same server at another path."""
        return HttpLine(self._visit, self._pool, url, self._own)

    def remote(self, most: int) -> Remote:
        """The same place for those who keep a stream open."""
        return Remote(
            self._visit.subject.name,
            self._pool,
            self.url,
            dict(self._own),
            max_message=most,
            max_event=most,
        )

    def without_own(self, others: Pairs = ()) -> HttpLine:
        """The same place with other headers than the subject's own."""
        return HttpLine(self._visit, self._pool, self.url, others)

    def wait(self, within: float | None) -> float:
        """How long an answer may take. That the whole time is up is no fault of this answer."""
        return self._visit.patience.answer if within is None else within

    def head(self, url: Url, headers: Pairs, *, own: bool) -> list[tuple[str, str]]:
        """All headers of a request. Those of the step win over the subject's own."""
        mine = self._own if own and url.origin == self.url.origin else []
        given = {name.lower() for name, _ in headers}
        return [*(one for one in mine if one[0].lower() not in given), *headers]

    async def open(
        self, url: Url, method: str, headers: Pairs, body: bytes, *, stream: bool
    ) -> HttpReply:
        """The head of the answer. Raises what the pool raises."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return await self._pool.request(url, method.encode(), raw, body, stream=stream)

    def keep(self, request: Sequence[str], heard: Heard) -> None:
        """Note an exchange."""
        black = self._visit.black
        if heard.trouble is not None and heard.status is None:
            got = [str(heard)]
        else:
            got = [f"HTTP {heard.status}"]
            got += [black.header(name, value) for name, value in heard.headers.items()]
        got += [black.body(one) for one in (heard.body, *heard.events[:50]) if one]
        got = [black.text(got[0]), *got[1:]]
        self._visit.keep(Exchange(tuple(request), tuple(got), round(heard.seconds, 4)))

    def written(self, method: str, url: Url, headers: Pairs, body: bytes) -> list[str]:
        """A request as it is kept."""
        black = self._visit.black
        lines = [black.text(f"{method} {url.target.decode()}")]
        lines += [black.header(name, value) for name, value in headers]
        return [*lines, black.body(body)] if body else lines


class Stream:
    """One request whose answer may stay open. `async with`; it is noted when that ends."""

    def __init__(
        self,
        line: HttpLine,
        method: str,
        headers: Pairs = (),
        body: bytes = b"",
        *,
        url: Url | None = None,
        own: bool = True,
    ) -> None:
        """Nothing is sent yet."""
        self.heard = Heard()
        self._line = line
        self._url = url or line.url
        self._method = method
        self._body = body
        self._headers = line.head(self._url, headers, own=own)
        self._reply: HttpReply | None = None
        self._parser = Parser(LARGEST)
        self.ended = False

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reply is not None:
            self._reply.close()
        request = self._line.written(self._method, self._url, self._headers, self._body)
        self._line.keep(request, self.heard)

    async def begin(self, within: float | None = None) -> Heard:
        """Send it and wait for the head of the answer."""
        began = perf_counter()
        try:
            async with asyncio.timeout(self._line.wait(within)):
                reply = await self._line.open(
                    self._url, self._method, self._headers, self._body, stream=False
                )
        except TimeoutError:
            self._fail("silence", "")
        except HttpFailure as error:
            self._fail(trouble_of(error), str(error))
        else:
            self._reply = reply
            self.heard.status = reply.status
            self.heard.headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in reply.headers.items()
            }
        self.heard.seconds = perf_counter() - began
        return self.heard

    async def read(self, done: Done | None = None, within: float | None = None) -> Heard:
        """Take in the body, or events until `done`."""
        if self._reply is None or self.heard.trouble is not None:
            return self.heard
        began = perf_counter()
        try:
            async with asyncio.timeout(self._line.wait(within)):
                if self.heard.kind == EVENTS:
                    await self._events(self._reply, done)
                else:
                    self.heard.body = await self._reply.read(LARGEST)
                    self.ended = True
        except TimeoutError:
            self._fail("silence", "")
        except EventTooLarge:
            self._fail("too-large", "")
        except HttpFailure as error:
            self._fail(trouble_of(error), str(error))
        self.heard.seconds += perf_counter() - began
        return self.heard

    async def _events(self, reply: HttpReply, done: Done | None) -> None:
        size = 0
        while done is None or not done(self.heard):
            pieces = await reply.arrived()
            if not pieces:
                self.ended = True
                return
            for piece in pieces:
                size += len(piece)
                events = [one.data for one in self._parser.feed(piece) if one.data]
                self.heard.events = [*self.heard.events, *events]
            if len(self.heard.events) > MOST_EVENTS or size > LARGEST:
                self._fail("too-large", f"an event stream of {size} bytes that does not end")
                return

    def _fail(self, trouble: Trouble, detail: str) -> None:
        self.heard.trouble = trouble
        self.heard.detail = detail


def trouble_of(error: HttpFailure) -> Trouble:
    """What a failure of the pool means."""
    if isinstance(error, TimedOut):
        return "connect" if error.phase == "connect" else "silence"
    if isinstance(error, ConnectFailed):
        return "connect"
    if isinstance(error, TooLarge):
        return "too-large"
    return "broken" if isinstance(error, BadResponse | BadRequest) else "lost"
