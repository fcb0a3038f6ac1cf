"""The upstream chains: what stands before each server, compiled for each method.

Must not know: what any policy does, or how servers are reached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from lockgate.core.chain import compose
from lockgate.core.message import LISTEN, Call, Emit, Reply, Target
from lockgate.core.policy import AnyPolicy, CallNext, Ear, Observe
from lockgate.core.raw import Raw
from lockgate.policies.methods import REQUESTS

NOTHING: Final[Mapping[str, Callable[[CallNext], CallNext]]] = MappingProxyType({})
OTHER: Final = "notifications/*"
"""What is no request. Other methods go the same way and are refused at its beginning."""


class Edge:
    """The chains that calls of clients go through first, by method."""

    __slots__ = ("_chains", "_other")

    def __init__(self, chains: dict[str, CallNext]) -> None:
        """`chains` hold one for `OTHER`."""
        self._chains = chains
        self._other = chains[OTHER]

    def handle(self, call: Call) -> Awaitable[Reply]:
        """Answer one call of a client. Awaiting it never raises but for cancellation."""
        return self._chains.get(call.method, self._other)(call)

    @property
    def listen(self) -> CallNext:
        """What serves listen calls."""
        return self._chains[LISTEN]

    def relay_listens(self, relay: CallNext) -> None:
        """Have `relay` serve them."""
        self._chains[LISTEN] = relay


class Way:
    """The way to one server: the policies before it that concern a call's method, and its `send`.

    A call to a server is a copy of the client's, made here once and for all.
    """

    __slots__ = ("_chains", "_due", "_hearing", "_other")

    def __init__(
        self,
        policies: Sequence[AnyPolicy],
        send: CallNext,
        observe: Observe,
        due: Callable[[Call, Target | None], float | None] | None = None,
        around: Mapping[str, Callable[[CallNext], CallNext]] = NOTHING,
    ) -> None:
        """`due` is the time by which a call to a target has to be over.

        `around` makes what stands around whole chains, by method.
        """
        self._due = due or _as_it_is
        self._hearing = _all_of([policy.hearing for policy in policies if isinstance(policy, Ear)])
        self._chains = dict.fromkeys(REQUESTS, send)
        for method in (*REQUESTS, OTHER):
            concerned = [policy for policy in policies if policy.concerns(method)]
            if concerned:
                self._chains[method] = compose(concerned, send, observe)
        self._other = self._chains.pop(OTHER, send)
        for method, wrap in around.items():
            self._chains[method] = wrap(self._chains[method])

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """Send a call that is the server's already."""
        return self.send(call, call.target, call.params)

    def send(self, call: Call, target: Target | None, params: Raw) -> Awaitable[Reply]:
        """Send a client's call as one to this target, with these params."""
        return self._chains.get(call.method, self._other)(
            call.toward(target, params, self._due(call, target), self._hearing(call, target))
        )


Hearing = Callable[[Call, Target | None], Emit]


def _all_of(ears: Sequence[Hearing]) -> Hearing:
    """What is said to a call, heard by all of them; the first is nearest to the client."""
    if not ears:
        return lambda call, _: call.emit
    if len(ears) == 1:
        return ears[0]

    def hearing(call: Call, target: Target | None) -> Emit:
        for ear in ears:
            call = call.replace(emit=ear(call, target))
        return call.emit

    return hearing


def _as_it_is(call: Call, target: Target | None) -> float | None:
    del target
    return call.deadline
