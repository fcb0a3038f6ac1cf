"""The tool that stands for a server's tools while a caller has no login there: it asks for one.

Must not know: OAuth, pages, how the question is put. Without it nobody would call a tool of such a
server, and so nobody would ever be asked: models call what is listed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, cast

from lockgate.core.credentials import Credentials
from lockgate.core.message import Call, Failure, Reply, Result, Target
from lockgate.core.names import spell
from lockgate.core.policy import AnyPolicy, CallNext, Observe
from lockgate.core.raw import Raw
from lockgate.gateway.chains import Way
from lockgate.gateway.listing import Item, ListMethod, Section
from lockgate.policies.login import REASON
from lockgate.upstreams.guard import Guard

NAME: Final = "log_in"
_TOOLS: Final = "tools/list"


def spelled(server: str) -> str:
    """What the tool of a server is called, whatever the naming: there is one for each server."""
    return spell(server, NAME, "prefix")


def listed(entry: ListMethod, sections: Collection[Section]) -> list[Item]:
    """The tools to list beside what the sections hold, under the names clients see."""
    if entry.method != _TOOLS:
        return []
    return [
        Item(spelled(one.server), _definition(one.server))
        for one in sections
        if one.problem is not None and _opens(one.problem)
    ]


def _opens(problem: Failure) -> bool:
    """Whether the caller itself can do something: there is a page for it."""
    return problem.reason == REASON and "url" in cast("dict[str, Any]", problem.data or {})


def _definition(server: str) -> Raw:
    return Raw.of(
        {
            "name": spelled(server),
            "title": f"Log in to {server}",
            "description": (
                f"The tools of {server} can be listed and used after a login there. Call this to "
                "have the person asked to log in; then list the tools again."
            ),
            "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
            "annotations": {"destructiveHint": False, "idempotentHint": True},
        }
    )


class LoginTools:
    """Answers calls of these tools."""

    def __init__(
        self,
        policies: Mapping[str, AnyPolicy],
        credentials: Mapping[str, Credentials],
        observe: Observe,
    ) -> None:
        """`policies` put the question, by server; `credentials` know who has a login."""
        self._ways = {
            name: Way([policy], _admitted(name, Guard(credentials[name])), observe)
            for name, policy in policies.items()
            if name in credentials
        }
        self._servers = {spelled(name): name for name in self._ways}

    def find(self, name: str, servers: Collection[str]) -> str | None:
        """The server that a tool of this name logs in to, if it is one of `servers`."""
        server = self._servers.get(name)
        return server if server is not None and server in servers else None

    async def call(self, call: Call, server: str) -> Reply:
        """Have the caller asked; a Result once they have a login."""
        return await self._ways[server].send(call, Target(server, "tool", NAME), call.params)


def _admitted(server: str, guard: Guard) -> CallNext:
    done = Result(
        Raw.of(
            {
                "content": [
                    {"type": "text", "text": f"{server} lets you in. List the tools again."}
                ],
                "resultType": "complete",
            }
        )
    )

    async def admitted(call: Call) -> Reply:
        return await guard.admit(call.principal) or done

    return admitted
