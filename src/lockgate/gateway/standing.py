"""How one server stands: what its supervisor, the catalog and what protects it say, put together.

Must not know: who asks, how any of them comes to it.
"""

from __future__ import annotations

from typing import Protocol

from lockgate.core.codes import CODES
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.resistance import Resistance
from lockgate.gateway.status import ServerStatus
from lockgate.upstreams.replicas import Replicas
from lockgate.upstreams.supervisor import UpstreamState


class Standing(Protocol):
    """What is needed of a server."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see Upstream
    @property
    def state(self) -> UpstreamState: ...  # noqa: D102 - see Upstream


def standing(
    server: Standing,
    transport: str,
    catalog: Catalog,
    resistance: Resistance | None,
    seconds: float | None,
    now: float,
) -> ServerStatus:
    """How a server stands now; `seconds`: how long it took to become ready, if it did."""
    name, state = server.name, server.state
    due = state.next_attempt
    return ServerStatus(
        name=name,
        transport=transport,
        phase=state.phase,
        eras=tuple(sorted(state.eras)),
        title=" ".join(word for word in (state.name, state.version) if word) or None,
        tools=catalog.count(name, "tools/list"),
        prompts=catalog.count(name, "prompts/list"),
        resources=catalog.count(name, "resources/list"),
        lists=catalog.troubles(name),
        seconds=seconds,
        retry_in=None if due is None else max(0.0, round(due - now, 1)),
        breaker="closed" if resistance is None else resistance.phase,
        code=CODES.get(state.reason or "") if state.phase != "ready" else None,
        error=None if state.phase == "ready" else state.last_error,
        remedy=None if state.phase == "ready" else state.remedy,
        replicas=server.states() if isinstance(server, Replicas) else (),
    )
