"""Keeps arguments that are paths or URLs to where they may lead.

Refuses: paths outside of the folders of their rule, and URLs to where none may lead
(`argument-refused`). Costs: nothing for tools without such arguments; a look-up for URLs that have
to be public. Does not protect from: a name that leads elsewhere once the server looks it up, a link
made after the look, and arguments that nothing says are paths or URLs.

Must not know: how names are looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec

from lockgate.core.message import Call, Failure, Reply, Target
from lockgate.core.policy import CallNext, Stage
from lockgate.core.raw import Raw
from lockgate.guard.places.hosts import Open, all_public
from lockgate.guard.places.rules import Place, Places, not_public
from lockgate.guard.schemas.words import Problem
from lockgate.wire.envelope import unreadable
from lockgate.wire.jsonrpc import INVALID_PARAMS

MOST_TARGETS: Final = 4096
MOST_LOOKUPS: Final = 16
WITHIN: Final = 5.0
Definition = Callable[[Call], Raw | None]
Resolve = Callable[[str, int], Awaitable[list[str]]]


class _Known:
    """The arguments of each target that lead somewhere."""

    def __init__(self, definition: Definition, places: Places) -> None:
        self._definition = definition
        self._places = places
        self._by_target: dict[int, tuple[Target, tuple[Place, ...]]] = {}

    def of(self, call: Call) -> tuple[Place, ...]:
        target = call.target
        if target is None:
            return ()
        kept = self._by_target.get(id(target))
        if kept is not None and kept[0] is target:
            return kept[1]
        definition = self._definition(call)
        schema: Any = None if definition is None else definition.get("inputSchema")
        if len(self._by_target) >= MOST_TARGETS:
            self._by_target.clear()
        found = self._places.of(target.name, schema)
        self._by_target[id(target)] = target, found
        return found


class PlaceCheck:
    """Before one server; whatever can be said without a look-up. See `core.policy.Check`."""

    name: ClassVar[str] = "places"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, definition: Definition, places: Places) -> None:
        """`definition` gives what the caller was shown of the tool."""
        self._known = _Known(definition, places)
        self._places = places

    def concerns(self, method: str) -> bool:
        """Calls of tools."""
        return method == "tools/call"

    def check(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Check`."""
        places = self._known.of(call)
        if not places:
            return None
        try:
            problems, _ = self._places.judge(places, call.params.get("arguments"))
        except (msgspec.MsgspecError, RecursionError):
            return unreadable()
        return _refused(call, problems) if problems else None


class PlaceLookup:
    """Looks up the hosts of URLs that have to be public; for servers with such rules only.

    All addresses of a name have to be: which of them the server will take is not known.
    """

    name: ClassVar[str] = "places"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, definition: Definition, places: Places, resolve: Resolve) -> None:
        """`resolve` gives the addresses of a host; raises OSError when there are none."""
        self._known = _Known(definition, places)
        self._places = places
        self._resolve = resolve

    def concerns(self, method: str) -> bool:
        """Calls of tools."""
        return method == "tools/call"

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        places = self._known.of(call)
        if places:
            # The check before this one has judged everything else.
            hosts = list(dict.fromkeys(self._places.judge(places, call.params.get("arguments"))[1]))
            if len(hosts) > MOST_LOOKUPS or not await self._public(hosts):
                return _refused(call, [not_public()])
        return await call_next(call)

    async def _public(self, hosts: Sequence[Open]) -> bool:
        try:
            async with asyncio.timeout(WITHIN):
                found = await asyncio.gather(*(self._resolve(it.host, it.port) for it in hosts))
        except (OSError, TimeoutError):
            return False
        return all(map(all_public, found))


def _refused(call: Call, problems: Sequence[Problem]) -> Failure:
    name = "the tool" if call.target is None else call.target.name
    return Failure(
        code=INVALID_PARAMS,
        message=f"{name} may not be called so: {'; '.join(map(str, problems))}.",
        origin="policy",
        reason="argument-refused",
        policy=PlaceCheck.name,
        data={"arguments": [{"path": it.place, "expected": it.expected} for it in problems]},
        remedy="Call it with another path or URL; whoever runs the gateway can allow more.",
    )
