"""Only methods the protocol names get past the door.

Refuses: any other method, with -32601 (JSON-RPC 2.0 section 5.1). Costs: one set lookup. Does not
protect from: a known method with hostile params; that is what later stages are for.
"""

from __future__ import annotations

from typing import ClassVar, Final

from lockgate.core.message import Call, Failure
from lockgate.core.names import nearest
from lockgate.core.policy import Stage
from lockgate.wire.jsonrpc import METHOD_NOT_FOUND

REQUESTS: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "tools/call",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "subscriptions/listen",
        "logging/setLevel",
        "tasks/get",
        "tasks/update",
        "tasks/cancel",
        "tasks/list",
        "tasks/result",
    }
)


class KnownMethods:
    """Refuses requests whose method the protocol does not name; notifications pass."""

    name: ClassVar[str] = "known-methods"
    stage: ClassVar[Stage] = Stage.ADMIT

    def concerns(self, method: str) -> bool:
        """Every method the table does not hold."""
        return method not in REQUESTS

    def enter(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Gate`."""
        if call.method in REQUESTS or call.method.startswith("notifications/"):
            return None
        guess = nearest(call.method, REQUESTS)
        return Failure(
            code=METHOD_NOT_FOUND,
            message=f"Method not found: {call.method[:128]}",
            origin="client",
            reason="unknown-method",
            policy=self.name,
            remedy=f"Did you mean {guess}?" if guess else "Use a method of the MCP specification.",
        )

    def leave(self, call: Call, /) -> None:
        """Nothing was kept."""
