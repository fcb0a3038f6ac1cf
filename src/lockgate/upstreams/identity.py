"""Who the gateway is when it asks a server something on its own behalf.

Must not know: transports, or which server is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lockgate import __version__
from lockgate.core.message import Call, ClientFacts, Era, Notification, Principal, drop
from lockgate.core.raw import EMPTY, Raw
from lockgate.wire.revisions import LATEST_HANDSHAKE, LATEST_MODERN

NAME: Final = "lockgate"
GATEWAY: Final = Principal(id="lockgate:gateway")

_INFO: Final = Raw.of({"name": NAME, "version": __version__})
FACTS: Final[Mapping[Era, ClientFacts]] = {
    "modern": ClientFacts(
        era="modern", protocol_version=LATEST_MODERN, name=NAME, info=_INFO, capabilities=EMPTY
    ),
    "handshake": ClientFacts(
        era="handshake",
        protocol_version=LATEST_HANDSHAKE,
        name=NAME,
        info=_INFO,
        capabilities=EMPTY,
    ),
}


def gateway_call(
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    era: Era = "modern",
    emit: Callable[[Notification], None] = drop,
) -> Call:
    """A call the gateway makes for itself."""
    return Call(
        method=method,
        client=FACTS[era],
        params=Raw.of(params) if params else EMPTY,
        principal=GATEWAY,
        emit=emit,
    )
