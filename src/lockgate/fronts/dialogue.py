"""The handshake era's conversation with one client, whatever transport carries it.

Must not know: HTTP, session ids, how streams are opened.

Three things of that era have no counterpart in canonical form and are acted out here: a server's
questions, which arrive as an `input_required` result and are put to the client as requests of their
own; subscriptions, which become one listen call per session; and the log level, which is
remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from lockgate.core.message import (
    LISTEN,
    Ask,
    Call,
    Emit,
    Failure,
    Notification,
    Principal,
    Reply,
    Result,
)
from lockgate.core.raw import EMPTY, Raw
from lockgate.fronts.asks import Answer, Send
from lockgate.fronts.sessions import Session
from lockgate.fronts.settings import LACKING, Engine, ExchangeSettings
from lockgate.fronts.streams import Running
from lockgate.wire import handshake_in
from lockgate.wire.envelope import failure_error
from lockgate.wire.handshake_out import ABANDON
from lockgate.wire.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Notice,
    Request,
    Response,
    encode_result,
)

_DONE: Final = Result(EMPTY)
_MOST_NOTICING: Final = 32  # notifications of one session that are being passed on
_PAUSE: Final = 0.02  # before a server that asks nothing is called again; doubles each time
_SUBSCRIBING: Final = frozenset({"resources/subscribe", "resources/unsubscribe"})
SET_LEVEL: Final = "logging/setLevel"
_ACTED_OUT: Final = _SUBSCRIBING | handshake_in.UNKNOWN_METHODS | {"ping", SET_LEVEL}


class Dialogue:
    """Answers requests and takes notifications of sessions."""

    def __init__(self, engine: Engine, settings: ExchangeSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._facts = {"endpoint": settings.endpoint}
        self._background: set[asyncio.Task[None]] = set()

    async def open(self, session: Session, request: Request, facts: Mapping[str, Any]) -> bytes:
        """The answer to `initialize`: what the servers say of themselves, for this client."""
        call = Call(
            method="server/discover",
            client=session.client,
            id=request.id,
            principal=session.principal,
            affinity=session.affinity,
            facts=facts,
        )
        reply = await self._engine.handle(call)
        if isinstance(reply, Failure):
            return failure_error(request.id, reply)
        version = session.client.protocol_version
        result = handshake_in.initialize_result(version, reply.raw, self._settings.server_info)
        return encode_result(request.id, result)

    async def request(
        self,
        session: Session,
        request: Request,
        running: Running,
        facts: Mapping[str, Any],
        principal: Principal,
    ) -> bytes:
        """The response to one request. Raises CancelledError when it was called off.

        `principal` is whose session it is, with what this very request was granted.
        """
        request_id, method = request.id, request.method
        if request_id in session.running:
            return failure_error(request_id, id_in_use())
        session.running[request_id] = running
        try:
            reply = await self._act(session, request) if method in _ACTED_OUT else None
            if reply is None:
                call = self._call(session, request, running, facts, principal)
                reply = await self._engine.handle(call)
                if isinstance(reply, Failure):
                    reply = self._refused(method, reply)
                elif reply.kind == "input_required":
                    reply = await self._rounds(session, call, reply, running)
        finally:
            del session.running[request_id]
        if isinstance(reply, Result):
            return encode_result(request_id, handshake_in.strip(reply))
        if reply.reason == LACKING:
            running.deny(self._settings.step_up(reply))
        return failure_error(request_id, handshake_in.translate(method, reply))

    @staticmethod
    def _refused(method: str, failure: Failure) -> Reply:
        if method == SET_LEVEL and failure.reason == "no-server":
            # The level is still kept here, for servers that take one with every request.
            return _DONE
        return failure

    @staticmethod
    def _call(
        session: Session,
        request: Request,
        running: Running,
        facts: Mapping[str, Any],
        principal: Principal,
    ) -> Call:
        params, token = handshake_in.lift(request.params)

        def emit(notification: Notification) -> None:
            data = handshake_in.notice(notification, session.log_level, token)
            if data is not None:
                running.event(data)

        return Call(
            method=request.method,
            client=session.client,
            params=params,
            id=request.id,
            principal=principal,
            emit=emit,
            wants_progress=token is not None,
            affinity=session.affinity,
            facts=facts,
        )

    async def _act(self, session: Session, request: Request) -> Reply | None:
        """What is answered here; None when the servers still have to hear of it."""
        if request.method in _SUBSCRIBING:
            return await self._subscribe(session, request)
        if request.method == "ping":
            return _DONE
        if request.method != SET_LEVEL:
            return _unknown(request.method)
        level = handshake_in.log_level(request.params)
        if isinstance(level, Failure):
            return level
        session.set_level(level)
        return None

    async def _rounds(self, session: Session, call: Call, reply: Reply, running: Running) -> Reply:
        """Put each round's questions to the client until the server has its answer."""
        first = call.params
        for number in range(self._settings.rounds):
            if isinstance(reply, Failure) or reply.kind != "input_required":
                return reply
            asked = reply.raw
            requests = handshake_in.input_requests(asked)
            if not requests:
                # The server only wants to be called again; not as fast as we can.
                await asyncio.sleep(_PAUSE * 2**number)
            answers: dict[str, bytes] | asyncio.CancelledError
            try:
                answers = await self._put(session, requests, running.event)
            except asyncio.CancelledError as cancelled:
                answers = cancelled
            if isinstance(answers, asyncio.CancelledError):
                await self._abandon(call, asked)
                raise answers
            params = handshake_in.retry_params(first, asked, answers)
            reply = await self._engine.handle(call.replace(params=params))
        if isinstance(reply, Failure) or reply.kind != "input_required":
            return reply
        return Failure(
            INTERNAL_ERROR,
            f"The server asked for input {self._settings.rounds} times without an answer.",
            "upstream",
            "too-many-rounds",
            remedy="The server never finishes; report it to whoever runs it.",
        )

    async def _abandon(self, call: Call, asked: Raw) -> None:
        """Nobody waits for a call any more whose questions were with the client."""
        params = handshake_in.retry_params(call.params, asked, {}).replace(**{ABANDON: True})
        await self._engine.handle(call.replace(params=params))

    async def _put(
        self, session: Session, requests: Mapping[str, tuple[str, Raw]], send: Send
    ) -> dict[str, bytes]:
        """One round: every question at once, each answer under its key."""
        async with asyncio.TaskGroup() as group:
            waiting = {
                key: group.create_task(self._ask(session, send, method, params))
                for key, (method, params) in requests.items()
            }
        return {key: handshake_in.input_response(task.result()) for key, task in waiting.items()}

    async def _ask(self, session: Session, send: Send, method: str, params: Raw) -> Answer:
        refused = handshake_in.can_answer(session.client.capabilities, method, params)
        return await session.asks.ask(send, method, params) if refused is None else refused

    async def _subscribe(self, session: Session, request: Request) -> Reply:
        uri = request.params.get("uri")
        if not isinstance(uri, str):
            return handshake_in.invalid(f"{request.method} needs a string `uri`.")
        listening = session.listen(partial(self._listen, session), self._settings)
        if request.method == "resources/subscribe":
            return await listening.subscribe(uri) or _DONE
        return await listening.unsubscribe(uri) or _DONE

    def listen(self, session: Session) -> asyncio.Event:
        """Have the session hear what servers say outside of any request.

        The result is set once it does, or cannot.
        """
        heard = asyncio.Event()
        listening = session.listen(partial(self._listen, session), self._settings)
        if listening.active:
            heard.set()
        else:
            self._later(_then(listening.ensure(), heard))
        return heard

    async def _listen(self, session: Session, params: Raw, emit: Emit) -> Reply:
        call = Call(
            method=LISTEN,
            client=session.client,
            params=params,
            id="listen",
            principal=session.principal,
            emit=emit,
            affinity=session.affinity,
            ask=self._asker(session) if self._settings.unsolicited else None,
            facts=self._facts,
        )
        return await self._engine.handle(call)

    def _asker(self, session: Session) -> Ask:
        async def ask(method: str, params: Raw) -> Reply:
            send = _way_to(session)
            if send is None:
                return Failure(
                    METHOD_NOT_FOUND,
                    "The client cannot be asked now: it has no stream open.",
                    "client",
                    "client-unreachable",
                    remedy="Ask while a request of this client is running.",
                )
            answer = await self._ask(session, send, method, params)
            if isinstance(answer, bytes):
                return Result(Raw(answer))
            data = None if answer.data is msgspec.UNSET else answer.data
            return Failure(answer.code, answer.message, "client", "input-refused", data=data)

        return ask

    def known_as(self, session: Session, principal: Principal) -> None:
        """The caller of a session has authenticated anew; what it hears is what it may hear now."""
        before, session.principal = session.principal, principal
        if session.listening is not None and _granted(before) != _granted(principal):
            self._later(session.listening.renew())

    def take(self, session: Session, message: Notice | Response) -> None:
        """Take what the client wants no answer to; one that cannot be read is ignored."""
        if isinstance(message, Response):
            session.asks.answer(message)
            return
        with suppress(msgspec.MsgspecError):
            self.notice(session, message)

    def notice(self, session: Session, notice: Notice) -> None:
        """Take one notification of the client; what it sets in motion goes on by itself."""
        method, params = notice.method, notice.params
        if method == "notifications/initialized":
            return
        if method == "notifications/cancelled":
            request_id = params.get("requestId")
            running = session.running.get(request_id) if isinstance(request_id, str | int) else None
            if running is not None:
                running.cancel()
            return
        if session.noticing >= _MOST_NOTICING:
            # Nobody is told of it, as nobody is told of any notification that goes unheard.
            return
        session.noticing += 1
        call = Call(
            method=method,
            client=session.client,
            params=params,
            principal=session.principal,
            affinity=session.affinity,
            facts=self._facts,
        )
        self._later(self._pass_on(session, call))

    async def _pass_on(self, session: Session, call: Call) -> None:
        try:
            await self._engine.handle(call)
        finally:
            session.noticing -= 1

    def end(self, session: Session) -> None:
        """The session is no more: servers let go of what they keep for it."""
        self._later(self._engine.end_session(session.affinity))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settle(self) -> None:
        """Wait for what goes on by itself."""
        await asyncio.gather(*self._background, return_exceptions=True)


_OF_THE_TOKEN: Final = frozenset({"exp", "iat", "nbf", "jti", "auth_time", "nonce"})
"""Claims that differ from token to token and grant nothing (RFC 7519; OpenID Connect Core)."""


def _granted(principal: Principal) -> object:
    """All that rules may go by."""
    claims = {name: it for name, it in principal.claims.items() if name not in _OF_THE_TOKEN}
    return principal.client, principal.scopes, principal.groups, claims


async def _then(work: Awaitable[object], done: asyncio.Event) -> None:
    try:
        await work
    finally:
        done.set()


def _way_to(session: Session) -> Send | None:
    """The session's own stream, or else that of a request of it that is still running."""
    if len(session.hub):
        return session.hub.send
    for running in reversed(session.running.values()):
        return running.event
    return None


def id_in_use() -> Failure:
    """A request whose id another running request has."""
    return Failure(
        INVALID_REQUEST,
        "A request with this id is running already.",
        "client",
        "id-in-use",
        remedy="Use a new id for every request of a session.",
    )


def _unknown(method: str) -> Failure:
    return Failure(
        METHOD_NOT_FOUND,
        f"Method not found: {method}",
        "client",
        "other-revision",
        remedy="This method belongs to revision 2026-07-28; send it with that revision's metadata.",
    )
