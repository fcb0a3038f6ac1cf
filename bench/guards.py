"""What standing guard costs a call by default: `python -m bench.guards`.

Must not know: sockets. The same small call goes through a front and an engine with and without what
is on by default, in turn, in one process, to a server that answers at once. Two figures: bytecodes
that are executed (the same in every run), and processor time, since bytecodes do not count what
happens inside of C; of that, the median over rounds of the difference. A whole call costs more than
this: sockets, and the server's side of it. What part of it the guard is, `make bench` shows (the
cell `modern-unguarded`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from bench.bearer import compared
from bench.messages import SCENARIOS
from bench.origin import tools
from bench.targets import UNGUARDED, UNREAD
from lockgate.build import kind
from lockgate.config.model import Config
from lockgate.core.message import Call, Reply, Result
from lockgate.core.once import Once
from lockgate.core.raw import Raw
from lockgate.fronts.exchange import Exchange
from lockgate.fronts.http import HttpRequest
from lockgate.gateway.build import engine_settings
from lockgate.gateway.engine import Engine
from lockgate.gateway.guards import guard_of
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.policies.quarantine import Quarantine
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.upstreams.upstream import Changed
from lockgate.wire.seal import KeyRing

_DONE: Final = Result(Raw(b'{"content":[{"type":"text","text":"hello"}],"resultType":"complete"}'))
_LISTS: Final = {
    "tools/list": Result(Raw.of({"tools": tools()})),
    "prompts/list": Result(Raw.of({"prompts": []})),
    "resources/list": Result(Raw.of({"resources": []})),
    "resources/templates/list": Result(Raw.of({"resourceTemplates": []})),
}


_CASES: Final[dict[str, dict[str, Any]]] = {
    "pins alone": {key: value for key, value in UNGUARDED.items() if key != "pins"},
    "pins and schemas": {"guard": UNREAD},
    "all that is on by default": {},
}


class _Server:
    """Answers at once, as an upstream does."""

    name = "origin"
    state = UpstreamState(phase="ready", eras=frozenset({"modern"}))

    async def send(self, call: Call, /) -> Reply:
        return _LISTS.get(call.method, _DONE)

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        del grace

    async def end_session(self, affinity: str) -> None:
        del affinity

    def watch(self, told: Callable[[Changed], None], /) -> Callable[[], None]:
        del told
        return lambda: None


def request() -> HttpRequest:
    """A small call, as the load generator of this folder sends it."""
    before, after = SCENARIOS[0].body("modern")
    said = {"host": "mcp.example.com"} | SCENARIOS[0].headers("modern", None)
    headers = {name.lower().encode(): value.encode() for name, value in said.items()}
    return HttpRequest(
        method="POST", path="/mcp", query="", headers=headers, body=f"{before}1{after}".encode()
    )


async def gateway(settings: dict[str, Any]) -> tuple[Exchange, Engine]:
    """A front and an engine with these settings, which know what their server lists."""
    servers = {"origin": {"url": "http://127.0.0.1:1/mcp"}}
    config = Config.model_validate({"servers": servers, "lockgate": settings})
    held = Quarantine(KeyRing.generate(), Once())
    guard = guard_of(config, PinKeeper(None), held)
    engine = Engine([_Server()], engine_settings(config), guard=guard)
    guard.look_into(engine.catalog)
    await engine.start()
    await engine.settled(10)
    return Exchange(engine), engine


async def measured(settings: dict[str, Any]) -> tuple[int, int, float, float]:
    """Bytecodes without and with these settings, microseconds without, and the difference."""
    (plain, one), (guarded, other) = await gateway(UNGUARDED), await gateway(settings)
    found = await compared(plain, guarded, request())
    await one.stop(0)
    await other.stop(0)
    return found


def main() -> None:
    """Measure and print."""
    print(f"lockgate    {kind()}")
    for name, settings in _CASES.items():
        few, many, without, more = asyncio.run(measured(settings))
        print(f"{name}: {few} bytecodes without, {many - few} more with")
        print(f"    {without:.2f} us of processor time without, {more:.2f} us more with")


if __name__ == "__main__":
    main()
