"""Connecting to a host by its name, with lookups that nobody has to wait for.

Must not know: what the connection is for.

The system's lookup takes as long as it likes and cannot be called off. Event loops run it on
threads that a process waits for as it ends, so a name server that does not answer would hold up
Ctrl-C. Here it runs on threads that end with the process; there is never more than one for a name.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)
_Key = tuple[asyncio.AbstractEventLoop, str, int]
_pending: Final[dict[_Key, asyncio.Future[list[str]]]] = {}


class Unreachable(OSError):
    """The only addresses a name has are such that nobody here may connect to."""


async def connect(
    loop: asyncio.AbstractEventLoop,
    factory: Callable[[], Protocol],
    host: str,
    port: int,
    ssl: tls.SSLContext | None,
    reachable: Callable[[str], bool] | None = None,
) -> Protocol:
    """As `create_connection`: try every address of `host` in turn.

    `reachable` judges each address as it is about to be connected to; None: all may be.

    Raises:
        Unreachable: no address of the name may be connected to.
        OSError: the name has no address, or none of its addresses answers; then what the last said.
    """
    refused: OSError | None = None
    for address in [host] if _is_address(host) else await addresses(loop, host, port):
        if reachable is not None and not reachable(address):
            refused = refused or Unreachable()
            continue
        try:
            _, protocol = await loop.create_connection(
                factory, address, port, ssl=ssl, server_hostname=host if ssl is not None else None
            )
        except OSError as error:
            refused = error
        else:
            return protocol
    raise refused or socket.gaierror(socket.EAI_NONAME, "the name has no address")


async def addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[str]:
    """The addresses of a name, in the system's order. Raises `OSError` when it has none."""
    key = (loop, host, port)
    found = _pending.get(key)
    if found is None:
        found = _pending[key] = loop.create_future()
        threading.Thread(target=_ask, args=(key, found), name="lookup", daemon=True).start()
    return await asyncio.shield(found)


def _ask(key: _Key, found: asyncio.Future[list[str]]) -> None:
    loop, host, port = key
    result: list[str] | OSError
    try:
        told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        result = list(dict.fromkeys(str(one[4][0]) for one in told))
    except OSError as error:
        result = error
    except ValueError as error:  # no name a lookup could be made for
        result = socket.gaierror(socket.EAI_NONAME, str(error))
    _pending.pop(key, None)
    # The loop may be closed by now, and then nobody waits.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_tell, found, result)


def _tell(found: asyncio.Future[list[str]], result: list[str] | OSError) -> None:
    if found.done():
        return
    if isinstance(result, OSError):
        found.set_exception(result)
        # Looked at, so that one nobody awaits any more is not reported.
        found.exception()
    else:
        found.set_result(result)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, ValueError):
            socket.inet_pton(family, host.partition("%")[0])
            return True
    return False
