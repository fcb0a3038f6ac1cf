"""A server that says what its script says, on the canonical side of the upstream adapters.

Must not know: wires. It answers `send(call)` as an upstream does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lockgate.core.message import Call, Failure, Notification, Reply, Result
from lockgate.core.raw import Raw

Answer = Reply | Callable[[Call], Awaitable[Reply]]
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


class ScriptedServer:
    """Lists what it is given, answers what it is told, and notes every call.

    `answers` maps a method, or `(method, name)`, to a Reply or an async function of the call.
    `gate`: when set to an event, every call waits for it first.
    """

    def __init__(
        self,
        name: str,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        prompts: Sequence[Mapping[str, Any]] = (),
        resources: Sequence[Mapping[str, Any]] = (),
        templates: Sequence[Mapping[str, Any]] = (),
        hints: Mapping[str, Any] | None = None,
        answers: Mapping[str | tuple[str, str], Answer] | None = None,
        discover: Mapping[str, Any] | None = None,
    ) -> None:
        """See the class; `hints` are merged into every list result."""
        self.name = name
        self.lists: dict[str, tuple[str, Sequence[Mapping[str, Any]]]] = {
            "tools/list": ("tools", tools),
            "prompts/list": ("prompts", prompts),
            "resources/list": ("resources", resources),
            "resources/templates/list": ("resourceTemplates", templates),
        }
        self.hints = dict(hints or {})
        self.answers: dict[str | tuple[str, str], Answer] = dict(answers or {})
        self.discover = dict(discover or {"capabilities": {"tools": {}, "resources": {}}})
        self.calls: list[Call] = []
        self.gate: asyncio.Event | None = None
        self.down: Failure | None = None
        self.listeners: list[Call] = []

    def asked(self, method: str) -> list[Call]:
        """The calls of one method so far."""
        return [call for call in self.calls if call.method == method]

    async def send(self, call: Call) -> Reply:
        """Answer as the script says."""
        self.calls.append(call)
        if self.gate is not None:
            await self.gate.wait()
        if self.down is not None:
            return self.down
        name = call.target.name if call.target else ""
        answer = self.answers.get((call.method, name), self.answers.get(call.method))
        if answer is not None:
            return answer if isinstance(answer, Result | Failure) else await answer(call)
        return await self._usual(call)

    async def _usual(self, call: Call) -> Reply:
        if call.method == "subscriptions/listen":
            return await self._listen(call)
        if call.method == "server/discover":
            return Result(Raw.of(self.discover))
        listed = self.lists.get(call.method)
        if listed is not None:
            return Result(Raw.of({listed[0]: list(listed[1]), **self.hints}))
        return Result(Raw.of({"from": self.name, "params": dict(call.params)}))

    async def _listen(self, call: Call) -> Reply:
        call.emit(Notification(ACKNOWLEDGED, call.params))
        self.listeners.append(call)
        try:
            await asyncio.Event().wait()
        finally:
            self.listeners.remove(call)
        return Result(Raw())

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification to every listener."""
        for call in list(self.listeners):
            call.emit(Notification(method, Raw.of(params)))
