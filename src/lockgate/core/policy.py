"""The one unit of decision: a policy, and the stages that order policies.

Must not know: any particular policy, or how a chain is run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from lockgate.core.message import Call, Failure, Reply

CallNext = Callable[[Call], Awaitable[Reply]]


class Stage(IntEnum):
    """Where in the onion a policy belongs, outermost first. Users say what, stages say when."""

    ADMIT = 10
    IDENTIFY = 20
    LIMIT = 30
    AUTHORIZE = 40
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


class Decision(msgspec.Struct, frozen=True):
    """What one policy did to one call. Passing a call on unchanged is no decision."""

    policy: str
    verdict: Literal["refused", "changed", "answered", "crashed"]
    milliseconds: float
    reason: str | None = None


Observe = Callable[[Call, Decision], None]
