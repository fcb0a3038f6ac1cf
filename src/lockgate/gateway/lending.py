"""Results within a budget: what is too long for a model is kept here, and lent out in parts.

Must not know: how results are drawn, paged or kept (`lockgate.context`, `lockgate.kit`), fronts.

It stands around everything that stands before a server, and is no policy in that chain:

    client → references resolved → access, approval, flows, inspection, cache, schemas → server
    client ← long results kept   ← what is to be taken out of them is taken out ←──────── server

So what a reference stands for is judged exactly as if the client had sent it, and what is kept is
what the client would have been given. What is kept belongs to one caller at one endpoint. Whoever
may no longer see the tool that gave it, or make that call, reads it no more. Reading it, or passing
it on, counts for flows as calling that tool does: what came from it is known with it, however often
it was passed on (`About.origins`).

Costs: for calls of tools where it is on, one coroutine, a look for `$result` in the arguments and
one at the length of the result. Only what is over two bytes for each token is looked at further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lockgate.context.body import CONTENT, MEDIA, STRUCTURED, Body, body_of, replaced, shown
from lockgate.context.preview import Seen
from lockgate.context.tokens import counter
from lockgate.core.message import Call, Failure, Kind, Reply, Result, Target
from lockgate.core.policy import CallNext, Decision, Observe
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.sight import Sight
from lockgate.core.store import Store, StoreGone
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.references import MARK, Origins, resolved
from lockgate.kit.deposits import About, Deposit, Deposits, Gone, TooLarge
from lockgate.kit.pages import BUDGET, PREVIEW, link, over, room, said
from lockgate.policies.flows import Flows

NAME: Final = "results-budget"
"""What decisions and the log call it."""
SCHEME: Final = "gw-result"
LINKS_SINCE: Final = "2025-06-18"
"""The revision that brought `resource_link`: a client of an older one may refuse the result."""
_HARDLY: Final = 2
_TOOL: Final[Kind] = "tool"
_ARGUMENTS: Final = 4096
"""Bytes of arguments that are kept, to be judged again when what came of them is read."""
_LONG: Final = 256 * 1024
"""Bytes of a result that is looked at beside the event loop."""

Definition = Callable[[str, str, str], Raw | None]
"""The definition of a thing: (server, list method, name in the server's words)."""


class Loan(msgspec.Struct, frozen=True):
    """What holds for the results of one server at one endpoint; see `config.results`."""

    budget: int = BUDGET
    preview: int = PREVIEW
    references: bool = True
    images: bool = True


class Terms(msgspec.Struct, frozen=True):
    """What holds everywhere.

    loans      by endpoint and server; what is not there is passed on as it is.
    endpoints  where any of them is, by endpoint: what holds for what is read there.
    default    the endpoint that is meant where nobody says which.
    minutes    how long results are kept.
    arguments  bytes of the arguments of one call, once references are resolved.
    """

    loans: Mapping[tuple[str, str], Loan]
    endpoints: Mapping[str, Loan]
    default: str
    minutes: float
    arguments: int


class Surroundings(msgspec.Struct, frozen=True):
    """What the engine knows.

    owner       whom a call's results belong to.
    sight       what a call's caller sees.
    definition  see `Definition`.
    tool        what the tool that reads results is called for a call's caller.
    """

    owner: Callable[[Call], str]
    sight: Callable[[Call], Sight]
    definition: Definition
    tool: Callable[[Call], str]


class Lending:
    """Keeps, resolves, and gives back, for one engine."""

    def __init__(
        self,
        terms: Terms,
        deposits: Deposits,
        flows: Sequence[Flows],
        observe: Observe,
        stores: Sequence[Store] = (),
    ) -> None:
        """`deposits` outlive the engine; `flows` are those that stand before every server.

        `stores` are to be swept by the engine.
        """
        self.stores: Final = tuple(stores)
        self.terms: Final = terms
        self._deposits = deposits
        self._flows = tuple(flows)
        self._observe = observe
        self._engine: Surroundings | None = None
        self.spared: Callable[[Call, int], None] = lambda _call, _size: None
        """Hears how many bytes of a result were kept here instead of sent."""

    def look_into(self, engine: Surroundings) -> None:
        """Know what the engine knows, once there is one."""
        self._engine = engine

    @property
    def engine(self) -> Surroundings:
        """What the engine knows."""
        if self._engine is None:
            raise RuntimeError("nobody has said who sees what")
        return self._engine

    def at(self, endpoint: str) -> Loan | None:
        """What holds for reading at an endpoint; None: nothing is lent there."""
        return self.terms.endpoints.get(endpoint or self.terms.default)

    def around(self, server: str) -> Callable[[CallNext], CallNext] | None:
        """What stands around the chain before a server; None: nothing."""
        loans = {where: loan for (where, name), loan in self.terms.loans.items() if name == server}
        if not loans:
            return None
        default = self.terms.default
        # Whoever runs the gateway and asks it directly is no model.
        own, own_older = OWN_CLIENT["modern"], OWN_CLIENT["handshake"]

        def lent(chain: CallNext) -> CallNext:
            def run(call: Call) -> Awaitable[Reply]:
                loan = loans.get(call.facts.get("endpoint", default))
                if loan is None or call.client is own or call.client is own_older:
                    return chain(call)
                return self._run(call, chain, loan)

            return run

        return lent

    async def _run(self, call: Call, chain: CallNext, loan: Loan) -> Reply:
        arguments = call.params.member("arguments")
        origins: Origins = ()
        if loan.references and arguments is not None and MARK in arguments:
            found = await resolved(arguments, self._loaned(call), self.terms.arguments)
            if isinstance(found, Failure):
                self._observe(call, Decision(NAME, "refused", 0.0, found.reason))
                return found
            if found is not None:
                origins = found.origins
                params = call.params.with_members({"arguments": found.arguments})
                call = call.replace(params=params)
        reply = await chain(call)
        if isinstance(reply, Failure) or reply.raw.size <= loan.budget * _HARDLY:
            return reply
        short = await self._shortened(call, reply, loan, origins)
        if short is not reply and isinstance(short, Result):
            self.spared(call, reply.raw.size - short.raw.size)
        return short

    def _loaned(self, call: Call) -> Callable[[str], Awaitable[Deposit | Failure]]:
        async def take(handle: str) -> Deposit | Failure:
            return await self.take(call, handle)

        return take

    async def take(self, call: Call, handle: str) -> Deposit | Failure:
        """What the caller has under a handle, judged as a call of the tools it came from is.

        Raises:
            Gone: nothing, or it may no longer see where that came from.
            StoreGone: the store is away.
        """
        found = await self._deposits.take(self.engine.owner(call), handle)
        asked = [_origin(call, *one) for one in found.about.origins]
        for one in asked:
            refused = self._refused(one)
            if refused is not None:
                return refused
        # Whoever reads it has been answered by all that it came from, now.
        for one in asked:
            for flows in self._flows:
                flows.left(one, None, Result(EMPTY))
        return found

    def _refused(self, origin: Call) -> Failure | None:
        """Why the caller could not make this call now; that a person said yes to it, is known."""
        sight, target = self.engine.sight(origin), origin.target
        if target is None or not sight.shows(target.server, _TOOL, target.name):
            raise Gone
        if origin.params is not EMPTY:
            refused = sight.judge(origin)
            if refused is not None and refused.reason != "approval-required":
                return refused
        for flows in self._flows:
            entered = flows.enter(origin)
            if isinstance(entered, Failure):
                return entered
        return None

    async def _shortened(self, call: Call, reply: Result, loan: Loan, origins: Origins) -> Reply:
        """The result with a preview in place of what is too long; as it is where nothing is."""
        target = call.target
        if target is None or reply.kind != "complete":
            return reply
        try:
            if reply.raw.get("isError") is True:
                return reply
            promised = self._promised(target)
            if reply.raw.size <= _LONG:
                looked = _looked_at(reply.raw, loan, promised=promised)
            else:
                looked = await asyncio.to_thread(_looked_at, reply.raw, loan, promised=promised)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return reply
        if looked is None:
            return reply
        own = (target.server, target.name, _short(call.params.member("arguments") or b"{}"))
        media = _media(reply.raw) if loan.images else ()
        try:
            shorter = await self._lent(call, looked, (own, *origins))
        except (StoreGone, TooLarge) as why:
            # Nothing is lost to save tokens.
            cause = type(why).__name__
            self._observe(call, Decision(NAME, "flagged", 0.0, "result-unkept", cause))
            return reply
        raw = replaced(reply.raw, *shorter, promised=promised, media=media)
        if raw.size >= reply.raw.size:
            return reply
        self._observe(call, Decision(NAME, "changed", 0.0))
        return Result(raw)

    def _promised(self, target: Target) -> bool:
        """Whether the tool may promise structured content, so that it has to stay whole."""
        known = self.engine.definition(target.server, "tools/list", target.name)
        # What a tool promises that is on no list, nobody here knows.
        return known is None or "outputSchema" in known

    async def _lent(
        self, call: Call, looked: tuple[Body, Seen], origins: Origins
    ) -> tuple[str, dict[str, Any] | None, dict[str, Any]]:
        """Keep a body; what models, hosts and programs are told of it."""
        body, seen = looked
        name = origins[0][1][:200]
        about = About(body.mime, name, body.json, origins=tuple(dict.fromkeys(origins)))
        data = body.text.encode(errors="surrogatepass")
        handle = await self._deposits.keep(self.engine.owner(call), data, about)
        uri = f"{SCHEME}://{handle}"
        tool = self.engine.tool(call)
        text = said(seen, handle, self.terms.minutes, tool, paths=body.json)
        note = {"id": handle, "uri": uri, "bytes": len(data)}
        if call.client.protocol_version < LINKS_SINCE:
            return text, None, note
        return text, link(uri, about, len(data)), note


def _origin(call: Call, server: str, name: str, arguments: str) -> Call:
    """The call that something came from, as this caller would make it now."""
    params = EMPTY
    if arguments:
        told = {"name": msgspec.json.encode(name), "arguments": arguments.encode()}
        params = EMPTY.with_members(told)
    return call.replace(method="tools/call", target=Target(server, _TOOL, name), params=params)


def _short(arguments: bytes) -> str:
    """Arguments as they are kept with what came of them; those that are long are not."""
    return arguments.decode("utf-8", "replace") if len(arguments) <= _ARGUMENTS else ""


def _looked_at(raw: Raw, loan: Loan, *, promised: bool) -> tuple[Body, Seen] | None:
    """The body of a result that is over the budget, and what is shown of it; None: it is not."""
    body = _weighed(raw, loan, promised=promised)
    if body is None:
        return None
    return body, shown(body, room(loan.preview, loan.budget), counter())


def _weighed(raw: Raw, loan: Loan, *, promised: bool) -> Body | None:
    """The body of a result that is over the budget; None: it is not."""
    size = raw.length(CONTENT) + (0 if promised else raw.length(STRUCTURED))
    if size <= loan.budget * _HARDLY:
        return None
    body = body_of(raw)
    text = body.text
    if body.parts:
        # What a model looks at or listens to is no text that it reads.
        read = [one for one in body.parts if not (loan.images and one.get("type") in MEDIA)]
        weighed = [one.encode() for one in read]
        weighed += [] if promised else [raw.member(STRUCTURED) or b""]
        text = b"\n".join(weighed).decode("utf-8", "replace")
    count = counter()
    return body if over(len(text), loan.budget, lambda: count(text)) else None


def _media(raw: Raw) -> Sequence[Raw]:
    blocks = msgspec.json.decode(raw.member(CONTENT) or b"[]", type=list[msgspec.Raw])
    every = [Raw(bytes(one)) for one in blocks]
    return [one for one in every if one.get("type") in MEDIA]
