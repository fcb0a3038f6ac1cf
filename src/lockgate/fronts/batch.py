"""Batches, which revision 2025-03-26 alone has: several messages in one array.

Must not know: transports, how a single request is answered.

Source: specification 2025-03-26, basic ("Batching") and basic/lifecycle ("The initialize request
must not be part of a batch"); JSON-RPC 2.0 section 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from lockgate.core.message import Failure
from lockgate.fronts.stopping import cut_off
from lockgate.fronts.streams import Running, Stream
from lockgate.wire import modern_in
from lockgate.wire.envelope import failure_error, unreadable
from lockgate.wire.jsonrpc import INVALID_REQUEST, Malformed, Message, Notice, Request, Response

VERSION: Final = "2025-03-26"
MOST: Final = 50
"""Messages in one batch; one more and all of it is refused."""

Other = Callable[[Notice | Response], None]
"""Takes what needs no answer."""

Answer = Callable[[Request, Running], Awaitable[bytes]]
"""Answers one request. Raises CancelledError when it was called off."""


class Part(Running):
    """One request of a batch; what belongs to it goes out on the stream of them all."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def event(self, message: bytes, /) -> None:
        """See `Running.event`."""
        self._stream.event(message)


def looks_like_batch(data: bytes) -> bool:
    """Whether this is an array and no single message."""
    return data.lstrip()[:1] == b"["


async def run_batch(
    messages: Sequence[Message | Malformed],
    answer: Answer,
    other: Other,
    running: Callable[[], Running],
    say: Callable[[bytes], None],
) -> None:
    """Answer a batch: every request at once, what needs no answer before them.

    Args:
        messages: the batch, taken apart.
        answer: answers one request.
        other: takes notifications and responses.
        running: made in the task of each request.
        say: takes each response when it is there; a request that was called off has none.

    Raises CancelledError when all of it was cancelled, after the last response.
    """

    async def one(request: Request) -> None:
        mine = running()
        try:
            body = await answer(request, mine)
        except asyncio.CancelledError:
            if mine.settle():
                return
            cut_off(say, request.id)
            raise
        except msgspec.MsgspecError:
            body = failure_error(request.id, unreadable())
        say(body)

    requests: list[Request] = []
    for message in messages:
        if isinstance(message, Request):
            refused = _refusal(message)
            if refused is None:
                requests.append(message)
            else:
                say(failure_error(message.id, refused))
        elif isinstance(message, Malformed):
            say(failure_error(message.id, _malformed(message)))
        else:
            other(message)
    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(one(request))


def joined(answers: Sequence[bytes]) -> bytes:
    """Several responses as one array."""
    return b"[" + b",".join(answers) + b"]"


def _refusal(request: Request) -> Failure | None:
    if request.method == "initialize" or modern_in.claims_modern(request.params):
        return Failure(
            INVALID_REQUEST,
            f"{request.method[:64]} of this form cannot be part of a batch.",
            "client",
            "not-in-batch",
            remedy="Send it as a message of its own.",
        )
    return None


def _malformed(error: Malformed) -> Failure:
    return Failure(
        error.code,
        error.message,
        "client",
        "malformed-message",
        remedy="Every item of a batch must be one JSON-RPC 2.0 message.",
    )
