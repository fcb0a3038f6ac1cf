"""The upstream chains: what stands before each server, compiled for each method.

Must not know: what any policy does, or how servers are reached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from lockgate.core.chain import compose
from lockgate.core.message import Call, Reply
from lockgate.core.policy import AnyPolicy, CallNext, Observe
from lockgate.policies.methods import REQUESTS

OTHER: Final = "notifications/*"
"""What is no request. Other methods go the same way and are refused at its beginning."""


def before(
    policies: Sequence[AnyPolicy],
    send: CallNext,
    observe: Observe,
    stamp: Callable[[Call], Call] | None = None,
) -> CallNext:
    """`send` behind those of `policies` that concern a call's method; itself when none ever do.

    `stamp` is what is done to each call first.
    """
    chains: dict[str, Callable[[Call], Awaitable[Reply]]] = {}
    for method in (*REQUESTS, OTHER):
        concerned = [policy for policy in policies if policy.concerns(method)]
        if concerned:
            chains[method] = compose(concerned, send, observe)
    if not chains and stamp is None:
        return send
    other = chains.pop(OTHER, send)
    for method in REQUESTS:
        chains.setdefault(method, send)

    def run(call: Call) -> Awaitable[Reply]:
        return chains.get(call.method, other)(call)

    def run_stamped(call: Call) -> Awaitable[Reply]:
        return chains.get(call.method, other)(stamp(call))  # pyright: ignore[reportOptionalCall] - returned only where it is one

    return run if stamp is None else run_stamped
