"""What is scanned of a configuration and of servers: how they are launched, and what they define.

Must not know: how findings are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.cli import running, session
from lockgate.cli.options import examined
from lockgate.cli.scanned import Subject
from lockgate.config.finding import Finding as ConfigFinding
from lockgate.config.load import Loaded
from lockgate.config.model import Config, ServerConfig
from lockgate.config.secrets import looks_secret, masked_args, secret_name
from lockgate.core.legible import shortened, visible
from lockgate.core.message import Failure
from lockgate.gateway.launches import review_launches
from lockgate.gateway.surveying import Defined, definitions
from lockgate.guard.finding import Finding
from lockgate.guard.launching import launch, written_secret
from lockgate.guard.remembering import Scanner
from lockgate.guard.signals.kinds import LAUNCH_KINDS
from lockgate.observe import log


def of_config(path: Path, *, start: bool) -> Iterator[Subject]:
    """The configuration, then everything its servers define; without `start` they are left alone.

    Raises:
        ConfigError: the file has errors.
    """
    loaded, config = examined(path)
    review_launches(loaded)
    safe: dict[str, ServerConfig] = {}
    for name, server in config.enabled.items():
        subject = _launched(loaded, name, server)
        yield subject
        if subject.severity == "block" and start:
            yield _unasked(name, "It was not started, because of what is said above.")
        else:
            safe[name] = server
    if start and safe:
        yield from _defined(config.model_copy(update={"servers": safe}))


def of_url(url: str, token_env: str | None) -> Iterator[Subject]:
    """Everything the endpoint at a URL defines."""
    headers = {} if token_env is None else {"Authorization": f"Bearer {os.environ[token_env]}"}
    server = {"url": url, "headers": headers}
    yield from _defined(Config.model_validate({"servers": {"endpoint": server}}))


def _launched(loaded: Loaded, name: str, server: ServerConfig) -> Subject:
    """How one server is launched and reached."""
    found: list[Finding] = []
    if server.command is not None:
        found += launch(server.command, masked_args(server.args))
    node = loaded.tree.members["servers"].members[name] if loaded.tree else None
    for key in ("env", "headers"):
        inner = node.members.get(key) if node else None
        for variable, value in inner.members.items() if inner else ():
            text = value.text or ""
            if value.spelled is None and (
                looks_secret(text) or (secret_name(variable) and len(text) >= 8)
            ):
                found.append(written_secret(key, visible(variable)))
    place = f"Server {name!r}: "
    said = [one for one in loaded.findings if one.summary.startswith(place)]
    found += [_converted(one, place) for one in said if one.id in LAUNCH_KINDS]
    line, column = (node.key_at or (None, None)) if node else (None, None)
    return Subject(
        name=visible(name),
        kind="configuration",
        findings=tuple(found),
        file=str(loaded.findings.file),
        line=line,
        column=column,
    )


def _converted(finding: ConfigFinding, place: str) -> Finding:
    """What the check of configurations found, in the guard's words."""
    summary = finding.summary.removeprefix(place)
    return Finding(
        id=finding.id,
        severity=LAUNCH_KINDS[finding.id].severity,
        summary=summary[:1].upper() + summary[1:],
        where="command",
        remedy=finding.remedy,
    )


def _unasked(name: str, why: str) -> Subject:
    return Subject(name=visible(name), kind="server", error=f"{visible(name)}: {visible(why)}")


def _defined(config: Config) -> Iterator[Subject]:
    log.configure("error", "text")
    scanner = Scanner()
    found, problems = running.run(_asked(config))
    for server, ones in found.items():
        for one in ones:
            yield _subject(scanner, server, one)
    for name, failure in problems.items():
        yield _unasked(name, f"Not all of it could be asked for: {failure.message}")


async def _asked(
    config: Config,
) -> tuple[dict[str, Sequence[Defined]], dict[str, Failure]]:
    servers = {
        name: one.model_copy(update={"start": "eager"}) for name, one in config.enabled.items()
    }
    found: dict[str, Sequence[Defined]] = {}
    problems: dict[str, Failure] = {}
    async with session.running(config.model_copy(update={"servers": servers})) as gateway:
        for server in gateway.upstreams():
            found[server.name], problem = await definitions(server)
            if problem is not None:
                problems[server.name] = problem
    return found, problems


def _subject(scanner: Scanner, server: str, one: Defined) -> Subject:
    verdict = scanner.scan(one.data)
    return Subject(
        name=shortened(visible(one.name), 200),
        kind=one.kind,
        findings=verdict.findings,
        server=None if one.kind == "server" else visible(server),
    )
