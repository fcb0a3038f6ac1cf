"""Answers of a function, kept in memory, in what replicas share, on disk; the nearest first.

Must not know: what is kept. The tiers are `stores.tiered`, and what is kept, for whom, for how
long, and who asks when many want the same, is the gateway's cache (`policies.cache`), with a
function where there is a server.

    | what                           | how                                                         |
    |--------------------------------|-------------------------------------------------------------|
    | many want the same at once     | one asks, the others wait for that                          |
    | the function cannot answer now | what it said before, for `stale` seconds longer: after      |
    |                                | `Unavailable`, `TimedOut`, `RateLimited`, OSError           |
    | it raises anything else        | that is raised, and not kept                                |
    | two callers                    | two entries, unless `per="everyone"`                        |
    | a tier is away or damaged      | passed over, never an error                                 |

What is kept is JSON: whoever gets it gets a copy. `returns` turns it into a type again.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar, cast

import msgspec

from lockgate.core.cached import ToolRule, group
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.core.store import Blobs, Store
from lockgate.kit import request
from lockgate.kit.errors import RateLimited, TimedOut, Unavailable
from lockgate.kit.wrapping import name_of, require_async
from lockgate.policies.cache import Cache as Policy
from lockgate.stores.memory import MemoryStore
from lockgate.stores.tiered import Tiered

P = ParamSpec("P")
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
Per = Literal["caller", "everyone"]

CANNOT: Final = (Unavailable, TimedOut, RateLimited, OSError)
_CALL: Final = "tools/call"
_CLIENT: Final = ClientFacts(era="modern", protocol_version="")


def open_store(url: str) -> Store:
    """The store a URL names: `redis://HOST` and its relatives, `sqlite:PATH`, `memory:`.

    Nothing is connected or opened yet.

    Raises:
        StoreMisnamed: it names none, or needs an extra that is not installed (`lockgate[redis]`).
    """
    from lockgate.stores.opening import open_store as opened  # noqa: PLC0415 - knows every kind

    return opened(url)


class Cached(Protocol[P, T_co]):
    """A function whose answers are kept."""

    def __call__(self, *args: P.args, **named: P.kwargs) -> Coroutine[Any, Any, T_co]:
        """What it gives, or gave."""
        ...

    async def forget(self) -> None:
        """Forget every answer, in every tier."""
        ...


class Cache:
    """Tiers for any number of functions: `cache = Cache(redis="redis://…")`, `@cache.keep(60)`."""

    def __init__(
        self,
        *,
        name: str = "",
        memory_bytes: int = 64 * 1024 * 1024,
        redis: str | None = None,
        sqlite: str | Path | None = None,
        stores: Sequence[tuple[str, Blobs]] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is kept, opened or connected yet.

        Args:
            name: of the server, where several share a store.
            memory_bytes: in this process; what was used longest ago goes first.
            redis: where replicas share: `redis://HOST`, `valkey://HOST`.
            sqlite: a file; its folder must exist.
            stores: tiers of one's own, farther out than all of these.
            clock: what ages are measured by.

        Raises:
            StoreMisnamed: `redis` is no URL of one, or `lockgate[redis]` is not installed.
        """
        self._name = name
        self._clock = clock
        self._opened: list[tuple[str, Store]] = []
        if redis is not None:
            self._opened.append(("redis", open_store(redis)))
        if sqlite is not None:
            self._opened.append(("sqlite", open_store(f"sqlite:{sqlite}")))
        near = MemoryStore(clock, max_bytes=memory_bytes)
        self._blobs = Tiered(near, (*self._opened, *stores), clock)
        self._policies: dict[str, Policy] = {}

    def keep(
        self,
        ttl: float,
        *,
        stale: float = 60.0,
        per: Per = "caller",
        version: str = "",
        returns: Any = Any,
    ) -> Callable[[Callable[P, Awaitable[T]]], Cached[P, T]]:
        """A decorator for functions that give the same for the same arguments.

        Args:
            ttl: seconds for which an answer is given again.
            stale: seconds longer for which it is given while the function cannot answer.
            per: each caller has its own answers; `everyone`: whoever asks gets the same, so only
                for what everyone may see.
            version: change it with what the function means; answers of another are not given.
            returns: the type of the answer, where JSON's own types are not it: a dataclass, a
                TypedDict, a msgspec Struct, `list[int]`.

        Raises:
            TypeError: the function is not async, or there is one of its name already.
        """
        rule = ToolRule(ttl, "public" if per == "everyone" else "private")

        def decorate(function: Callable[P, Awaitable[T]]) -> Cached[P, T]:
            require_async(function, "a cache")
            name = name_of(function)
            if name in self._policies:
                raise TypeError(f"{name} is kept already; two functions may not share a name")
            server = f"{self._name}\0{name}"
            policy = self._policies[name] = Policy(
                server,
                self._blobs,
                self._clock,
                told=version,
                tool=lambda _: rule,
                longest=ttl,
                stale=stale,
            )
            return _kept(function, policy, server, self._blobs, returns)

        return decorate

    @property
    def counts(self) -> dict[str, int]:
        """Over all functions: `hits`, `misses`, `joined`, `stale`, `kept`, `dropped`."""
        total: dict[str, int] = {}
        for policy in self._policies.values():
            for name, count in msgspec.structs.asdict(policy.counts).items():
                total[name] = total.get(name, 0) + count
        return total

    async def close(self) -> None:
        """Write out what waits for a moment, and close what was opened."""
        await self._blobs.close()
        for _, store in self._opened:
            await store.close()


class _Answer(msgspec.Struct):
    v: Any


def _kept(
    function: Callable[P, Awaitable[T]], policy: Policy, server: str, blobs: Blobs, returns: Any
) -> Cached[P, T]:
    typed = msgspec.defstruct("Answer", [("v", returns)])
    decode = msgspec.json.Decoder(typed).decode
    signature = inspect.signature(function)
    target = Target(server, "tool", "function")

    @wraps(function)
    async def kept(*args: P.args, **named: P.kwargs) -> T:
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        call = Call(
            method=_CALL,
            client=_CLIENT,
            params=_told(bound.arguments),
            target=target,
            principal=Principal(id=request.caller()),
        )
        raised: list[Exception] = []

        async def ask(_: Call) -> Reply:
            try:
                answer = await function(*args, **named)
            except Exception as error:
                raised.append(error)
                reason = "upstream-lost" if isinstance(error, CANNOT) else "upstream-error"
                return Failure(0, "", origin="upstream", reason=reason)
            return Result(Raw(msgspec.json.encode(_Answer(answer))))

        reply = await policy(call, ask)
        if not isinstance(reply, Result):
            raise raised[-1]
        try:
            return cast("Any", decode(reply.raw.encode())).v
        except msgspec.ValidationError:
            # Kept by another version of the program, which gave something else.
            await forget()
            return await function(*args, **named)

    async def forget() -> None:
        await blobs.drop(group(server, _CALL))

    cast("Any", kept).forget = forget
    return cast("Cached[P, T]", kept)


def _told(arguments: dict[str, Any]) -> Raw:
    """The arguments as the params of a call; what an SDK puts among them is none of them."""
    said = {name: value for name, value in arguments.items() if not _is_context(value)}
    try:
        return Raw(msgspec.json.encode({"arguments": said}))
    except (TypeError, ValueError) as error:
        raise TypeError(f"arguments that are to be kept by have to be JSON: {error}") from None


def _is_context(value: object) -> bool:
    """Whether it is an SDK's `Context`, that is another one in each call."""
    kind = type(value)
    return kind.__name__ == "Context" and kind.__module__.partition(".")[0] in ("mcp", "fastmcp")
