"""Results within a budget: what is too long for a model is kept here, and lent out in parts.

Must not know: how results are drawn, paged or kept (`lockgate.context`, `lockgate.kit`), fronts.

It stands around everything that stands before a server, and is no policy in that chain:

    client → references resolved → access, approval, flows, inspection, cache, schemas → server
    client ← long results kept   ← what is to be taken out of them is taken out ←──────── server

So what a reference stands for is judged exactly as if the client had sent it, and what is kept is
what the client would have been given. What is kept belongs to one caller at one endpoint. Whoever
may no longer see what gave it, or make that call, reads it no more. Reading it, or passing it on,
counts for flows as that call does: what came from it is known with it, however often it was passed
on (`About.origins`).

What comes of tasks is lent by `lent_tasks`, what resources and prompts hold by `lent_contents`;
what a conversation was given before is told by what changed (`changing_results`).

Costs: for calls of tools where it is on, one coroutine, a look for `$result` in the arguments and
one at the length of the result. Only what is over two bytes for each token is looked at further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from lockgate.context.body import replaced
from lockgate.core.message import Call, Failure, Reply, Result, Target
from lockgate.core.policy import CallNext, Decision, Observe
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.store import Store, StoreGone
from lockgate.gateway.changing_results import ChangingResults
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.lent_contents import Contents
from lockgate.gateway.lent_tasks import TaskResults
from lockgate.gateway.loans import Lent, Loan, Looked, Surroundings, Terms
from lockgate.gateway.recalling import line, told, whose
from lockgate.gateway.references import MARK, Origins, resolved
from lockgate.gateway.source import Source
from lockgate.gateway.weighing import looked_at, media
from lockgate.identity.refusals import NO_RULE
from lockgate.kit.deposits import About, Deposit, Deposits, Gone, TooLarge
from lockgate.kit.inventory import Inventory
from lockgate.kit.pages import link, said
from lockgate.policies.flows import Flows

__all__ = ["NAME", "SCHEME", "Lending", "Lent", "Loan", "Surroundings", "Terms"]

NAME: Final = "results-budget"
"""What decisions and the log call it."""
SCHEME: Final = "gw-result"
LINKS_SINCE: Final = "2025-06-18"
"""The revision that brought `resource_link`: a client of an older one may refuse the result."""
LOOKED: Final = 100
"""Results that are looked up for one list, as many as may be gone."""
_LONG: Final = 256 * 1024
"""Bytes of a result that is looked at beside the event loop."""


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
        self._inventory = Inventory(deposits.sealed)
        self._flows = tuple(flows)
        self._observe = observe
        self._engine: Surroundings | None = None
        self._tasks = TaskResults(self, deposits.sealed)
        self._contents = Contents(self)
        self._changing = ChangingResults(self, deposits.sealed.clock.monotonic)
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

    def owner(self, call: Call) -> str:
        """Whom a call's results belong to."""
        return self.engine.owner(call)

    def at(self, endpoint: str) -> Loan | None:
        """What holds for reading at an endpoint; None: nothing is lent there."""
        return self.terms.endpoints.get(endpoint or self.terms.default)

    def around(self, server: str) -> Mapping[str, Callable[[CallNext], CallNext]]:
        """What stands around the chains before a server, by method."""
        loans = {where: loan for (where, name), loan in self.terms.loans.items() if name == server}
        if not loans:
            return {}
        tasks = {where: loan for where, loan in loans.items() if loan.tasks}
        resources = {where: loan for where, loan in loans.items() if loan.resources}
        prompts = {where: loan for where, loan in loans.items() if loan.prompts}
        ways: dict[str, tuple[Mapping[str, Loan], _Run]] = {
            "tools/call": (loans, self._run),
            "tasks/get": (tasks, self._tasks.run),
            "tasks/result": (tasks, self._tasks.run),
            "resources/read": (resources, self._contents.run),
            "prompts/get": (prompts, self._contents.run),
        }
        return {
            method: self._lent(concerned, run)
            for method, (concerned, run) in ways.items()
            if concerned
        }

    def _lent(self, loans: Mapping[str, Loan], way: _Run) -> Callable[[CallNext], CallNext]:
        default = self.terms.default
        # Whoever runs the gateway and asks it directly is no model.
        own, own_older = OWN_CLIENT["modern"], OWN_CLIENT["handshake"]

        def lent(chain: CallNext) -> CallNext:
            def run(call: Call) -> Awaitable[Reply]:
                loan = loans.get(call.facts.get("endpoint", default))
                if loan is None or call.client is own or call.client is own_older:
                    return chain(call)
                return way(call, chain, loan)

            return run

        return lent

    async def _run(self, call: Call, chain: CallNext, loan: Loan) -> Reply:
        arguments = asked = call.params.member("arguments")
        origins: Origins = ()
        if loan.references and arguments is not None and MARK in arguments:
            found = await resolved(arguments, self._loaned(call), self.terms.arguments)
            if isinstance(found, Failure):
                self._observe(call, Decision(NAME, "refused", 0.0, found.reason))
                return found
            if found is not None:
                arguments, origins = found.arguments, found.origins
                params = call.params.with_members({"arguments": arguments})
                call = call.replace(params=params)
        reply = await chain(call)
        if isinstance(reply, Failure):
            return reply
        if reply.raw.size <= loan.least:
            if loan.tasks and (reply.kind == "task" or "task" in call.params):
                await self._tasks.begun(call, reply.raw, asked, origins)
            return reply
        if call.target is None or reply.kind != "complete":
            return reply
        source = Source(call.target, arguments or b"{}", asked or b"{}", origins)
        given = await self._changing.given(call, reply.raw, loan, source) if loan.changes else None
        if given is not None and given.raw is not None:
            return Result(given.raw)
        lent = None if given is None else given.lent
        raw = await self.shortened(call, reply.raw, loan, source, lent)
        return reply if raw is None else Result(raw)

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
        asked = [Source.call(call, one) for one in found.about.origins]
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
        if target is None or not sight.shows(target.server, target.kind, target.name):
            raise Gone
        refused = sight.judge(origin)
        # Where arguments are not known any more, only a rule that needs none can refuse it.
        if refused is not None and not Source.known(origin) and refused.rule == NO_RULE:
            refused = None
        if refused is not None and refused.reason != "approval-required":
            return refused
        for flows in self._flows:
            entered = flows.enter(origin)
            if isinstance(entered, Failure):
                return entered
        return None

    def seen(self, call: Call, about: About) -> bool:
        """Whether the caller could read this now."""
        try:
            refused = (self._refused(Source.call(call, one)) for one in about.origins)
            return all(one is None for one in refused)
        except Gone:
            return False

    async def listed(
        self, call: Call, offset: int, most: int
    ) -> tuple[list[str], int, int | None] | None:
        """What is kept for a caller, the newest first; None: callers are not told apart.

        Returns the lines of at most `most` results from `offset` on, how many there are at most,
        and the offset of the next ones, if there are any.

        Raises:
            StoreGone: the store is away.
        """
        owner = self.engine.owner(call)
        mine = whose(call, owner)
        if mine is None:
            return None
        handles = await self._inventory.handles(mine)
        names, now = self.engine.names(call), self._deposits.sealed.clock.wall()
        lines: list[str] = []
        at, end = offset, min(len(handles), offset + LOOKED)
        while at < end and len(lines) < most:
            handle, at = handles[at], at + 1
            try:
                about = await self._deposits.about(owner, handle)
            except Gone:
                continue
            if self.seen(call, about):
                # Another session's arguments may hold what this one must not have read.
                lines.append(line(handle, about, names, now, arguments=not self._flows))
        return lines, len(handles), at if at < len(handles) else None

    async def shortened(
        self, call: Call, raw: Raw, loan: Loan, source: Source, lent: Lent | None = None
    ) -> Raw | None:
        """A tool's result with a preview in place of what is too long; None: it stays as it is.

        `lent`: it is kept already.
        """
        try:
            if raw.get("isError") is True:
                return None
            promised = self._promised(source.target)
            if raw.size <= _LONG:
                looked = looked_at(raw, loan, promised=promised)
            else:
                looked = await asyncio.to_thread(looked_at, raw, loan, promised=promised)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if looked is None:
            return None
        pictures = media(raw) if loan.images else ()
        lent = lent or await self.keep(call, looked, source)
        if lent is None:
            return None
        text = self.shown(call, looked, lent)
        linked = None
        if call.client.protocol_version >= LINKS_SINCE:
            linked = link(lent.uri, lent.about, lent.about.size)
        short = replaced(raw, text, linked, lent.note, promised=promised, media=pictures)
        return short if self.spares(call, raw, short) else None

    def _promised(self, target: Target) -> bool:
        """Whether the tool may promise structured content, so that it has to stay whole."""
        known = self.engine.definition(target.server, "tools/list", target.name)
        # What a tool promises that is on no list, nobody here knows.
        return known is None or "outputSchema" in known

    def shown(self, call: Call, looked: Looked, lent: Lent) -> str:
        """What a model is told in place of something that is kept."""
        tool, paths = self.reader(call), looked.body.json
        return said(looked.seen, lent.handle, self.terms.minutes, tool, paths=paths)

    def reader(self, call: Call) -> str:
        """What the tool that reads results is called for a call's caller."""
        return self.engine.tool(call)

    def reads_only(self, source: Source) -> bool:
        """Whether a tool changes nothing, by its annotations."""
        known = self.engine.definition(source.target.server, "tools/list", source.target.name)
        return known is not None and known.object("annotations").get("readOnlyHint") is True

    async def kept(self, call: Call, handle: str) -> Deposit:
        """What a caller was given before, for whoever knows that it was.

        Raises: as `Deposits.take`.
        """
        return await self._deposits.take(self.owner(call), handle)

    def spares(self, call: Call, before: Raw, after: Raw) -> bool:
        """Whether what was made of a result is shorter; that is noted."""
        if after.size >= before.size:
            return False
        self._observe(call, Decision(NAME, "changed", 0.0))
        self.spared(call, before.size - after.size)
        return True

    async def keep(
        self, call: Call, looked: Looked, source: Source, data: bytes | None = None
    ) -> Lent | None:
        """Keep a body, or what it stands for (`data`); None: it cannot be, so it is sent whole."""
        engine, body = self.engine, looked.body
        owner, name = engine.owner(call), source.target.name[:200]
        asked = source.shown(engine.hidden(call, source.target))
        about = About(
            body.mime,
            name,
            body.json,
            binary=data is not None,
            origins=source.all_origins,
            told=told(asked, looked.seen.kind, looked.tokens, engine.masked),
        )
        data = body.text.encode(errors="surrogatepass") if data is None else data
        try:
            handle = await self._deposits.keep(owner, data, about)
        except (StoreGone, TooLarge) as why:
            # Nothing is lost to save tokens.
            cause = type(why).__name__
            self._observe(call, Decision(NAME, "flagged", 0.0, "result-unkept", cause))
            return None
        mine = whose(call, owner)
        if mine is not None:
            # What cannot be noted now is read by its id all the same.
            with suppress(StoreGone):
                await self._inventory.note(mine, handle)
        kept = msgspec.structs.replace(about, size=len(data))
        return Lent(handle, f"{SCHEME}://{handle}", kept)


_Run = Callable[[Call, CallNext, Loan], Awaitable[Reply]]
