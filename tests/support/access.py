"""Books of rules from the configuration people write, and callers to ask them about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.config.model import Config
from lockgate.core.message import Call, ClientFacts, Kind, Principal, Target
from lockgate.core.raw import Raw
from lockgate.core.sight import Everything, Sight
from lockgate.gateway.access import book_of
from lockgate.identity.access import Book
from lockgate.identity.rules import Hints, no_hints
from lockgate.identity.sights import AccessSights

SERVERS = ("docs", "github", "files", "bank")
CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
METHODS: Mapping[str, str] = {
    "tool": "tools/call",
    "prompt": "prompts/get",
    "resource": "resources/read",
    "template": "completion/complete",
}


def config(rules: Sequence[object] = (), **access: Any) -> Config:
    """A configuration of four servers with these rules."""
    tools = access.pop("tools", {})
    servers: dict[str, object] = {name: {"command": "true"} for name in SERVERS}
    for name, patterns in tools.items():
        servers[name] = {"command": "true", "tools": patterns}
    return Config.model_validate(
        {"servers": servers, "lockgate": {"access": {"rules": list(rules), **access}}}
    )


def book(rules: Sequence[object] = (), **access: Any) -> Book:
    """The rules of such a configuration; `hints` are the annotations of tools by name."""
    hints: Mapping[str, Hints] | None = access.pop("hints", None)

    def hints_of(server: str, tool: str) -> Sequence[Hints]:
        del server
        return ({},) if hints is None else (hints.get(tool, {}),)

    return book_of(config(rules, **access), no_hints if hints is None else hints_of)


def caller(name: str = "alice", *groups: str, scopes: str = "", **more: Any) -> Principal:
    """Somebody, in these groups, with these scopes."""
    return Principal(id=name, groups=frozenset(groups), scopes=frozenset(scopes.split()), **more)


def sights(rules: Book, path: str = "/mcp") -> AccessSights:
    """Sights over one endpoint that shows everything."""
    everything = Everything(servers=SERVERS, endpoint=path)
    return AccessSights(lambda _: everything, rules)


def call(
    what: str, who: Principal, arguments: object = None, kind: Kind = "tool", **more: Any
) -> Call:
    """A call of `SERVER/NAME`."""
    server, _, name = what.partition("/")
    params = {"name": name} if arguments is None else {"name": name, "arguments": arguments}
    return Call(
        method=METHODS[kind],
        client=CLIENT,
        principal=who,
        target=Target(server, kind, name),
        params=Raw.of(params),
        **more,
    )


def outcome(sight: Sight, one: Call) -> str:
    """What becomes of a call: `allow`, or why not; `hide` if there is no such thing."""
    target = one.target
    assert target is not None
    shown = sight.shows(target.server, target.kind, target.name)
    refused = sight.judge(one)
    if not shown:
        assert refused is not None, "what is hidden is refused"
        assert refused.reason.startswith("unknown-")
        return "hide"
    return "allow" if refused is None else refused.reason
