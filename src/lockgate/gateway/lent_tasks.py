"""What comes of tasks: the results of tools, later; held to the same budget as those.

Must not know: how tasks run, or how results are shown and kept.

A task is known by the call it began with, which is kept with the results of its caller, for as long
as those are, and by every replica that shares them. What comes of a task nobody here knows goes out
whole: nobody could be told later what it came from.

    | revision                           | a task begins with     | what came of it stands in     |
    |------------------------------------|------------------------|-------------------------------|
    | 2025-11-25                         | `task.taskId`          | the result of `tasks/result`  |
    | 2026-07-28, extension              | `taskId`               | `result`, in `tasks/get`      |
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import Final

import msgspec

from lockgate.core.message import Call, Reply, Result, Target
from lockgate.core.policy import CallNext
from lockgate.core.raw import Raw
from lockgate.core.store import StoreGone
from lockgate.gateway.loans import Lender, Loan, lengthy
from lockgate.gateway.references import Origins
from lockgate.gateway.source import Source
from lockgate.kit.sealed import Sealed, place

_KIND: Final = "task"
_RESULT: Final = "result"
_SHORT: Final = 4096
_WHOLE: Final = "tasks/result"


class _Begun(msgspec.Struct, frozen=True, array_like=True):
    tool: str
    arguments: str
    asked: str
    origins: Origins


class TaskResults:
    """Remembers what tasks began with, and shows what came of them."""

    def __init__(self, lender: Lender, sealed: Sealed) -> None:
        """`sealed` keeps what tasks began with."""
        self._lender = lender
        self._sealed = sealed

    async def begun(self, call: Call, raw: Raw, asked: bytes | None, origins: Origins) -> None:
        """A call was answered with a task: remember what it is about.

        Args:
            call: as the server was sent it.
            raw: the answer.
            asked: the arguments as the client wrote them.
            origins: where what they referred to came from.
        """
        named: object = raw.get("taskId") or raw.object("task").get("taskId")
        if call.target is None or not isinstance(named, str):
            return
        sent = call.params.member("arguments") or b"{}"
        one = _Begun(call.target.name, _short(sent), _short(asked or b"{}"), origins)
        owner = self._lender.owner(call)
        with suppress(StoreGone):
            await self._sealed.put(
                owner, _place(owner, call.target.server, named), msgspec.json.encode(one)
            )

    async def run(self, call: Call, chain: CallNext, loan: Loan) -> Reply:
        """A call about a task; what came of the task is held to the budget."""
        reply = await chain(call)
        long = lengthy(reply, loan)
        if long is None or call.target is None:
            return reply
        raw = long.raw
        result = raw if call.method == _WHOLE else _object(raw)
        source = None if result is None else await self._source(call, call.target)
        if result is None or source is None:
            return reply
        about = call.replace(target=source.target)
        short = await self._lender.shortened(about, result, loan, source)
        if short is None:
            return reply
        if result is raw:
            return Result(short)
        return Result(raw.with_members({_RESULT: short.encode()}))

    async def _source(self, call: Call, task: Target) -> Source | None:
        """What a task began with; None: nobody here knows."""
        owner = self._lender.owner(call)
        try:
            data = await self._sealed.get(owner, _place(owner, task.server, task.name))
            one = None if data is None else _decode(data)
        except (StoreGone, msgspec.MsgspecError):
            return None
        if one is None:
            return None
        target = Target(task.server, "tool", one.tool)
        return Source(target, one.arguments.encode(), one.asked.encode(), one.origins)


def _place(owner: str, server: str, task: str) -> str:
    named = sha256(f"{server}\0{task}".encode(errors="surrogatepass"))
    return place(_KIND, owner, named.hexdigest()[:32])


def _short(arguments: bytes) -> str:
    return arguments.decode("utf-8", "replace") if len(arguments) <= _SHORT else ""


def _object(raw: Raw) -> Raw | None:
    """What came of a task that is over."""
    data = raw.member(_RESULT)
    return None if data is None or not data.startswith(b"{") else Raw(data)


_decode: Final = msgspec.json.Decoder(_Begun).decode
