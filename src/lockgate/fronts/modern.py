"""Clients of the stateless era: one request in, one answer or stream out.

Must not know: sockets, sessions, the older revisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final

import msgspec

from lockgate.core.message import LISTEN, Call, Failure, Notification, Principal, Reply, Result
from lockgate.core.raw import Raw
from lockgate.fronts.http import Headers, HttpRequest, Responder
from lockgate.fronts.pauses import pause_headers
from lockgate.fronts.settings import LACKING, Engine, ExchangeSettings
from lockgate.fronts.stopping import cut_off
from lockgate.fronts.streams import JSON, Pulse, Running, Stream
from lockgate.wire import headers as routing
from lockgate.wire import modern_dress, modern_in
from lockgate.wire.envelope import failure_error, unreadable
from lockgate.wire.jsonrpc import (
    INVALID_REQUEST,
    OVERLOADED,
    Message,
    Notice,
    Request,
    Response,
    encode_result,
)
from lockgate.wire.modern_in import Lifted, Refusal


class Modern:
    """What a stateless request goes through, whatever transport it came by."""

    def __init__(self, engine: Engine, settings: ExchangeSettings) -> None:
        self._engine = engine
        self._info = settings.server_info
        self._most_listens = settings.listens
        self._retry_after = settings.retry_after
        # The canonical form of a request's params; raises `Refusal`.
        self.lift = modern_in.Lifter().lift
        self._notices = modern_dress.ListenNotices()
        # When whoever listens has to authenticate anew, on the wall clock.
        self._listens: dict[Running, float | None] = {}
        self._wall = settings.clock.wall
        self._draining = False

    def drain(self) -> None:
        """End every listen stream gracefully."""
        self._draining = True
        for running in tuple(self._listens):
            running.cancel()

    def sweep(self, _: float) -> bool:
        """End, gracefully, listen streams of callers whose tokens have expired.

        What belongs to no stream needs no sweep, so this never asks for another.
        """
        listens = self._listens
        if any(listens.values()):
            now = self._wall()
            for running, expires in tuple(listens.items()):
                if expires is not None and expires <= now:
                    running.cancel()
        return False

    def _over(self, running: Running) -> bool:
        """Whether it is us who ends the stream."""
        expires = self._listens.get(running)
        return self._draining or (expires is not None and expires <= self._wall())

    async def run(
        self,
        message: Request,
        lifted: Lifted,
        running: Running,
        facts: Mapping[str, Any],
        principal: Principal,
    ) -> tuple[int, bytes]:
        """The HTTP status and the bytes of the response to a request that passed every check.

        Raises CancelledError when the call was called off.
        """
        if message.method == LISTEN:
            return await self.listen(message, lifted, running, facts, principal)
        return self.response(message, await self.ask(message, lifted, running, facts, principal))

    def ask(
        self,
        message: Request,
        lifted: Lifted,
        running: Running,
        facts: Mapping[str, Any],
        principal: Principal,
    ) -> Awaitable[Reply]:
        """The reply to a request, when awaited; what comes before it goes to `running`."""
        client, token = lifted.client, lifted.token

        def emit(notification: Notification) -> None:
            data = modern_dress.notice(notification, client, token)
            if data is not None:
                running.event(data)

        return self._engine.handle(
            Call(
                method=message.method,
                client=client,
                params=lifted.params,
                id=message.id,
                principal=principal,
                emit=emit,
                wants_progress=token is not None,
                facts=facts,
            )
        )

    def response(self, message: Request, reply: Reply) -> tuple[int, bytes]:
        """The HTTP status and the bytes of the response that says `reply`."""
        if isinstance(reply, Result):
            body = modern_dress.dress(message.method, reply, self._info)
            return 200, encode_result(message.id, body)
        return modern_in.status_of(reply), failure_error(message.id, reply)

    async def listen(
        self,
        message: Request,
        lifted: Lifted,
        running: Running,
        facts: Mapping[str, Any],
        principal: Principal,
    ) -> tuple[int, bytes]:
        """As `run`, for a request that listens until it is called off."""
        if len(self._listens) >= self._most_listens:
            return 503, failure_error(message.id, _too_many(self._most_listens, self._retry_after))
        listen_id, notices = message.id, self._notices

        def emit(notification: Notification) -> None:
            running.event(notices.notice(notification, listen_id))

        call = Call(
            method=LISTEN,
            client=lifted.client,
            params=lifted.params,
            id=listen_id,
            principal=principal,
            emit=emit,
            facts=facts,
        )
        self._listens[running] = principal.expires
        reply: Reply | None = None
        try:
            reply = await self._engine.handle(call)
        except asyncio.CancelledError:
            if not self._over(running) or not running.settle():
                raise
            if not self._draining:
                reply = Result(_EXPIRED)
        finally:
            del self._listens[running]
        if isinstance(reply, Failure):
            return modern_in.status_of(reply), failure_error(listen_id, reply)
        return 200, encode_result(listen_id, modern_dress.listen_result(reply, listen_id))


class ModernFront:
    """Stateless requests over HTTP."""

    def __init__(self, core: Modern, settings: ExchangeSettings, pulse: Pulse) -> None:
        self._core = core
        self._lift = core.lift
        self._annotations = settings.annotations
        self._endpoint = settings.endpoint
        self._retry = settings.retry_after
        self._step_up = settings.step_up
        self._pulse = pulse

    async def post(self, request: HttpRequest, responder: Responder, message: Message) -> None:
        """Answer one POST."""
        if not isinstance(message, Request):
            _answer_other(request, responder, message)
            return
        try:
            lifted = self._admit(request, message)
        except Refusal as refused:
            failure = refused.failure
            body = failure_error(message.id, failure)
            responder.send(modern_in.status_of(failure), JSON, body)
            return
        except msgspec.MsgspecError:
            # Valid JSON can hold numbers without a value; whoever reads one first ends up here.
            responder.send(400, JSON, failure_error(message.id, unreadable()))
            return
        stream = Stream(responder, self._pulse)
        core, facts, principal = self._core, self._facts(request), request.principal
        reply: Reply | None = None
        try:
            if message.method == LISTEN:
                status, body = await core.listen(message, lifted, stream, facts, principal)
            else:
                # Not by way of `run`: each step that waits has its price.
                reply = await core.ask(message, lifted, stream, facts, principal)
                status, body = core.response(message, reply)
        except asyncio.CancelledError:
            if not stream.settle():
                cut_off(stream.answer, message.id)
                raise
            stream.close()
            return
        stream.answer(body, status, () if status == 200 else self._beside(status, reply))

    def _beside(self, status: int, reply: Reply | None) -> Headers:
        """The headers of an answer that is no success."""
        if isinstance(reply, Failure) and reply.reason == LACKING:
            return self._step_up(reply)
        return pause_headers(status, reply, self._retry)

    def _admit(self, request: HttpRequest, message: Request) -> Lifted:
        """The rungs of the ladder in order: metadata, version, method and names, known at all."""
        lifted = self._lift(message.params)
        said = request.headers
        modern_in.check_version(
            said.get(routing.VERSION), routing.VERSION in request.repeated, lifted.client
        )
        modern_in.check_headers(
            said,
            request.repeated,
            message.method,
            lifted.params,
            self._annotations,
            request.principal,
        )
        modern_in.check_method(message.method)
        return lifted

    def _facts(self, request: HttpRequest) -> Mapping[str, Any]:
        return {"peer": request.peer, "endpoint": self._endpoint, "transport": "http"}


def _answer_other(request: HttpRequest, responder: Responder, message: Notice | Response) -> None:
    """Acknowledge a notification, refuse a response.

    This era has no notification that a client sends over HTTP, so nothing more is done with one.
    """
    said = request.headers.get(routing.VERSION)
    try:
        if isinstance(message, Response):
            raise modern_in.refusal(
                INVALID_REQUEST,
                "Clients of this revision send no responses.",
                "response-refused",
                "Answer input requests with inputResponses in the next request.",
            )
        if said is not None:
            modern_in.check_served(said.decode("latin-1"))
    except Refusal as refused:
        failure = refused.failure
        responder.send(modern_in.status_of(failure), JSON, failure_error(None, failure))
        return
    responder.send(202, ())


_EXPIRED: Final = Raw(
    b'{"resultType":"complete","_meta":{"io.github.lockgate/ended":"token-expired"}}'
)
"""What ends the listen stream of a caller who has to authenticate anew."""


def _too_many(limit: int, retry_after: int) -> Failure:
    return Failure(
        OVERLOADED,
        f"Too many listen streams: {limit} are open, the most allowed.",
        "gateway",
        "too-many-streams",
        data={"retry_after": retry_after},
        remedy="Close streams that are not needed, or listen for more on one of them.",
    )
