"""What it takes to open a session of the handshake era, over either transport.

Must not know: which sessions exist, or who asks for one. Source: revision 2025-11-25,
basic/lifecycle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal, cast

import msgspec

from lockgate.core.message import ClientFacts, Era, Failure
from lockgate.core.raw import Raw
from lockgate.upstreams.chores import Chores
from lockgate.upstreams.eras import MODERN_ERRORS
from lockgate.upstreams.failures import ConnectFailed, HttpFailure
from lockgate.upstreams.http_handshake import HttpChannel, refused_opening
from lockgate.upstreams.parking import Parking
from lockgate.upstreams.refusals import from_error, from_http, invalid, lost, timed_out
from lockgate.upstreams.remote import Down, Outcome, Refused, Remote, Stale, unreachable
from lockgate.upstreams.sessions import Session
from lockgate.upstreams.stdio import StdioChannel, StdioProcess
from lockgate.upstreams.supervisor import Backoff
from lockgate.wire.handshake_out import BadOpening, Opening, initialize_params, read_opening
from lockgate.wire.jsonrpc import Response, encode_notice, encode_request
from lockgate.wire.revisions import META_SERVER_INFO

INITIALIZE_ID: Final = 0
DISCOVER_ID: Final = -1
_NOT_MCP: Final = frozenset({400, 404, 405, 406, 415})
_PERHAPS_OLDER: Final = frozenset({400, 404, 405})
_ASKED_FOR: Final = ("sampling", "elicitation", "roots")
"""What a client offers that a server may ask for outside of calls, on the standing stream."""
_INITIALIZED: Final = encode_notice("notifications/initialized", b"{}")


class NotStreamable(Stale):
    """It refused `initialize` in a way that servers of 2024-11-05 have."""


class Learned(msgspec.Struct, frozen=True):
    """What connecting has shown: the era to begin with, those that are proven, and names.

    final  no other era is worth asking for.
    """

    first: Era
    eras: frozenset[Era]
    name: str | None = None
    version: str | None = None
    final: bool = False


class Surroundings(msgspec.Struct, frozen=True):
    """What every session of one server shares.

    gone  is told when a standing stream cannot be opened again, as nobody is there, and when the
          attempt began, by the time of the event loop.
    """

    server: str
    parking: Parking
    changed: Callable[[str], None]
    chores: Chores
    start_timeout: float
    backoff: Backoff
    gone: Callable[[Down, float], object] | None = None


def session_of(
    around: Surroundings,
    channel: HttpChannel | StdioChannel,
    facts: ClientFacts,
    opening: Opening,
    data: bytes,
) -> Session:
    """The session that follows from an answer to `initialize`."""
    return Session(
        around.server,
        channel,
        facts=facts,
        opening=opening,
        greeting=data,
        parking=around.parking,
        changed=around.changed,
    )


def read_answer(server: str, response: Response) -> tuple[Opening, bytes]:
    """The answer to `initialize`. Raises `Stale` when no session can follow from it."""
    if response.error is not None:
        raise Stale(from_error(response.error))
    data = response.result or b""
    try:
        return read_opening(data), data
    except BadOpening as error:
        raise Stale(invalid(server, str(error))) from None


async def open_http(around: Surroundings, remote: Remote, facts: ClientFacts) -> Session | Failure:
    """Open a session over HTTP.

    Raises:
        Down: the server cannot be reached.
        Stale: it does not speak this era, or (`NotStreamable`) perhaps its oldest transport.
    """
    channel = HttpChannel(remote, around.chores, around.backoff, around.gone)
    body = encode_request(INITIALIZE_ID, "initialize", initialize_params(facts))
    try:
        async with asyncio.timeout(around.start_timeout):
            outcome = await channel.initialize(body, INITIALIZE_ID)
            if outcome.response is None or outcome.status in {401, 403}:
                return _no_answer(around.server, outcome)
            opening, data = _answered(around.server, outcome.status, outcome.response)
            session = session_of(around, channel, facts, opening, data)
            await channel.connect(
                opening.protocol_version, _INITIALIZED, session.receive, session.expire
            )
    except TimeoutError:
        return timed_out(around.server)
    except HttpFailure as error:
        if isinstance(error, ConnectFailed) and error.cause != "busy":
            raise unreachable(error) from None
        return from_http(around.server, error, remote.max_message)
    if any(asked in facts.capabilities for asked in _ASKED_FOR):
        await channel.stand_by()
    return session


def _answered(server: str, status: int | None, response: Response) -> tuple[Opening, bytes]:
    """As `read_answer`; an error of no modern server may come from one of 2024-11-05."""
    try:
        return read_answer(server, response)
    except Stale as error:
        if status in _PERHAPS_OLDER and error.failure.code not in MODERN_ERRORS:
            raise NotStreamable(error.failure) from None
        raise


def _no_answer(server: str, outcome: Outcome) -> Failure:
    failure = refused_opening(server, outcome)
    if outcome.status in _PERHAPS_OLDER:
        raise NotStreamable(failure)
    if outcome.status in _NOT_MCP:
        raise Stale(failure)
    return failure


async def open_stdio(
    around: Surroundings, process: StdioProcess, facts: ClientFacts
) -> Session | Failure:
    """Open a session on a running process, or an open connection, that nobody has taken over.

    Raises:
        Down: it has ended.
        Stale: it does not speak this era.
    """
    body = encode_request(INITIALIZE_ID, "initialize", initialize_params(facts))
    try:
        async with asyncio.timeout(around.start_timeout):
            response = await process.exchange(INITIALIZE_ID, body)
    except TimeoutError:
        process.stop()
        return timed_out(around.server)
    except Refused as error:
        process.stop()
        return error.failure
    except BaseException:
        process.stop()
        raise
    return take_over(around, process, facts, response)


def take_over(
    around: Surroundings, process: StdioProcess, facts: ClientFacts, response: Response
) -> Session:
    """The session on a process that has answered `initialize`. Raises `Stale` as above."""
    try:
        opening, data = read_answer(around.server, response)
    except Stale:
        process.stop()
        raise
    session = session_of(around, StdioChannel(process), facts, opening, data)
    process.on_line = session.receive
    process.on_dropped = session.dropped
    before = process.on_exit

    def exited(why: str) -> None:
        session.ended(lost(around.server, why))
        before(why)

    process.on_exit = exited
    process.write(_INITIALIZED)
    return session


def introduction(
    data: bytes | None, where: Literal["discover", "initialize"]
) -> tuple[str | None, str | None]:
    """The name and version a server gives itself in its answer, if it does."""
    if not data:
        return None, None
    raw = Raw(data)
    try:
        if where == "discover":
            info = raw.object("_meta").get(META_SERVER_INFO)
        else:
            info = raw.get("serverInfo")
    except msgspec.MsgspecError:
        return None, None
    if not isinstance(info, dict):
        return None, None
    fields = cast("dict[str, Any]", info)
    name, version = fields.get("name"), fields.get("version")
    return (
        name[:200] if isinstance(name, str) else None,
        version[:100] if isinstance(version, str) else None,
    )
