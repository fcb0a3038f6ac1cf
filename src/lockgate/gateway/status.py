"""What people see of a server: one row of the start-up table, of `/ready` and of `lockgate tools`.

Must not know: anything but the words in it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.upstreams.replicas import ReplicaState


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One server as it stands now.

    transport  `stdio`, `http`, `sse` or `websocket`.
    eras       the eras it is known to speak, none before it was reached.
    phase      the supervisor's word: idle, connecting, ready, backoff, stopped.
    seconds    how long it took to become ready; None when it never was.
    retry_in   seconds until the next attempt, in phase backoff.
    breaker    closed, open or half-open; see `lockgate.policies.breaker`.
    tools, prompts, resources  how many it lists; None when not known.
    error, remedy              why it is not ready, in one line each.
    replicas                   how each of its replicas stands, if it has several.
    code                       the stable code of that error (`lockgate.core.codes`).
    """

    name: str
    transport: str
    phase: str
    eras: tuple[str, ...] = ()
    title: str | None = None
    tools: int | None = None
    prompts: int | None = None
    resources: int | None = None
    seconds: float | None = None
    retry_in: float | None = None
    breaker: str = "closed"
    replicas: tuple[ReplicaState, ...] = ()
    code: str | None = None
    error: str | None = None
    remedy: str | None = None


class ReloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the last changed configuration.

    at      when, in seconds since the Unix epoch.
    errors  how many errors it had, if it was refused.
    """

    status: Literal["applied", "refused"]
    at: float
    errors: int = 0
