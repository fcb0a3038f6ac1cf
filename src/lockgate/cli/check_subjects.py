"""What is looked at: the server of a URL or a command, or each of a configuration.

Must not know: how it is looked at, or how what was found is shown.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import click

from lockgate.cli import running
from lockgate.cli.check_credentials import Pairs, credentials_of
from lockgate.cli.check_shown import Shown
from lockgate.cli.options import examined
from lockgate.config.model import Config
from lockgate.config.secrets import masked_url
from lockgate.core.message import Failure
from lockgate.doctor.blacken import Blackener
from lockgate.doctor.report import Report
from lockgate.doctor.run import command_subject, examine
from lockgate.doctor.visit import HttpSubject, Patience, SocketSubject, StdioSubject, Subject
from lockgate.gateway.build import upstream_spec
from lockgate.gateway.embedder_trial import EmbedderReport, tried
from lockgate.gateway.holding import ServerReport, server_reports
from lockgate.identity.documents import secure
from lockgate.observe import log
from lockgate.upstreams.processes import abort_all
from lockgate.upstreams.spec import StdioSpec

AT_ONCE: Final = 4
_SOCKETS: Final = ("ws://", "wss://")


class Wanted(NamedTuple):
    """The servers, and who knows their secrets.

    config  where they come from, if they come from one: it may have credentials for them.
    """

    subjects: list[Subject]
    black: Blackener
    config: Config | None = None


def of_url(url: str, token_env: str | None, origin: str) -> Wanted:
    """The endpoint at a URL."""
    socket = url.lower().startswith(_SOCKETS)
    headers: tuple[tuple[str, str], ...] = ()
    black = Blackener()
    if token_env is not None:
        token = os.environ.get(token_env, "").strip()
        if not token:
            raise click.UsageError(f"--token-env: the variable {token_env} is not set.")
        if not (token.isascii() and token.isprintable()):
            raise click.UsageError(f"--token-env: {token_env} holds what no header can.")
        if not secure(url.replace("ws", "http", 1) if socket else url):
            better = "wss" if socket else "https"
            raise click.UsageError(f"The token would travel in clear text; use {better}.")
        headers = (("authorization", f"Bearer {token}"),)
        black.learn(token)
    name = masked_url(url)
    if socket:
        return Wanted([SocketSubject(name=name, url=url, headers=headers)], black)
    return Wanted([HttpSubject(name=name, url=url, headers=headers, origin=origin)], black)


def of_command(words: list[str], env: Sequence[str]) -> Wanted:
    """A server that a command line starts."""
    missing = [name for name in env if name not in os.environ]
    if missing:
        raise click.UsageError(f"--env: not set: {', '.join(missing)}.")
    given = {name: os.environ[name] for name in env}
    return Wanted([command_subject(words, given)], Blackener())


def of_config(path: Path, origin: str) -> tuple[Wanted, list[ServerReport]]:
    """Every enabled server of a configuration, and what those that are started are held to.

    Raises:
        ConfigError: the file has errors.
    """
    _, config = examined(path)
    held = server_reports(config)
    black = Blackener(config.secrets)
    subjects: list[Subject] = []
    for name in config.enabled:
        subjects += _of_server(config, name, held, origin)
    return Wanted(subjects, black, config), held


def _of_server(
    config: Config, name: str, held: Sequence[ServerReport], origin: str
) -> list[Subject]:
    server = config.enabled[name]
    spec = upstream_spec(name, server)
    if isinstance(spec.transport, StdioSpec):
        report = next((one for one in held if one.name == name), None)
        return [_started(name, spec.transport, report)]
    headers = tuple(spec.transport.headers.items())
    urls = server.addresses
    found: list[Subject] = []
    for url in urls:
        shown = name if len(urls) == 1 else f"{name} ({masked_url(url)})"
        if url.lower().startswith(_SOCKETS):
            found.append(SocketSubject(name=shown, server=name, url=url, headers=headers))
        else:
            one = HttpSubject(name=shown, server=name, url=url, headers=headers, origin=origin)
            found.append(one)
    return found


def _started(name: str, spec: StdioSpec, held: ServerReport | None) -> StdioSubject:
    if held is None or held.level == "off":
        return StdioSubject(name=name, spec=spec)
    lacks = held.lacks if held.unpinned is None else (held.unpinned,)
    sandbox = f"{held.level}, network {held.network}"
    return StdioSubject(name=name, spec=spec, lacks=lacks, sandbox=sandbox)


def looked_at(
    wanted: Wanted, timeout: float, shown: Shown
) -> tuple[list[Report], EmbedderReport | None]:
    """All of them, a few at once, told in their order; and the embedder, if there is one."""
    log.configure("error", "text")
    return running.run(_everything(wanted, Patience(total=timeout), shown))


async def _everything(
    wanted: Wanted, patience: Patience, shown: Shown
) -> tuple[list[Report], EmbedderReport | None]:
    trial = None if wanted.config is None else asyncio.create_task(tried(wanted.config))
    try:
        reports = await _all(wanted, patience, shown)
        return reports, None if trial is None else await trial
    finally:
        if trial is not None:
            trial.cancel()


def _with(subject: HttpSubject | SocketSubject, more: Pairs | Failure) -> Subject:
    """The server with the credential that was got for it, or with why there is none."""
    if isinstance(more, Failure):
        if isinstance(subject, SocketSubject):
            return subject
        return replace(subject, without=f"{more.message} {more.remedy or ''}".strip())
    return replace(subject, headers=(*subject.headers, *more))


async def _all(wanted: Wanted, patience: Patience, shown: Shown) -> list[Report]:
    task = asyncio.current_task()
    stopping = running.StopSignals(abort_all, first=task.cancel if task else None)
    stopping.listen()
    turns = asyncio.Semaphore(AT_ONCE)
    alone = len(wanted.subjects) == 1

    more: Mapping[str, Pairs | Failure] = {}
    if wanted.config is not None:
        more = await credentials_of(wanted.config)

    async def one(subject: Subject) -> Report:
        if not isinstance(subject, StdioSubject) and subject.server:
            subject = _with(subject, more.get(subject.server, ()))
        async with turns:
            told = shown.step if alone else None
            return await examine(subject, patience=patience, black=wanted.black, told=told)

    waiting = [one.name for one in wanted.subjects]
    with shown.waiting():
        shown.under_way(waiting)
        if alone:
            shown.begin(waiting[0])
        tasks = [asyncio.create_task(one(subject)) for subject in wanted.subjects]
        try:
            reports: list[Report] = []
            for task in tasks:
                reports.append(await task)
                shown.under_way(waiting[len(reports) :])
                if not alone:
                    shown.whole(reports[-1])
            return reports
        finally:
            for task in tasks:
                task.cancel()
