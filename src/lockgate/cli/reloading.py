"""Taking over a changed configuration while `up` runs: when, and what is said about it.

Must not know: how the gateway goes from one configuration to the next.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lockgate.cli import running
from lockgate.cli.binding import check_open
from lockgate.cli.callers import asked_of_callers
from lockgate.cli.files import OpenFiles
from lockgate.cli.options import start_log, warnings_of
from lockgate.cli.voices import Voice, errors_of
from lockgate.config.load import Loaded, examine
from lockgate.config.model import Config, GatewaySettings
from lockgate.config.watch import Watch, sources
from lockgate.errors import LockgateError, UnsafeBind
from lockgate.gateway.app import Gateway

_log: Final = logging.getLogger("lockgate.up")
TICK: Final = 1.0
"""Seconds between two looks at the files."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line said, which wins over every file.

    log_format  as it is: it stays for the life of the process.
    guarded     the address that is listened on, if strangers must not be served; it stays too.
    """

    settings: Mapping[str, Any]
    log_level: str | None
    log_format: str
    guarded: str | None = None


class Reloading:
    """Watches one configuration for one gateway."""

    def __init__(
        self,
        gateway: Gateway,
        config: Config,
        path: Path,
        overrides: Overrides,
        watch: Watch,
        voice: Voice,
        files: OpenFiles,
    ) -> None:
        """`config` is what the gateway was made with, from `path`, which `watch` follows."""
        self._gateway = gateway
        self._config = config
        self._path = path
        self._overrides = overrides
        self._watch = watch
        self._voice = voice
        self._files = files
        self._asked = asyncio.Event()
        self._said: set[tuple[str, str]] = set()

    def ask(self) -> bool:
        """Read the files again as soon as can be; False when that is switched off."""
        if self._config.lockgate.reload == "off":
            return False
        self._asked.set()
        return True

    async def run(self) -> None:
        """Reload whenever it is asked for, or the files have changed, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), TICK)
            try:
                if await self._due():
                    await self._reload()
            except Exception:
                # The next change may be a better one.
                _log.exception("the configuration could not be reloaded")

    async def _due(self) -> bool:
        if self._asked.is_set():
            self._asked.clear()
            await asyncio.to_thread(self._watch.take)
            return True
        if self._config.lockgate.reload != "watch":
            return False
        # A file system may keep a look waiting; nobody else waits for it.
        return await asyncio.to_thread(self._watch.look)

    async def _reload(self) -> None:
        loaded = await asyncio.to_thread(examine, self._path, os.environ)
        if loaded.tree is not None:
            await asyncio.to_thread(self._watch.follow, sources(self._path, loaded.tree))
        if loaded.config is None:
            findings = loaded.findings.ordered()
            self._gateway.refuse_reload(errors_of(findings))
            self._voice.refused(findings)
            return
        await self._take_over(loaded, loaded.config)

    async def _take_over(self, loaded: Loaded, written: Config) -> None:
        config = written.with_settings(**self._overrides.settings)
        if self._overrides.guarded is not None:
            try:
                check_open(config, self._overrides.guarded)
            except UnsafeBind as error:
                self._gateway.refuse_reload(1)
                self._voice.warn(f"The changed configuration was refused: {error}")
                return
        # Servers on their way out may still say what was secret until now.
        both = config.with_secrets(config.secrets | self._config.secrets)
        start_log(both, self._overrides.log_level, self._overrides.log_format)
        self._warn(loaded)
        try:
            done = await self._gateway.reload(config)
        except LockgateError as error:
            self._voice.warn(f"The changed configuration was refused: {error}")
            return
        other = _other(self._config.lockgate, config.lockgate, done.held)
        asked = asked_of_callers(config)
        news = asked if asked != asked_of_callers(self._config) else []
        self._config = config
        self._files.allow(config)
        self._voice.reloaded(done, other)
        self._voice.callers(news)
        for server in self._gateway.servers():
            if server.name in (*done.added, *done.changed):
                self._voice.server(server)
        running.settle_down()

    def _warn(self, loaded: Loaded) -> None:
        """What looks wrong and did not before."""
        found = {(one.id, one.summary): one for one in warnings_of(loaded)}
        self._voice.findings([one for key, one in found.items() if key not in self._said])
        self._said = set(found)


def _other(before: GatewaySettings, now: GatewaySettings, held: Sequence[str]) -> list[str]:
    """The settings that differ and are taken over."""
    names = [
        name for name in GatewaySettings.model_fields if getattr(before, name) != getattr(now, name)
    ]
    return [name for name in names if f"lockgate.{name}" not in held]
