"""What is still taken while the gateway stops, and what becomes of calls that it does not wait for.

Must not know: HTTP streams, how long there is.

Nothing new is taken. What goes on with something begun is: answers to a server's questions,
cancellations, the retry of a call that waited for its client's input, a client that comes back to
the stream of its call, and the end of a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from lockgate.core.message import Failure
from lockgate.fronts.http import HttpRequest
from lockgate.fronts.replay import read_cursor
from lockgate.wire.envelope import failure_error
from lockgate.wire.jsonrpc import INTERNAL_ERROR, Malformed, Message, Request, RequestId, decode


def goes_on(request: HttpRequest) -> bool:
    """Whether a request that comes late belongs to something that is under way."""
    if request.method == "POST":
        try:
            return continues(decode(request.body))
        except Malformed:
            return False
    if request.method == "GET":
        cursor = read_cursor(request.headers.get(b"last-event-id", b""))
        return cursor is not None and not cursor.of_session
    return request.method == "DELETE"


def continues(message: Message) -> bool:
    """Whether a message belongs to something that is under way."""
    try:
        return not isinstance(message, Request) or "requestState" in message.params
    except msgspec.MsgspecError:
        return False


def cut_off(say: Callable[[bytes], None], request_id: RequestId | None) -> None:
    """Answer a request whose task is being cancelled: the time to stop is over.

    Nobody but a shell that has to end cancels a request that was not called off. For an exception
    that only looks like that, raised by somebody inside, nothing is said here.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        return
    failure = Failure(
        INTERNAL_ERROR,
        "The gateway stopped before the call was over. The call may have had its effect.",
        "gateway",
        "gateway-stopped",
        remedy="Find out whether it took effect before calling again.",
    )
    say(failure_error(request_id, failure))
