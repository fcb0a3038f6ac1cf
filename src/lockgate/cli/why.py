"""`lockgate why`: what becomes of a tool on its way to a caller, policy by policy.

Must not know: how any policy judges. The servers are started and asked, and everything is judged by
what a gateway would judge it by; nothing is called.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import click
from rich.text import Text

from lockgate.cli import exits, running, session
from lockgate.cli.access import (
    KINDS,
    auth_at,
    endpoint_of,
    key_of,
    located,
    offered,
    places,
    principal_from,
)
from lockgate.cli.options import examined, start_log
from lockgate.cli.terminal import console, hang, visible
from lockgate.config.load import Loaded
from lockgate.config.model import Config
from lockgate.core.message import Failure, Kind, Target
from lockgate.core.names import spell
from lockgate.gateway.access import book_of
from lockgate.gateway.app import Gateway
from lockgate.gateway.endpoint_sights import endpoints_of, naming_of, servers_at
from lockgate.gateway.exposing import exposures_of, told
from lockgate.gateway.guard_settings import settings_of
from lockgate.gateway.presenting import presentations_of
from lockgate.gateway.presenting import told as presented
from lockgate.gateway.status import ServerStatus
from lockgate.gateway.withheld import Held
from lockgate.guard.pins.book import FIRST_USE, Entry, Subject, Thing
from lockgate.identity.explaining import Asked, explain

State = Literal["ok", "stop", "ask", "note"]
_STYLES: Final[dict[State, str]] = {"ok": "green", "stop": "red", "ask": "yellow", "note": "dim"}
_MARKS: Final[dict[State, str]] = {"ok": "ok", "stop": "no", "ask": "ask", "note": "-"}
_SUBJECTS: Final[dict[str, Subject]] = {"tool": "tool", "prompt": "prompt", "template": "template"}
_CONFIGS: Final = (".json", ".jsonc", ".yaml", ".yml")


class Step(NamedTuple):
    """What one policy says."""

    policy: str
    state: State
    said: str
    remedy: str | None = None


@click.command("why", epilog=exits.epilog())
@click.argument("words", nargs=-1, required=True, metavar="TOOL CONFIG")
@click.option("--as", "who", metavar="ID", help="The caller; left out: one nobody knows.")
@click.option("--group", "groups", multiple=True, help="A group of the caller; repeatable.")
@click.option("--scope", "scopes", multiple=True, help="A scope it was granted; repeatable.")
@click.option("--client", help="The OAuth client it calls by.")
@click.option("--issuer", default="", help="Who vouches for it.")
@click.option("--claim", "claims", multiple=True, metavar="K=V", help="A claim; repeatable.")
@click.option("--endpoint", metavar="PATH", help="Where it calls; left out: the first one.")
@click.option(
    "--kind",
    type=click.Choice(list(_SUBJECTS)),
    default="tool",
    help="What TOOL is the name of.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(words: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Say why TOOL is visible, hidden, withheld or refused, policy by policy.

    TOOL is SERVER/NAME, in the server's own words, or the name clients see. The servers are started
    and asked what they list; nothing is called. Exits with 0 when a call would go through, with 5
    when it would not, or a person would be asked first.
    """
    tool, config = _meant(words)
    loaded, settings = examined(config)
    start_log(settings, None, None, fallback="error")
    endpoint = endpoint_of(given["endpoint"], settings)
    kind = KINDS[given["kind"]]
    server, name = located(tool, kind, settings, endpoint)
    steps = [
        *_endpoint(settings, endpoint, server, kind, name),
        *_access(loaded, settings, endpoint, server, kind, name, given),
        *running.run(_asked(settings, server, kind, name)),
        *_listing(settings, endpoint, server, kind),
        *_settings(settings, server),
    ]
    states = {step.state for step in steps}
    verdict = "refused" if "stop" in states else "asked about" if "ask" in states else "callable"
    if as_json:
        plain = [{key: one for key, one in step._asdict().items() if one} for step in steps]
        shown = {"server": server, "kind": kind, "name": name, "verdict": verdict, "steps": plain}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _show(f"{kind} {server}/{name}", verdict, steps)
    return exits.OK if verdict == "callable" else exits.REFUSED


def _meant(words: Sequence[str]) -> tuple[str, Path]:
    """The tool and the configuration, in either order."""
    files = [word for word in words if word.endswith(_CONFIGS) or Path(word).is_file()]
    if len(words) != 2 or len(files) != 1:
        raise click.UsageError("Name the tool and the configuration: lockgate why TOOL CONFIG.")
    return next(word for word in words if word != files[0]), Path(files[0])


def _endpoint(config: Config, endpoint: str, server: str, kind: Kind, name: str) -> list[Step]:
    """Whether the endpoint shows it, and by which name."""
    there = servers_at(config, endpoint)
    if server not in config.enabled:
        return [Step("server", "stop", "it is disabled, or not in the configuration")]
    if not offered(config, endpoint, server, kind, name):
        return [Step("endpoint", "stop", f"{endpoint} does not show it to anybody")]
    naming = naming_of(endpoints_of(config)[endpoint], config, there)
    public = name if kind == "template" else spell(server, name, naming)
    own = presentations_of(config).get(endpoint)
    edit = own.of(Target(server, kind, name)) if own is not None and kind == "tool" else None
    public = (edit.view.name if edit is not None else None) or public
    renamed = f"renamed to {public}" if public != name else f"called {public}"
    steps = [Step("endpoint", "ok", f"{endpoint} shows it, {renamed}")]
    if edit is not None:
        steps.append(Step("present", "note", "; ".join(presented(edit)) or "it is as it is"))
    exposure = exposures_of(config).get(endpoint)
    if exposure is not None and kind == "tool":
        steps.append(Step("expose", "note", told(exposure, Target(server, kind, name))))
    return steps


def _access(
    loaded: Loaded,
    config: Config,
    endpoint: str,
    server: str,
    kind: Kind,
    name: str,
    given: dict[str, Any],
) -> list[Step]:
    """What the rules of access say."""
    auth = auth_at(config, endpoint)
    implied = {scope: frozenset(others) for scope, others in auth.scopes_implied.items()}
    principal = principal_from(given, implied, key_of(given["who"], auth))
    book = book_of(config, lambda _server, _tool: ({},), places(loaded, config))
    if not book.rules:
        return [Step("access", "ok", "there are no rules, so everybody may")]
    told = explain(
        book,
        Asked(
            principal=principal,
            endpoint=endpoint,
            server=server,
            kind=kind,
            name=name,
            arguments={},
        ),
    )
    rule = told.verdict.rule
    by = "no rule allows it" if rule is None else f"by the rule {rule.name} ({rule.place})"
    remedy = "`lockgate access explain` shows every rule, and takes arguments and annotations."
    answers: dict[str, tuple[State, str]] = {
        "allow": ("ok", f"allowed {by}"),
        "approve": ("ask", f"a person is asked each time, {by}"),
        "scopes": ("stop", f"scopes are missing: {', '.join(told.missing)}"),
        "deny": ("stop", f"denied; it is listed all the same; {by}"),
        "hide": ("stop", f"hidden: answered as if it did not exist; {by}"),
    }
    state, said = answers[told.verdict.answer]
    return [Step("access", state, f"{principal.id}: {said}", None if state == "ok" else remedy)]


async def _asked(config: Config, server: str, kind: Kind, name: str) -> list[Step]:
    """What the server lists, and what stands guard says of it. Others are there for collisions."""
    if server not in config.enabled:
        return []
    async with session.running(config) as gateway:
        found = gateway.held(server, kind, name)
        status = next(one for one in gateway.servers() if one.name == server)
        return [_state(status), *_judged(gateway, config, server, (_SUBJECTS[kind], name), found)]


def _state(status: ServerStatus) -> Step:
    if status.phase in ("ready", "idle"):
        return Step("server", "ok", f"{status.name} is {status.phase}")
    return Step("server", "stop", f"{status.name}: {status.error or status.phase}", status.remedy)


def _judged(gateway: Gateway, config: Config, server: str, thing: Thing, found: Held) -> list[Step]:
    mode = config.pins(server)
    steps = [
        Step("list", "ok", "the server lists it")
        if found.listed
        else Step("list", "stop", "the server does not list it to a client without abilities")
    ]
    pins = gateway.pins.book.servers.get(server)
    entry = Entry() if pins is None else pins.of(thing)
    refused = found.refused
    mine = refused is not None and (refused.policy == "pins")
    if mode == "off":
        steps.append(Step("pins", "note", "off"))
    elif refused is not None and mine:
        steps.append(_stop("pins", refused))
    elif gateway.pins.forgets:
        steps.append(Step("pins", "note", "there is no lock file yet: it would be believed once"))
    elif entry.pins:
        last = entry.pins[-1]
        by = FIRST_USE if last.by == FIRST_USE else f"approved by {last.by}"
        steps.append(Step("pins", "ok", f"as it was approved ({by}, {last.at}); {mode}"))
    if refused is not None and not mine:
        steps.append(_stop("definitions", refused))
    elif refused is None and found.listed:
        steps.append(Step("definitions", "ok", "nothing in it, and no name like it, is refused"))
    return steps


def _stop(policy: str, refused: Failure) -> Step:
    return Step(policy, "stop", f"withheld ({refused.reason}): {refused.message}", refused.remedy)


def _listing(config: Config, endpoint: str, server: str, kind: Kind) -> list[Step]:
    """Whether what clients are shown of a tool is what its server wrote."""
    if kind != "tool" or server not in config.enabled:
        return []
    level = config.compact(endpoint).tools
    if level == "off":
        return [Step("listing", "note", "shown as the server wrote it")]
    accepts = "accepts the same" if level == "lossless" else "leaves something out"
    original = "pins and calls are held against what the server wrote"
    return [Step("listing", "note", f"shown derived ({level}): it {accepts}; {original}")]


def _settings(config: Config, server: str) -> list[Step]:
    """What a call of it passes on its way, once it is let in."""
    if server not in config.enabled:
        return []
    guard, entry = settings_of(config, server), config.servers[server]
    sandbox = entry.sandbox.level or "off"
    if entry.command is None:
        sandbox = "none: it is not started here"
    return [
        Step("arguments", "note", f"held against its input schema: {guard.arguments.mode}"),
        Step("results", "note", f"held against its output schema: {guard.outputs.mode}"),
        Step("sandbox", "note", sandbox),
    ]


def _show(thing: str, verdict: str, steps: Sequence[Step]) -> None:
    out = console()
    style = {"callable": "green", "asked about": "yellow", "refused": "red"}[verdict]
    out.print(Text.assemble((visible(thing), "bold"), ": ", (verdict, style)))
    for step in steps:
        mark = (f"  {_MARKS[step.state]:<4}", _STYLES[step.state])
        hang(out, Text.assemble(mark, (f"{step.policy:<12}", "dim"), visible(step.said)))
        if step.remedy and step.state != "ok":
            hang(out, Text.assemble((" " * 18 + "→ ", "dim"), visible(step.remedy)))
