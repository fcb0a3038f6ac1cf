"""A server of the stateless era over HTTP: one POST for each call.

Must not know: supervision, the handshake era, how subscriptions are shared. Source: revision
2026-07-28, basic/transports/streamable-http.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from itertools import count
from typing import Final

import msgspec

from lockgate.core.message import LISTEN, Call, Failure, Principal, Reply, Result
from lockgate.core.raw import EMPTY
from lockgate.upstreams.annotations import ToolAnnotations
from lockgate.upstreams.eras import MODERN_ERRORS, Probe
from lockgate.upstreams.failures import ConnectFailed, ConnectionLost, HttpFailure
from lockgate.upstreams.flights import text
from lockgate.upstreams.head import KeptHeaders
from lockgate.upstreams.identity import GATEWAY, gateway_call
from lockgate.upstreams.posting import JSON
from lockgate.upstreams.refusals import (
    from_error,
    from_http,
    from_status,
    hidden_tool,
    invalid,
    lost,
    too_large,
)
from lockgate.upstreams.remote import (
    ERROR_BODY,
    EVENTS,
    Down,
    Remote,
    Stale,
    let_end,
    not_an_answer,
    unreachable,
)
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.envelope import unreadable
from lockgate.wire.headers import NO_ANNOTATIONS, Annotations, request_headers
from lockgate.wire.jsonrpc import (
    Malformed,
    Notice,
    Response,
    decode,
    encode_request,
)
from lockgate.wire.modern_out import (
    MESSAGE,
    PROGRESS,
    InvalidResult,
    canonical,
    discovery,
    progress_token,
    read_result,
    request_params,
    supported_versions,
)
from lockgate.wire.revisions import HEADER_MISMATCH, UNSUPPORTED_VERSION
from lockgate.wire.sse import EventTooLarge

PAGE_LIMIT: Final = 100
LIST_WITHIN: Final = 30.0
"""Seconds for the whole tool list, when a call has to wait for it."""
HEADS: Final = 1024
"""Ready-made headers kept, at most: names come from callers."""
LONGEST_KEPT: Final = 256
"""Characters of a name whose headers are kept."""
STALE: Final = "it closed an idle connection as the call was sent"
REPEATABLE: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "completion/complete",
        "tasks/get",
    }
)
"""Methods that change nothing, so that a lost connection may be answered by asking again."""


class ModernHttp:
    """Sends calls to one server of the stateless era."""

    def __init__(self, remote: Remote) -> None:
        self.tools = ToolAnnotations()
        self._remote = remote
        self._ask = remote.posting
        self._max_message = remote.max_message
        self._server = remote.server
        self._ids = count(1)
        self._tool_heads: dict[str, KeptHeaders] = {}
        self._listing: asyncio.Task[None] | None = None

    def send(self, call: Call) -> Awaitable[Reply]:
        """Answer the call, when awaited.

        Cancelling closes the stream, which cancels the call at the server. Awaiting it raises:
            Down: the server cannot be reached.
            Stale: the server answered as one of the handshake era would.
        """
        method = call.method
        if method == "tools/call":
            target = call.target
            name = (text(call.params, "name") or "") if target is None else target.name
            annotations = self.tools.of(name)
            if annotations is None or self.tools.refused(name):
                return self._call_learned(call, name)
            head = None if annotations else self._tool_heads.get(name)
            return self._attempt(call, annotations, head, again=True)
        if method == "tools/list":
            return self._list(call)
        if method.startswith("notifications/"):
            return _nothing()
        return self._attempt(call, NO_ANNOTATIONS, again=True)

    async def _call_learned(self, call: Call, name: str) -> Reply:
        """Call a tool that the server's list has to be read for, or that it hides."""
        annotations = await self._learned(name)
        if self.tools.refused(name):
            return hidden_tool(self._server)
        return await self._attempt(call, annotations, again=True)

    async def _list(self, call: Call) -> Reply:
        reply = await self._attempt(call, NO_ANNOTATIONS, again=True)
        if isinstance(reply, Failure):
            return reply
        return self.tools.note(reply, first=call.params.get("cursor") is None)

    async def _second_attempt(self, call: Call, failure: Failure, stale: bool) -> Reply:
        """Try again where the server certainly did nothing, or there is nothing to do twice.

        `stale`: the server closed an idle connection just as the call was on its way.
        """
        if failure.code == HEADER_MISMATCH and call.method == "tools/call":
            self.tools.forget()
            name = text(call.params, "name") or ""
            annotations = await self._learned(name)
            if self.tools.refused(name):
                return hidden_tool(self._server)
            return await self._attempt(call, annotations)
        if stale and call.method in REPEATABLE:
            return await self._attempt(call, NO_ANNOTATIONS)
        return failure

    async def _attempt(
        self,
        call: Call,
        annotations: Annotations,
        headers: KeptHeaders | None = None,
        *,
        again: bool = False,
    ) -> Reply:
        """One request; `again`: and a second one, where that can do no harm."""
        request_id = next(self._ids)
        try:
            # Headers first: what they repeat has then been read, and is written as it was read.
            headers = headers or self._head_of(call, annotations)
            params = request_params(call, request_id)
        except msgspec.MsgspecError:
            return unreadable()
        body = encode_request(request_id, call.method, params)
        stale = False
        try:
            reply = await self._ask(headers, body, stream=call.method == LISTEN)
            try:
                answer = self._whole(call, reply, request_id) or await self._answer(
                    call, reply, request_id
                )
            except BaseException:
                reply.close()
                raise
            if not reply.complete:
                let_end(reply)
        except HttpFailure as error:
            stale = isinstance(error, ConnectionLost) and error.reused and not error.answered
            answer = self._failed(error, stale)
        except EventTooLarge:
            answer = too_large(self._server, self._remote.max_event)
        if again and isinstance(answer, Failure):
            return await self._second_attempt(call, answer, stale)
        return answer

    def _head_of(self, call: Call, annotations: Annotations) -> KeptHeaders:
        """The headers of a call: the same for each call of one tool without annotations."""
        head = self._remote.posted(request_headers(call.method, call.params, annotations))
        if call.method == "tools/call" and not annotations:
            name = text(call.params, "name") or ""
            if len(self._tool_heads) < HEADS and len(name) <= LONGEST_KEPT:
                self._tool_heads[name] = head
        return head

    def _failed(self, error: HttpFailure, stale: bool) -> Failure:
        if isinstance(error, ConnectFailed) and error.cause != "busy":
            raise unreachable(error) from None
        if stale:
            return lost(self._server, STALE, detail=str(error))
        return from_http(self._server, error, self._remote.max_message)

    def _whole(self, call: Call, reply: HttpReply, request_id: int) -> Reply | None:
        """The reply in a plain answer that has arrived already, so that nothing is waited for."""
        if not reply.complete or reply.status != 200:
            return None
        if not reply.headers.get(b"content-type", b"").startswith(JSON):
            return None
        return self._settle(reply.whole(self._max_message), call, request_id) or (
            invalid(self._server, "the answer has another request's id")
        )

    async def _answer(self, call: Call, reply: HttpReply, request_id: int) -> Reply:
        kind = reply.headers.get(b"content-type", b"")
        if reply.status != 200:
            return await self._refused(reply, request_id)
        if kind.startswith(JSON):
            return self._settle(await reply.read(self._remote.max_message), call, request_id) or (
                invalid(self._server, "the answer has another request's id")
            )
        if not kind.startswith(EVENTS):
            return not_an_answer(self._server, reply)
        async for event in self._remote.events(reply):
            if event.data:
                settled = self._settle(event.data, call, request_id)
                if settled is not None:
                    return settled
        return lost(self._server, "its stream ended before the answer")

    def _settle(self, data: bytes, call: Call, request_id: int) -> Reply | None:
        """The reply in one message; None when the message was something on the way to it."""
        try:
            message = decode(data)
        except Malformed as error:
            return invalid(self._server, error.message)
        if isinstance(message, Response):
            if message.id != request_id:
                return None
            if message.result is None:
                return self._error(message)
            try:
                return read_result(message.result)
            except InvalidResult as error:
                return invalid(self._server, str(error))
        if isinstance(message, Notice) and wanted(message, call, request_id):
            call.emit(canonical(message.method, message.params))
        # A request from a server does not exist in this era, so nobody waits for its answer.
        return None

    def _error(self, response: Response) -> Failure:
        error = response.error
        if error is None:
            return invalid(self._server, "an answer has neither result nor error")
        failure = from_error(error)
        if error.code == UNSUPPORTED_VERSION:
            raise Stale(failure)
        return failure

    async def _refused(self, reply: HttpReply, request_id: int) -> Failure:
        status = reply.status
        response = None
        if status not in {401, 403} and not 300 <= status < 400:
            response = _read_error(await reply.read(ERROR_BODY))
        if response is None or response.error is None:
            failure = from_status(self._server, status, reply.headers.get(b"retry-after"))
            if status in {400, 404, 405}:
                raise Stale(failure)
            return failure
        if response.id != request_id and response.error.code not in MODERN_ERRORS:
            # A modern server names the request it refuses; one of the older era cannot have.
            raise Stale(from_error(response.error))
        return self._error(response)

    async def _learned(self, tool: str) -> Annotations:
        """The annotations of `tool`, after asking for the list once for all who wait."""
        if self._listing is None:
            self._listing = asyncio.create_task(self._list_in_time())
            self._listing.add_done_callback(self._listed)
        with suppress(TimeoutError):
            await asyncio.shield(self._listing)
        return self.tools.of(tool) or NO_ANNOTATIONS

    def _listed(self, task: asyncio.Task[None]) -> None:
        self._listing = None
        if not task.cancelled():
            task.exception()

    async def _list_in_time(self) -> None:
        async with asyncio.timeout(LIST_WITHIN):
            await self._list_tools()

    async def _list_tools(self) -> None:
        cursor: str | None = None
        for _ in range(PAGE_LIMIT):
            call = gateway_call("tools/list", {} if cursor is None else {"cursor": cursor})
            try:
                page = await self._attempt(call, NO_ANNOTATIONS)
            except (Down, Stale):
                return
            if isinstance(page, Failure):
                if page.reason != "upstream-error":
                    return
                break
            self.tools.note(page, first=cursor is None)
            cursor = text(page.raw, "nextCursor")
            if cursor is None:
                break
        self.tools.complete()

    async def probe(self, principal: Principal = GATEWAY) -> tuple[Probe, bytes | None]:
        """Ask `server/discover`; what came of it, and the result. On whose behalf is all the same.

        Raises:
            HttpFailure: nothing came back.
        """
        call = gateway_call("server/discover")
        request_id = next(self._ids)
        body = encode_request(request_id, call.method, request_params(call, request_id))
        headers = self._head_of(call, NO_ANNOTATIONS)
        outcome = await self._remote.exchange(headers, body, request_id)
        return probe_of(outcome.status, outcome.response)

    def close(self) -> None:
        """Stop what runs by itself."""
        if self._listing is not None:
            self._listing.cancel()


async def _nothing() -> Reply:
    """The answer to what this era has no message for."""
    return Result(EMPTY)


def probe_of(status: int | None, response: Response | None) -> tuple[Probe, bytes | None]:
    """What an answer to `server/discover` is worth as evidence, and the result if it is one."""
    if response is None:
        return Probe(status=status), None
    if response.error is not None:
        named = supported_versions(response.error.data)
        return Probe(status=status, code=response.error.code, supported=named), None
    found = discovery(response.result or b"")
    named = found.supported_versions if found is not None else ()
    return Probe(status=status, supported=named, result=True), response.result


def wanted(notice: Notice, call: Call, request_id: int) -> bool:
    """Whether the caller asked for what this notification is."""
    if notice.method == PROGRESS:
        return call.wants_progress and progress_token(notice.params) == request_id
    if notice.method == MESSAGE:
        return call.client.log_level is not None
    return True


def _read_error(data: bytes) -> Response | None:
    try:
        message = decode(data)
    except Malformed:
        return None
    return message if isinstance(message, Response) and message.error is not None else None
