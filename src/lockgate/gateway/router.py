"""Which server a call is about, and in what words.

Must not know: transports, how clients are identified, what any policy does.

Only what the caller's sight shows is routed to; the rest is answered as what does not exist.

    | method                        | goes to                                                    |
    |-------------------------------|------------------------------------------------------------|
    | server/discover               | nobody: merged from what every server said of itself       |
    | tools/list and the other lists| nobody: the catalog's face for this client                 |
    | tools/call, prompts/get       | the server whose list holds the name                       |
    | resources/read                | the server whose list or template holds the URI            |
    | completion/complete           | the server of the prompt or template it refers to          |
    | subscriptions/listen          | the subscriptions, which ask each server for its part      |
    | tasks/*                       | the server whose task it is                                |
    | logging/setLevel, roots change| every server that keeps a session for this client          |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

import msgspec

from lockgate.core.chain import compose
from lockgate.core.message import ANONYMOUS, Call, Failure, Reply, Result, Target
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.sight import Sight
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.chains import Way
from lockgate.gateway.discovery import Discovery
from lockgate.gateway.face import Face
from lockgate.gateway.handles import Handles
from lockgate.gateway.introduction import WAITING, introduce
from lockgate.gateway.lending import SCHEME
from lockgate.gateway.listing import LISTS
from lockgate.gateway.login_tools import LoginTools
from lockgate.gateway.resources import candidates, matches, only_by_hidden
from lockgate.gateway.result_reader import ResultReader, owned
from lockgate.gateway.tasks import TaskIds
from lockgate.upstreams.guard import NOBODY
from lockgate.wire.envelope import retry_after, unreadable
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND

NOT_FOUND_CODES: Final = frozenset({-32602, -32002})
DONE: Final = Result(EMPTY)


class Listener(Protocol):
    """What serves `subscriptions/listen`."""

    async def listen(self, call: Call, /) -> Reply:
        """Run until the client goes or the gateway ends."""
        ...


_NAMED: Final = {"tools/call": "tools/list", "prompts/get": "prompts/list"}
"""Methods that say a name, and the list that has it."""


class Router:
    """The inner handler of the edge chain."""

    def __init__(
        self,
        servers: dict[str, Way],
        catalog: Catalog,
        discover: Callable[[Call, str], Awaitable[Reply]],
        task_ids: TaskIds,
        listener: Listener,
        unlisted: Callable[[Call, Face, str], Target | Failure],
        handles: Handles | None = None,
    ) -> None:
        """Route among `servers`.

        Args:
            servers: the way to each server, by name, in configuration order.
            catalog: what they list.
            discover: asks one server, by name, who it is, on behalf of a call.
            task_ids: how the servers' tasks are told apart.
            listener: serves listen streams.
            unlisted: judges names that no list holds.
            handles: binds what clients carry for servers to who got it; None: nothing does.
        """
        self._sights = catalog.sights
        self._handles = handles
        self.login_tools: LoginTools | None = None
        """What callers are asked to log in by, where servers are hidden without."""
        self.results: ResultReader | None = None
        """What reads the results that are kept, where any are."""
        self.discovery: Discovery | None = None
        """What shows less than there is, where an endpoint does, and finds the rest."""
        self._hands, self._alike = catalog.hands, catalog.alike
        self._presents = bool(catalog.presentations)
        self._apart = handles is not None and handles.restricted
        self._servers = servers
        # Where several are asked at once, one that breaks must not take the others' answers along.
        self._each = {name: compose([], way) for name, way in servers.items()}
        self._catalog = catalog
        self._discover = discover
        self._task_ids = task_ids
        self._unlisted = unlisted
        self._table: dict[str, Callable[[Call], Awaitable[Reply]]] = {
            "server/discover": self._introduce,
            "resources/read": self._read,
            "completion/complete": self._complete,
            "subscriptions/listen": listener.listen,
            "tasks/get": self._task,
            "tasks/update": self._task,
            "tasks/cancel": self._task,
            "tasks/result": self._task,
            "tasks/list": self._tasks,
            **dict.fromkeys(LISTS, self._list),
        }

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Answer the call, or send it where it belongs."""
        if call.method in _NAMED:
            return self._by_name(call)
        return self._judged(self._table.get(call.method) or self._everywhere, call)

    @staticmethod
    async def _judged(handle: Callable[[Call], Awaitable[Reply]], call: Call) -> Reply:
        try:
            return await handle(call)
        except msgspec.ValidationError:
            # Servers' chains and the catalog answer for themselves, so these are the params.
            return unreadable()

    async def _introduce(self, call: Call) -> Reply:
        sight = self._sights.of(call)
        names = self._visible(sight)
        replies = await asyncio.gather(*(self._discover(call, name) for name in names))
        known = [
            (name, reply.raw if isinstance(reply, Result) else WAITING)
            for name, reply in zip(names, replies, strict=True)
            if isinstance(reply, Result) or reply.reason in NOBODY
        ]
        if not known and replies:
            failures = [reply for reply in replies if isinstance(reply, Failure)]
            return nobody("server/discover", failures)
        said = introduce(known, sight.instructions, personal=sight.personal)
        return Result(said if self.results is None else self.results.introduced(call, said))

    def _visible(self, sight: Sight) -> tuple[str, ...]:
        """The servers a caller sees anything of."""
        return tuple(name for name in sight.servers if name in self._servers)

    async def _list(self, call: Call) -> Reply:
        face = await self._catalog.face(call.method, call)
        problems = [part.problem for part in face.parts if part.problem is not None]
        if len(problems) == len(face.parts) and problems and not face.items:
            return nobody(call.method, problems)
        cursor, richer = call.params.get("cursor"), self._catalog.richer(call)
        if self.discovery is not None:
            face = self.discovery.listed(face, call, richer=richer)
        return face.page(cursor, richer=richer)

    async def _by_name(self, call: Call) -> Reply:
        try:
            name = call.params.get("name")
            if (self._apart or call.principal is not ANONYMOUS) and "requestState" in call.params:
                found = self._inward(call)
                if isinstance(found, Failure):
                    return found
                call = found
        except msgspec.ValidationError:
            return unreadable()
        if not isinstance(name, str):
            return invalid(f"{call.method} needs a string `name`.")
        method = _NAMED[call.method]
        target = self._at_hand(method, call, name)
        if target is None:
            asked = await self._find(method, call, name)
            if not isinstance(asked, Target):
                return asked
            target = asked
        params = call.params if target.name == name else call.params.replace(name=target.name)
        if self._presents:
            try:
                params = self._catalog.presented(call, target, params)
            except msgspec.ValidationError:
                return unreadable()
        reply = await self._servers[target.server].send(call, target, params)
        if isinstance(reply, Result) and (reply.kind != "complete" or "task" in params):
            return self._outward(call, target.server, reply)
        return reply

    def _at_hand(self, method: str, call: Call, name: str) -> Target | None:
        """Where a name leads, if that is known without waiting."""
        face = self._hands.of_all(method, call) if self._alike else None
        if face is None:
            face = self._catalog.neutral(method, call)
        return None if face is None else face.routes.get(name)

    async def _find(self, method: str, call: Call, name: str) -> Target | Reply:
        """Where a name leads that was not at hand; a Reply if it is of nothing a server has."""
        target = self._catalog.route(method, call, name)
        if target is not None:
            return target
        face = await self._catalog.face(method, call)
        target = face.routes.get(name)
        if target is None and self.results is not None and owned(face, name):
            return await self.results.call(call)
        if target is None and self.discovery is not None:
            role = self.discovery.own(face, call, name)
            if role is not None:
                return await self.discovery.answer(role, face, call)
        if target is not None or self.login_tools is None or method != "tools/list":
            return target or self._unlisted(call, face, name)
        server = self.login_tools.find(name, self._sights.of(call).servers)
        if server is None:
            return self._unlisted(call, face, name)
        reply = await self.login_tools.call(call, server)
        if isinstance(reply, Failure) or reply.kind == "complete":
            return reply
        return self._outward(call, server, reply)

    def _inward(self, call: Call) -> Call | Failure:
        """The call with what it carries for a server in that server's words."""
        handles = self._handles
        return call if handles is None or not handles.bound(call) else handles.inward(call)

    def _outward(self, call: Call, server: str, reply: Reply) -> Reply:
        """The reply with what the client is to carry for a server bound to it."""
        handles = self._handles
        if handles is not None and handles.bound(call):
            reply = handles.outward(call, reply)
        if isinstance(reply, Result) and (reply.kind == "task" or "task" in call.params):
            return self._task_ids.outward(call, server, reply)
        return reply

    async def _read(self, call: Call) -> Reply:
        uri = call.params.get("uri")
        if not isinstance(uri, str):
            return invalid("resources/read needs a string `uri`.")
        if uri.startswith(SCHEME) and (kept := await self._kept(call, uri)) is not None:
            return kept
        asked = self._inward(call)
        if isinstance(asked, Failure):
            return asked
        sight = self._sights.of(call)
        found = await self._on(call, uri, sight)
        if isinstance(found, Failure):
            return found
        missing = _no_resource(uri)
        refusals: list[Failure] = []
        for target in found:
            params = asked.params if target.name == uri else asked.params.replace(uri=target.name)
            reply = await self._send(asked, target, params)
            if isinstance(reply, Result):
                return self._outward(call, target.server, reply)
            if reply.code == METHOD_NOT_FOUND and len(found) > 1:
                # This server has no resources at all, so it says nothing about this one.
                continue
            if reply.code not in NOT_FOUND_CODES:
                refusals.append(reply)
            elif sight.whole:
                missing = reply
            # Else all that is not there is told alike, whoever would have said so.
        return refusals[0] if refusals else missing

    async def _kept(self, call: Call, uri: str) -> Reply | None:
        """What is kept here under a URI; None: a server may have it, being such a gateway too."""
        if self.results is None:
            return None
        kept = await self.results.read(call, uri)
        if kept is not None:
            return kept
        templates = await self._catalog.face("resources/templates/list", call)
        return None if any(matches(one, uri) for one in templates.routes) else _no_resource(uri)

    async def _on(self, call: Call, uri: str, sight: Sight) -> Sequence[Target] | Failure:
        """The servers that may have `uri` for this caller; none when it is hidden from them."""
        names = self._visible(sight)
        if len(names) == 1 and sight.whole:
            return [Target(names[0], "resource", uri)]
        listed = await self._catalog.face("resources/list", call)
        templates = await self._catalog.face("resources/templates/list", call)
        found = candidates(uri, listed, templates, names)
        if isinstance(found, Failure) or sight.whole:
            return found
        return [
            one
            for one in found
            if sight.shows(one.server, "resource", one.name)
            and not only_by_hidden(one, listed, templates)
        ]

    async def server_of(self, call: Call, uri: str) -> Target | Failure:
        """The one server to subscribe at for `uri`: where it is listed, or may be."""
        found = await self._on(call, uri, self._sights.of(call))
        if isinstance(found, Failure):
            return found
        return found[0] if found else _no_resource(uri)

    async def _complete(self, call: Call) -> Reply:
        ref = call.params.object("ref")
        kind, name, uri = ref.get("type"), ref.get("name"), ref.get("uri")
        if kind == "ref/prompt" and isinstance(name, str):
            return await self._complete_in("prompts/list", call, ref, "name", name)
        if kind == "ref/resource" and isinstance(uri, str):
            return await self._complete_in("resources/templates/list", call, ref, "uri", uri)
        return invalid("completion/complete needs a `ref` of type ref/prompt or ref/resource.")

    async def _complete_in(
        self, method: str, call: Call, ref: Raw, member: str, name: str
    ) -> Reply:
        sight = self._sights.of(call)
        face = await self._catalog.face(method, call)
        target = face.routes.get(name)
        if target is None and member == "uri" and name not in face.refused:
            found = await self._on(call, name, sight)
            target = None if isinstance(found, Failure) or not found else found[0]
        if target is None:
            unlisted = self._unlisted(call, face, name)
            if isinstance(unlisted, Failure):
                return unlisted
            target = unlisted
        params = call.params
        if target.name != name:
            params = params.replace(ref=ref.replace(**{member: target.name}))
        return await self._send(call, target, params)

    async def _task(self, call: Call) -> Reply:
        task = call.params.get("taskId")
        if not isinstance(task, str):
            return invalid(f"{call.method} needs a string `taskId`.")
        target = self._task_ids.inward(call, task)
        if target is None or target.server not in self._visible(self._sights.of(call)):
            return invalid(f"Unknown task: {task[:128]}")
        params = call.params if target.name == task else call.params.replace(taskId=target.name)
        reply = await self._send(call, target, params)
        return self._task_ids.outward(call, target.server, reply)

    async def _tasks(self, call: Call) -> Reply:
        names = self._visible(self._sights.of(call))
        params = call.params if len(names) == 1 else call.params.without("cursor")
        replies = await asyncio.gather(
            *(
                self._each[name](call.replace(target=Target(name, "task", ""), params=params))
                for name in names
            )
        )
        partition, who = self._sights.partition, call.principal
        listed = {
            name: self._task_ids.listed(call, name, reply, shared=not partition(name, who))
            for name, reply in zip(names, replies, strict=True)
        }
        return listed[names[0]] if len(names) == 1 else self._task_ids.merged(listed)

    async def _everywhere(self, call: Call) -> Reply:
        """Session-wide methods: done when one server takes them; the rest may not know them."""
        names = self._visible(self._sights.of(call))
        replies = await asyncio.gather(*(self._each[name](call) for name in names))
        failures = [reply for reply in replies if isinstance(reply, Failure)]
        if failures and len(failures) == len(replies):
            return failures[0] if len(failures) == 1 else nobody(call.method, failures)
        return DONE

    def _send(self, call: Call, target: Target, params: Raw) -> Awaitable[Reply]:
        return self._servers[target.server].send(call, target, params)


def invalid(message: str) -> Failure:
    """The client's params are wrong."""
    return Failure(
        code=INVALID_PARAMS,
        message=message,
        origin="client",
        reason="invalid-params",
        remedy="See the specification of this method.",
    )


def _no_resource(uri: str) -> Failure:
    return Failure(
        code=INVALID_PARAMS,
        message=f"Resource not found: {uri[:256]}",
        origin="client",
        reason="unknown-resource",
        data={"uri": uri[:2048]},
        remedy="See resources/list and resources/templates/list.",
    )


def nobody(method: str, failures: Sequence[Failure]) -> Failure:
    """No server could answer: one Failure that keeps what each of them said."""
    if len(failures) == 1:
        return failures[0]
    data: dict[str, Any] = {"servers": [f.data for f in failures]}
    waits = [wait for f in failures if (wait := retry_after(f)) is not None]
    if waits:
        data["retry_after"] = min(waits)
    return Failure(
        code=INTERNAL_ERROR,
        message=f"No server could answer {method}: " + " ".join(f.message for f in failures),
        origin="upstream",
        reason=failures[0].reason if len({f.reason for f in failures}) == 1 else "no-server",
        data=data,
        remedy=failures[0].remedy,
    )
