"""Where a configuration may be served: not to the network, if it has no authentication.

Must not know: how the gateway listens.
"""

from __future__ import annotations

import socket
from typing import Final

from lockgate.cli.voices import Voice
from lockgate.config.check import loopback
from lockgate.config.model import Config
from lockgate.errors import LockgateError, UnsafeBind

__all__ = ["UNRESOLVED", "check_bind", "check_open"]

UNRESOLVED: Final = ("the name does not resolve", "Correct the host.")


def check_bind(config: Config, voice: Voice, *, insecure: bool) -> None:
    """Refuse to offer every tool to the network.

    Raises:
        UnsafeBind: the address is not loopback, nobody has to say who they are, and `insecure` is
            not set.
        LockgateError: the host is a name, and nobody knows it.
    """
    host = config.lockgate.host
    if loopback(host) or config.identifies:
        return
    try:
        socket.getaddrinfo(host.strip("[]"), None)
    except (socket.gaierror, UnicodeError) as error:
        # Nobody could reach it: that nothing here checks callers is not what is wrong.
        message = f"Cannot listen on {host}: {UNRESOLVED[0]}."
        raise LockgateError(message, UNRESOLVED[1], reason="cannot-listen") from error
    if not insecure:
        check_open(config, host)
    voice.warn(
        f"listening on {host} without authentication (--insecure-bind). Everyone who can reach "
        "this address can call every tool of every server."
    )


def check_open(config: Config, host: str) -> None:
    """Refuse to serve a configuration at `host`, whatever host it names itself.

    Raises:
        UnsafeBind: the address is not loopback, and there is an endpoint where nobody has to say
            who they are.
    """
    if loopback(host) or config.identifies:
        return
    raise UnsafeBind(
        f"Listening on {host} would let everyone who can reach this machine call every tool: "
        "this configuration has no authentication.",
        "Configure lockgate.auth (`lockgate keys new` makes an API key), or leave the host at "
        "127.0.0.1; or pass --insecure-bind if the network itself keeps strangers out.",
    )
