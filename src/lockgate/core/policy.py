"""The one unit of decision: a policy, and the stages that order policies.

Must not know: any particular policy, or how a chain is run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from lockgate.core.message import Call, Emit, Failure, Reply, Target
from lockgate.core.turn import Wait

__all__ = [
    "AnyPolicy",
    "CallNext",
    "Check",
    "Decision",
    "Ear",
    "Gate",
    "Lens",
    "Look",
    "Observe",
    "Policy",
    "Recovery",
    "Stage",
    "Valve",
    "Wait",
]

CallNext = Callable[[Call], Awaitable[Reply]]


class Stage(IntEnum):
    """Where in the onion a policy belongs, outermost first. Users say what, stages say when."""

    ADMIT = 10
    IDENTIFY = 20
    LIMIT = 30
    AUTHORIZE = 40
    PRESENT = 45
    INSPECT = 50
    SHAPE = 60
    CACHE = 70
    VERIFY = 80
    RESIST = 90

    @property
    def edge(self) -> bool:
        """True for stages that run before the router knows which server is meant."""
        return self <= Stage.AUTHORIZE


@runtime_checkable
class Policy(Protocol):
    """`async (call, call_next) -> Reply`. Request and response side of one concern, one file.

    name   what decisions, logs and config call it.
    stage  its place in the onion; a class attribute, so no config can move it.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """Answer the call, or pass it on (perhaps changed) and judge the reply."""
        ...

    def concerns(self, method: str) -> bool:
        """Whether calls of this method need this policy; asked once, when chains are compiled."""
        ...


@runtime_checkable
class Gate(Protocol):
    """A policy that lets calls in or refuses them, and touches neither them nor their replies.

    It never waits, so that however many gates stand side by side cost one step of the chain.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def enter(self, call: Call, /) -> Failure | None:
        """None lets the call in; a Failure is why not."""
        ...

    def leave(self, call: Call, /) -> None:
        """A call that was let in is over, in whatever way."""
        ...

    def concerns(self, method: str) -> bool:
        """As `Policy.concerns`."""
        ...


Look = Callable[[Call, Reply], Reply]
"""Judges what became of a call: gives the reply back, or another in its place. Never waits."""


@runtime_checkable
class Check(Protocol):
    """A policy that judges a call by what it says, and perhaps the reply to it; it never waits.

    A call whose reply nobody wants to see costs no step of the chain: checks are asked in a plain
    function, and what is inside them is awaited by whoever awaits the chain.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def check(self, call: Call, /) -> Failure | Look | None:
        """None lets the call in; a Failure is why not; a `Look` lets it in and sees the reply."""
        ...

    def concerns(self, method: str) -> bool:
        """As `Policy.concerns`."""
        ...


@runtime_checkable
class Valve(Protocol):
    """A gate that may make a call wait for its turn, and sees what became of it.

    Like gates, valves side by side are one step of the chain: a call that neither waits nor is
    refused costs two plain function calls.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def enter(self, call: Call, /) -> object:
        """A Failure is why not; a `Wait` is not yet; anything else is the ticket of a call let in.

        Whoever gave a ticket away while the caller was already gone takes it back by itself.
        """
        ...

    def left(self, call: Call, ticket: Any, reply: Reply | None, /) -> None:
        """A call that was let in is over; None: it was cancelled, or refused further inside."""
        ...

    def concerns(self, method: str) -> bool:
        """As `Policy.concerns`."""
        ...


@runtime_checkable
class Recovery(Protocol):
    """A policy that acts only when what is inside it has failed, and costs nothing until then."""

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def begin(self, call: Call, /) -> None:
        """A call is on its way in."""
        ...

    async def recover(self, call: Call, failure: Failure, again: CallNext, /) -> Reply:
        """What the caller gets instead of `failure`, or that; `again` asks what is inside again."""
        ...

    def concerns(self, method: str) -> bool:
        """As `Policy.concerns`."""
        ...


@runtime_checkable
class Lens(Protocol):
    """A policy that sees calls on their way in and replies on their way out, and never waits.

    It may change either, or refuse. Costs one coroutine, where a `Policy` costs three.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def inward(self, call: Call, /) -> Call | Failure:
        """The call to pass on, the very same if nothing is changed; a Failure is why not."""
        ...

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """The reply to pass on to whoever made this call; the very same if nothing is changed."""
        ...

    def concerns(self, method: str) -> bool:
        """As `Policy.concerns`."""
        ...


@runtime_checkable
class Ear(Protocol):
    """A policy of an upstream chain that also hears what servers say while they answer.

    Asked where a client's call becomes one to a server (`lockgate.gateway.chains`), because a copy
    of the call is made there anyway.
    """

    def hearing(self, call: Call, target: Target | None, /) -> Emit:
        """What takes the place of `call.emit`, the very same if nothing is listened to."""
        ...


AnyPolicy = Policy | Gate | Check | Valve | Recovery | Lens
"""Whatever can stand in a chain."""


class Decision(msgspec.Struct, frozen=True):
    """What one policy did to one call. Passing a call on unchanged is no decision.

    But for rules of access: which of them let a call through is worth knowing (`allowed`), and for
    what was found in content and let pass (`flagged`).

    cause  what a policy that crashed raised; for the log alone.
    rule   which rule of the policy decided, by its name in the configuration.
    """

    policy: str
    verdict: Literal["refused", "changed", "answered", "crashed", "allowed", "flagged"]
    milliseconds: float
    reason: str | None = None
    cause: str | None = None
    rule: str | None = None


Observe = Callable[[Call, Decision], None]
