"""What a conversation was given a moment ago is not sent once more: it is told so instead.

Changes: a large result of a read-only tool that is byte for byte the one before it, for the same
arguments and in the same conversation, becomes a sentence; asked again, it is sent. Refuses:
nothing. Costs: a digest of large results of read-only tools. Does not protect from: hosts that
forget what they were given; so it is off unless an endpoint asks for it.

A conversation is a session of the handshake era, or what a stateless client names in the member
`io.github.lockgate/conversation` of a call's `_meta`. Without one, nothing is ever left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import ClassVar, Final, NamedTuple

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import Call, Reply, Result
from lockgate.core.policy import Look, Stage
from lockgate.core.raw import Raw

CONVERSATION: Final = "io.github.lockgate/conversation"
LARGE: Final = 2048
"""Bytes of a result below which saying that it is the same is not worth it."""
MOST: Final = 10_000
FRESH: Final = 600.0
"""Seconds after which a host may have forgotten."""
_LONGEST: Final = 200

Saved = Callable[[str, str, int], None]


class _Sent(NamedTuple):
    """digest of a result, when it was sent, and whether it was left out since."""

    digest: bytes
    at: float
    left_out: bool


class Repeats:
    """Before every server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "repeats"
    stage: ClassVar[Stage] = Stage.PRESENT

    def __init__(
        self,
        endpoints: Collection[str],
        clock: Clock,
        read_only: Callable[[Call], bool],
        saved: Saved,
    ) -> None:
        """Args as below.

        Args:
            endpoints: where it is done.
            clock: what ages are measured by.
            read_only: whether a call changes nothing, by the annotations of its tool.
            saved: hears of bytes that were not sent.
        """
        self._endpoints = frozenset(endpoints)
        self._clock = clock
        self._read_only = read_only
        self._saved = saved
        self._sent: OrderedDict[bytes, _Sent] = OrderedDict()

    def concerns(self, method: str) -> bool:
        """Calls of tools, where it is done at all."""
        return method == "tools/call" and bool(self._endpoints)

    def check(self, call: Call, /) -> Look | None:
        """Wants to see the reply to calls of conversations."""
        if call.facts.get("endpoint", "") not in self._endpoints or conversation(call) is None:
            return None
        return self._seen

    def _seen(self, call: Call, reply: Reply) -> Reply:
        within, target = conversation(call), call.target
        if (
            not isinstance(reply, Result)
            or reply.kind != "complete"
            or reply.raw.size < LARGE
            or target is None
            or within is None
            or not plain(reply.raw)
            or not self._read_only(call)
        ):
            return reply
        arguments = call.params.member("arguments") or b"{}"
        parts = (call.principal.id, within, target.server, target.name)
        key = _digest(msgspec.json.encode(parts) + arguments)
        found, now = _digest(reply.raw.member("content") or b""), self._clock.monotonic()
        before = self._sent.pop(key, None)
        same = before is not None and before.digest == found and now - before.at < FRESH
        left_out = same and before is not None and not before.left_out
        # What was left out once is sent when it is asked for again, and may then be left out anew.
        at = before.at if left_out and before is not None else now
        self._sent[key] = _Sent(found, at, left_out)
        if len(self._sent) > MOST:
            self._sent.popitem(last=False)
        if not left_out or before is None:
            return reply
        self._saved(target.server, "repeat", reply.raw.size)
        said = (
            f"Unchanged: {target.name} with these arguments answers exactly what it answered "
            f"{round(now - before.at)} s ago in this conversation. Call it again to be sent it."
        )
        content = [{"type": "text", "text": said}]
        return reply.replace(raw=reply.raw.replace(content=content))


def conversation(call: Call) -> str | None:
    """What a call belongs to, as far as its client says; None: it does not."""
    if call.affinity is not None:
        return call.affinity
    if "_meta" not in call.params:
        return None
    named: object = call.params.object("_meta").get(CONVERSATION)
    return named if isinstance(named, str) and 0 < len(named) <= _LONGEST else None


def plain(raw: Raw) -> bool:
    """Content alone: no error, and nothing that a schema may promise."""
    return "structuredContent" not in raw and raw.get("isError") is not True


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
