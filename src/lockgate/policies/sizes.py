"""Bounds what single tools may be sent and may answer, closer than the bounds of everything do.

Refuses: arguments with more bytes than the tool may be sent (`arguments-too-large`), and results
with more than it may answer (`result-too-large`). Costs: nothing for tools without a bound of their
own. Does not protect from: many calls; a result is read whole before it is refused, up to the
server's `limits.message_bytes`.

Must not know: what is in either.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from lockgate.core.match import ByTool
from lockgate.core.message import Call, Failure, Reply, Result, Target
from lockgate.core.policy import Look, Stage
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS


class Sizes(NamedTuple):
    """Bytes of arguments and of a result; None: no bound."""

    arguments: int | None = None
    result: int | None = None


class SizeCheck:
    """Before one server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "sizes"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, tools: ByTool[Sizes]) -> None:
        """`tools`: the bounds of each tool."""
        self._tools = tools

    def concerns(self, method: str) -> bool:
        """Calls of tools."""
        return method == "tools/call"

    def check(self, call: Call, /) -> Failure | Look | None:
        """See `lockgate.core.policy.Check`."""
        target = call.target
        if target is None:
            return None
        arguments, result = self._tools[target.name]
        if arguments is not None and call.params.length("arguments") > arguments:
            return Failure(
                code=INVALID_PARAMS,
                message=f"The arguments of {target.name} are larger than {arguments} bytes.",
                origin="policy",
                reason="arguments-too-large",
                policy=self.name,
                data={"limit": arguments},
                remedy="Send less at once.",
            )
        if result is None:
            return None
        most = result
        return lambda _, reply: _bounded(target, most, reply)


def _bounded(target: Target, most: int, reply: Reply) -> Reply:
    if not isinstance(reply, Result) or reply.raw.size <= most:
        return reply
    return Failure(
        code=INTERNAL_ERROR,
        message=f"What {target.name} answered is larger than {most} bytes.",
        origin="policy",
        reason="result-too-large",
        policy=SizeCheck.name,
        data={"limit": most},
        remedy="The call was made; ask for less, such as a page or a range.",
    )
