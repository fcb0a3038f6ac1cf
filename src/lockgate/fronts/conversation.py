"""One client on a line that carries messages both ways, whatever the line is made of.

Must not know: where messages come from, how they are delimited.

The era is decided by each message: requests that carry their own protocol version are stateless;
after an `initialize` the rest belongs to the one session there is. A client may mix both, unless
its transport never had the stateless era.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from lockgate.core.message import ANONYMOUS, Failure, Principal
from lockgate.core.raw import Raw
from lockgate.fronts import batch
from lockgate.fronts.dialogue import Dialogue, id_in_use
from lockgate.fronts.modern import Modern
from lockgate.fronts.on_line import Line, OnLine
from lockgate.fronts.sessions import Session
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.stopping import continues, cut_off
from lockgate.fronts.streams import Running
from lockgate.wire import handshake_in, modern_in
from lockgate.wire.envelope import failure_error, unreadable
from lockgate.wire.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    OVERLOADED,
    Malformed,
    Message,
    Notice,
    Request,
    RequestId,
    Response,
    decode,
    decode_batch,
    encode_result,
    too_deep,
)
from lockgate.wire.modern_in import Refusal

log: Final = logging.getLogger("lockgate.fronts")
MOST_RUNNING: Final = 256
Items = Sequence[Message | Malformed]


class Conversation:
    """Answers what one client says, for as long as its line holds."""

    def __init__(
        self,
        line: Line,
        dialogue: Dialogue,
        core: Modern | None,
        settings: ExchangeSettings,
        *,
        affinity: str,
        facts: Mapping[str, Any],
        principal: Principal = ANONYMOUS,
        running: int = MOST_RUNNING,
    ) -> None:
        """Answer on `line`.

        Args:
            line: the way to the client.
            dialogue: answers the handshake era.
            core: answers the stateless era; None: this transport never had it.
            settings: as for HTTP, where they apply.
            affinity: the client's id toward servers.
            facts: what calls say of their transport.
            principal: who the client is.
            running: requests answered at once; more are refused.
        """
        self._line = line
        self._dialogue = dialogue
        self._core = core
        self._settings = settings
        self._affinity = affinity
        self._facts = facts
        self.principal = principal
        self._most = running
        self._session: Session | None = None
        self._modern: dict[RequestId, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling = False
        self._turn = asyncio.Lock()

    def known_as(self, principal: Principal) -> None:
        """The same caller has authenticated anew, and may have been granted something else."""
        self.principal = principal
        if self._session is not None:
            self._dialogue.known_as(self._session, principal)

    async def take(self, data: bytes) -> None:
        """Take what the client sent; answers come on the line when they are there."""
        try:
            message = self.read(data)
        except Malformed as error:
            self.refuse(error)
            await self._line.flush()
            return
        await self.accept(message)

    def read(self, data: bytes) -> Message | Items:
        """One message, or the items of a batch from a client whose revision has batches.

        Raises:
            Malformed: it is neither, or nests too deep.
        """
        depth = self._settings.depth
        if self._batches() and batch.looks_like_batch(data):
            message, depth = decode_batch(data, batch.MOST), depth + 1
        else:
            message = decode(data)
        if too_deep(data, depth):
            raise nests_too_deep(depth, getattr(message, "id", None))
        return message

    def _batches(self) -> bool:
        session = self._session
        return session is not None and session.client.protocol_version == batch.VERSION

    def refuse(self, error: Malformed) -> None:
        """Answer what is no message."""
        self._line.write(malformed(error))

    async def accept(self, message: Message | Items) -> None:
        """Take what was read."""
        if isinstance(message, Notice | Response):
            self._other(message)
            return
        if self._settling and isinstance(message, Request) and not continues(message):
            self._line.write(failure_error(message.id, draining(self._settings.retry_after)))
            return
        # Who is not reading our answers is not read from either.
        await self._line.flush()
        if len(self._tasks) >= self._most:
            # Not read on instead: what ends the running ones comes by the same way.
            self._line.write(
                failure_error(
                    getattr(message, "id", None), _too_many(self._most, self._settings.retry_after)
                )
            )
            return
        work = self._answer(message) if isinstance(message, Request) else self._batch(message)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A cancellation may be next: the request has to be known by then.
        await asyncio.sleep(0)

    async def _answer(self, request: Request) -> None:
        running = OnLine(self._line)
        try:
            body = await self._response(request, running)
            await running.apart()
        except asyncio.CancelledError:
            if not running.settle():
                # The line ends: this is the last that is said of the request, and waits for nobody.
                cut_off(self._line.write, request.id)
                raise
            return
        except msgspec.MsgspecError:
            body = failure_error(request.id, unreadable())
        except Exception:
            log.exception("the request %s could not be answered", request.method[:64])
            body = failure_error(request.id, _broken())
        await self._say(body)

    async def _say(self, answer: bytes) -> None:
        """Give an answer to the line: one after another, as the client takes them.

        Written all at once, many large answers would look like a client that reads nothing.
        """
        async with self._turn:
            await self._line.flush()
            self._line.write(answer)
        await self._line.flush()

    async def _batch(self, items: Items) -> None:
        answers: list[bytes] = []
        try:
            await batch.run_batch(
                items, self._response, self._other, lambda: OnLine(self._line), answers.append
            )
        except asyncio.CancelledError:
            self._line.write(batch.joined(answers))
            raise
        if answers:
            await self._say(batch.joined(answers))

    async def _response(self, request: Request, running: Running) -> bytes:
        core = self._core
        if core is not None and modern_in.claims_modern(request.params):
            return await self._stateless(core, request, running)
        if request.method == "initialize":
            return await self._initialize(request)
        session = self._session
        if session is not None:
            return await self._dialogue.request(
                session, request, running, self._facts, self.principal
            )
        if request.method == "ping":
            return encode_result(request.id, b"{}")
        if core is None:
            return failure_error(request.id, _not_opened())
        # Nothing opened a session, so only a stateless request could have been meant.
        return await self._stateless(core, request, running)

    async def _stateless(self, core: Modern, request: Request, running: Running) -> bytes:
        if request.id in self._modern:
            return failure_error(request.id, id_in_use())
        self._modern[request.id] = running
        try:
            lifted = core.lift(request.params)
            modern_in.check_served(lifted.client.protocol_version)
            modern_in.check_method(request.method)
            return (await core.run(request, lifted, running, self._facts, self.principal))[1]
        except Refusal as refused:
            return failure_error(request.id, refused.failure)
        finally:
            del self._modern[request.id]

    async def _initialize(self, request: Request) -> bytes:
        opening = handshake_in.read_initialize(request.params)
        if isinstance(opening, Failure):
            return failure_error(request.id, opening)
        client = handshake_in.client_facts(opening.version, opening.info, opening.capabilities)
        if self._session is not None:
            self._session.close()
        session = self._session = Session(
            "", self._affinity, client, self._settings, principal=self.principal
        )
        return await self._dialogue.open(session, request, self._facts)

    def _other(self, message: Notice | Response) -> None:
        if isinstance(message, Notice) and message.method == "notifications/cancelled":
            running = self._meant(message.params)
            if running is not None:
                running.cancel()
                return
        session = self._session
        if session is None:
            return
        if (
            isinstance(message, Notice)
            and message.method == "notifications/initialized"
            and not len(session.hub)
        ):
            session.hub.attach(OnLine(self._line))
            self._dialogue.listen(session)
        self._dialogue.take(session, message)

    def _meant(self, params: Raw) -> Running | None:
        """The stateless request that a cancellation is about."""
        try:
            request_id = params.get("requestId")
        except msgspec.MsgspecError:
            return None
        return self._modern.get(request_id) if isinstance(request_id, str | int) else None

    def sweep(self, now: float) -> None:
        """Give up on questions that are too old."""
        if self._session is not None:
            self._session.asks.sweep(now)

    async def settle(self, grace: float | None) -> None:
        """Listen no more, and let what runs finish: for so many seconds, or as long as it takes.

        Answers the client owes are still taken, for what runs may wait for them; requests are not.
        """
        self._settling = True
        if self._session is not None and self._session.listening is not None:
            self._session.listening.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)

    async def end(self) -> None:
        """Call off what runs, and let servers forget this client."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        # Each has its last word before the session calls off what it knows of them.
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            self._session.close()
            self._dialogue.end(self._session)


_ONE: Final = "Send one JSON-RPC 2.0 message at a time."


class OverLimit(Malformed):
    """A message over a bound; `remedy` names the setting."""

    def __init__(self, message: str, setting: str, request_id: RequestId | None = None) -> None:
        super().__init__(INVALID_REQUEST, message, request_id)
        self.remedy = f"The bound is lockgate.limits.{setting}."


def nests_too_deep(depth: int, request_id: RequestId | None) -> OverLimit:
    """A message with more levels of arrays and objects than are taken."""
    return OverLimit(f"The message nests deeper than {depth} levels.", "json_depth", request_id)


def malformed(error: Malformed) -> bytes:
    """The answer to what is no message."""
    failure = Failure(
        error.code,
        error.message,
        "client",
        "malformed-message",
        remedy=error.remedy if isinstance(error, OverLimit) else _ONE,
    )
    return failure_error(error.id, failure)


def draining(retry_after: int) -> Failure:
    """What a request gets that came too late."""
    return Failure(
        INTERNAL_ERROR,
        "The gateway is shutting down.",
        "gateway",
        "draining",
        data={"retry_after": retry_after},
        remedy="Try again; another instance may answer.",
    )


def _too_many(limit: int, retry_after: int) -> Failure:
    return Failure(
        OVERLOADED,
        f"Too many requests at once: {limit} are running, the most allowed.",
        "gateway",
        "too-many-calls",
        data={"retry_after": retry_after},
        remedy="Wait for running requests to end.",
    )


def _broken() -> Failure:
    return Failure(
        INTERNAL_ERROR,
        "The gateway failed.",
        "gateway",
        "gateway-crashed",
        remedy="The gateway's log has the cause.",
    )


def _not_opened() -> Failure:
    return Failure(
        INVALID_REQUEST,
        "This connection has not been initialized.",
        "client",
        "not-initialized",
        remedy="Send initialize first.",
    )
