"""`lockgate access explain`: who may use what, and which rule says so.

Must not know: how rules are applied. The verdict is the one the gateway judges calls by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import click
import msgspec
from msgspec.structs import replace
from rich.text import Text

from lockgate.cli import exits, running, session
from lockgate.cli.options import config_argument, examined
from lockgate.cli.terminal import console, hang, say, visible
from lockgate.config.access_check import PATH as RULES
from lockgate.config.identity import AuthSettings
from lockgate.config.load import Loaded
from lockgate.config.model import Config
from lockgate.core.message import ANONYMOUS, Call, Kind, Principal
from lockgate.core.names import nearest, spell
from lockgate.errors import LockgateError
from lockgate.gateway.access import book_of
from lockgate.gateway.app import Gateway
from lockgate.gateway.endpoint_sights import (
    endpoint_sights,
    endpoints_of,
    naming_of,
    servers_at,
)
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.judging import read
from lockgate.identity.explaining import OTHER_THINGS, Asked, Explanation, Reason, explain
from lockgate.identity.keys import ApiKey, principal_of
from lockgate.identity.principals import including
from lockgate.identity.rules import HINTS

KINDS: Final[Mapping[str, Kind]] = {
    "tool": "tool",
    "prompt": "prompt",
    "resource": "resource",
    "template": "template",
}
_LISTS: Final[Mapping[Kind, tuple[str, str, str]]] = {
    "tool": ("tools/list", "tools", "name"),
    "prompt": ("prompts/list", "prompts", "name"),
    "resource": ("resources/list", "resources", "uri"),
    "template": ("resources/templates/list", "resourceTemplates", "uriTemplate"),
}
_SAID: Final = {
    "allow": ("allowed", "green"),
    "approve": ("needs a person's approval, each time", "yellow"),
    "scopes": ("refused: scopes are missing", "yellow"),
    "deny": ("refused; it is listed all the same", "red"),
    "hide": ("hidden: it is answered as if it did not exist", "red"),
}
_WORDS: Final = """\
\b
TOOL is SERVER/NAME, in the server's own words, or the name clients see.
Without one, everything the caller sees is listed; the servers are started for that.
  key=value       an argument of the call; numbers, true and false are taken as such
  outer.inner=1   a member of an object
  key:=JSON       any JSON value
"""
_MOST_PAGES: Final = 1000


@click.group("access")
def command() -> None:
    """Say who may use what, and which rule says so."""


@command.command("explain", epilog=f"{_WORDS}\n\n{exits.epilog()}")
@config_argument
@click.argument("tool", required=False)
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--as",
    "who",
    metavar="ID",
    help="The caller; left out: one nobody knows. key:NAME has the groups and scopes of its key.",
)
@click.option("--group", "groups", multiple=True, help="A group of the caller; repeatable.")
@click.option("--scope", "scopes", multiple=True, help="A scope it was granted; repeatable.")
@click.option("--client", help="The OAuth client it calls by.")
@click.option("--issuer", default="", help="Who vouches for it.")
@click.option("--claim", "claims", multiple=True, metavar="K=V", help="A claim; repeatable.")
@click.option("--endpoint", metavar="PATH", help="Where it calls; left out: the first one.")
@click.option(
    "--kind", type=click.Choice(list(KINDS)), default="tool", help="What TOOL is the name of."
)
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="HINT=BOOL",
    help="What the server says of the tool, e.g. readOnlyHint=true; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def explain_command(config: Path, tool: str | None, as_json: bool, **given: Any) -> int:
    """Say what becomes of a call of TOOL, which rule decides, and why others do not.

    Exits with 0 when the call goes through, with 5 when it does not as it is.
    """
    loaded, settings = examined(config)
    endpoint = endpoint_of(given["endpoint"], settings)
    auth = auth_at(settings, endpoint)
    implied = {scope: frozenset(others) for scope, others in auth.scopes_implied.items()}
    principal = principal_from(given, implied, key_of(given["who"], auth))
    if tool is None:
        seen = running.run(_everything(settings, principal, endpoint))
        _show_all(seen, principal, as_json)
        return exits.OK
    hints = {key: value == "true" for key, value in map(_pair, given["annotations"])}
    unknown = next((key for key in hints if key not in HINTS), None)
    if unknown is not None:
        raise click.UsageError(f"{unknown!r} is no annotation; there are {', '.join(HINTS)}.")
    book = book_of(settings, lambda _server, _tool: (hints,), places(loaded, settings))
    server, name = located(tool, KINDS[given["kind"]], settings, endpoint)
    found = Asked(
        principal=principal,
        endpoint=endpoint,
        server=server,
        kind=KINDS[given["kind"]],
        name=name,
        arguments=_arguments(given["words"]),
        offered=offered(settings, endpoint, server, KINDS[given["kind"]], name),
    )
    told = explain(book, found)
    if as_json:
        click.echo(json.dumps(_plain(found, told), indent=2, ensure_ascii=False))
    else:
        _show(found, told, bool(book.rules))
    return exits.OK if told.verdict.answer == "allow" else exits.REFUSED


def auth_at(config: Config, endpoint: str) -> AuthSettings:
    """Who may ask where the caller calls."""
    own = config.lockgate.endpoints.get(endpoint)
    return (own.auth if own is not None else None) or config.lockgate.auth


def key_of(who: str | None, auth: AuthSettings) -> ApiKey | None:
    """The key that a caller called `key:NAME` shows; what cannot be found out is said."""
    kind, colon, name = (who or "").partition(":")
    if kind != "key" or not colon or not (auth.keys_file or auth.keys_env):
        return None
    try:
        keys = {one.name: one for one in read(auth)}
    except LockgateError as error:
        say(f"note: {error} Groups and scopes are those of the options alone.")
        return None
    if name not in keys:
        guess = nearest(name, keys)
        hint = f" Did you mean key:{guess}?" if guess else ""
        say(f"note: there is no API key of the name {visible(name)!r}.{hint}")
    return keys.get(name)


def principal_from(
    given: Mapping[str, Any], implied: Mapping[str, frozenset[str]], key: ApiKey | None
) -> Principal:
    """The caller that the options of a command describe."""
    who: str | None = given["who"]
    scopes = frozenset(one for text in given["scopes"] for one in text.split())
    groups = frozenset[str](given["groups"])
    claims = {name: _scalar(value) for name, value in map(_pair, given["claims"])}
    if key is not None:
        known = principal_of(key, implied)
        return replace(
            known,
            scopes=known.scopes | including(scopes, implied),
            groups=known.groups | groups,
            claims={**known.claims, **claims},
        )
    return Principal(
        id=who or ANONYMOUS.id,
        issuer=given["issuer"],
        client=given["client"],
        scopes=including(scopes, implied),
        groups=groups,
        claims=claims,
    )


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise click.UsageError(f"{word!r} is not of the form KEY=VALUE.")
    return key, value


def _scalar(text: str) -> object:
    """A number, true or false where it reads as one; any other text is itself."""
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _arguments(words: Sequence[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for word in words:
        key, text = _pair(word)
        value = _scalar(text)
        if key.endswith(":"):
            key = key[:-1]
            try:
                value = json.loads(text)
            except ValueError as error:
                raise click.UsageError(f"{key}: no JSON: {error}.") from error
        *outer, last = key.split(".")
        inside = arguments
        for step in outer:
            found: object = inside.setdefault(step, {})
            if not isinstance(found, dict):
                raise click.UsageError(f"{key}: {step} has a value already.")
            inside = cast("dict[str, Any]", found)
        inside[last] = value
    return arguments


def endpoint_of(given: str | None, config: Config) -> str:
    """The endpoint that is meant; the first one, if none is given.

    Raises:
        click.UsageError: there is no such endpoint.
    """
    served = endpoints_of(config)
    endpoint = given or next(iter(served), config.lockgate.path)
    if endpoint not in served:
        guess = nearest(endpoint, served)
        hint = f"Did you mean {guess}?" if guess else f"There are: {', '.join(served)}."
        raise click.UsageError(f"There is no endpoint {endpoint}. {hint}")
    return endpoint


def offered(config: Config, endpoint: str, server: str, kind: Kind, name: str) -> bool:
    """Whether the endpoint shows such a thing to anybody."""
    sight_of = endpoint_sights(config)
    if sight_of is None:
        return server in config.enabled
    call = Call(method="", client=OWN_CLIENT["modern"], facts={"endpoint": endpoint})
    return sight_of(call).shows(server, kind, name)


def located(tool: str, kind: Kind, config: Config, endpoint: str) -> tuple[str, str]:
    """The server and its own name of what a person calls TOOL.

    Raises:
        click.UsageError: it cannot be told which server is meant.
    """
    server, slash, name = tool.partition("/")
    if slash and name and server in config.servers:
        return server, name
    there = servers_at(config, endpoint)
    guess = nearest(server, config.servers)
    slip = slash and name and kind in ("tool", "prompt") and guess is not None
    if naming_of(endpoints_of(config)[endpoint], config, there) == "prefix":
        for one in there:
            prefix = spell(one, "", "prefix")
            if tool.startswith(prefix) and tool != prefix:
                return one, tool[len(prefix) :]
    elif len(there) == 1 and not slip:
        return there[0], tool
    first = next(iter(there), "SERVER")
    written = f"Write SERVER/NAME, as {first}/{name or server}."
    hint = f"Did you mean {guess}/{name or 'NAME'}?" if guess else written
    raise click.UsageError(f"No server of the configuration is meant by {tool!r}. {hint}")


def places(loaded: Loaded, config: Config) -> list[str]:
    """Where each rule is written, as `file:line`."""
    tree, file = loaded.tree, loaded.findings.file
    if tree is None:
        return []
    rules = range(len(config.lockgate.access.rules))
    return [f"{file}:{tree.locate((*RULES, number))[0][0]}" for number in rules]


def _plain(asked: Asked, told: Explanation) -> dict[str, Any]:
    rule = told.verdict.rule
    return {
        "verdict": told.verdict.answer,
        "shown": told.shown,
        "rule": None if rule is None else {"name": rule.name, "place": rule.place},
        "scopes": {"needed": sorted(told.verdict.scopes), "missing": list(told.missing)},
        "target": {"server": asked.server, "kind": asked.kind, "name": asked.name},
        "caller": asked.principal.id,
        "endpoint": asked.endpoint,
        "rules": [
            {
                "name": one.rule.name,
                "place": one.rule.place,
                "verb": one.rule.verb,
                "matches": not one.missed,
                "missed": list(one.missed),
            }
            for one in told.reasons
        ],
    }


def _show(asked: Asked, told: Explanation, any_rules: bool) -> None:
    out, (says, style) = console(), _SAID[told.verdict.answer]
    thing = f"{asked.kind} {asked.server}/{asked.name}"
    out.print(Text.assemble((visible(thing), "bold"), ": ", (says, style)))
    facts = [
        ("caller", _described(asked.principal)),
        ("endpoint", asked.endpoint),
        ("because", _why(told, any_rules=any_rules, offered=asked.offered)),
    ]
    if told.verdict.scopes:
        facts.append(("needs", ", ".join(sorted(told.verdict.scopes))))
        facts.append(("missing", ", ".join(told.missing)))
    for label, text in facts:
        hang(out, Text.assemble((f"  {label:<9}", "dim"), visible(text)))
    for one in told.reasons:
        _show_rule(one, decided=one.rule is told.verdict.rule)


def _described(who: Principal) -> str:
    has = (("groups", who.groups), ("scopes", who.scopes))
    said = [f"{word} {', '.join(sorted(found))}" for word, found in has if found]
    return f"{who.id} ({'; '.join(said)})" if said else who.id


def _why(told: Explanation, *, any_rules: bool, offered: bool) -> str:
    rule = told.verdict.rule
    if not offered:
        return "the endpoint does not show it to anybody"
    if not any_rules:
        return "there are no rules"
    if rule is not None:
        return f"{rule.name} ({rule.place})"
    if told.verdict.answer == "deny":
        return "no rule allows it with these arguments"
    return "no rule allows it"


def _show_rule(one: Reason, *, decided: bool) -> None:
    mark, style = ("→", "bold") if decided else ("✓", "green") if not one.missed else ("·", "dim")
    said = "matches" if not one.missed else one.missed[0]
    if one.missed and said != OTHER_THINGS:
        said = "; ".join(one.missed)
    line = f"  {mark} {one.rule.verb:<7} {one.rule.name}: {said}  [{one.rule.place}]"
    hang(console(), Text(visible(line), style))


async def _everything(
    config: Config, principal: Principal, endpoint: str
) -> dict[Kind, list[dict[str, Any]]]:
    """Everything that is listed to the caller."""
    async with session.running(config) as gateway:
        session.require_any(gateway.servers())
        return {kind: await _listed(gateway, kind, principal, endpoint) for kind in _LISTS}


async def _listed(
    gateway: Gateway, kind: Kind, principal: Principal, endpoint: str
) -> list[dict[str, Any]]:
    method, member, _ = _LISTS[kind]
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        params = {"cursor": cursor} if cursor else {}
        page = await gateway.request(method, params, principal=principal, endpoint=endpoint)
        found += page.get(member, [])
        cursor = page.get("nextCursor")
        if not cursor:
            break
    return found


def _show_all(seen: Mapping[Kind, Sequence[dict[str, Any]]], who: Principal, as_json: bool) -> None:
    names: dict[Kind, list[str]] = {
        kind: [str(one.get(_LISTS[kind][2])) for one in found] for kind, found in seen.items()
    }
    if as_json:
        plain = {_LISTS[kind][1]: found for kind, found in names.items()}
        click.echo(json.dumps({"caller": who.id, **plain}, indent=2, ensure_ascii=False))
        return
    out = console()
    if not any(names.values()):
        out.print(Text(f"{visible(who.id)} sees nothing."))
    for kind, found in names.items():
        for name in found:
            out.print(Text.assemble((f"{kind:<9}", "dim"), visible(name)))
