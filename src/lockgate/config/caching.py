"""What is answered without asking the server again, and where such answers are kept.

Must not know: how anything is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from lockgate.config.limits import MIB, Section
from lockgate.config.quantities import Bytes, Seconds, seconds_of, size, time

LONGEST = 30 * 86400.0
MaybeSeconds = Annotated[float | None, BeforeValidator(seconds_of)]


class CacheSettings(Section):
    """The cache: what results say of themselves (`ttlMs`, `cacheScope`) is kept to."""

    enabled: bool = Field(
        default=True,
        description="Keep resources and prompts whose result says for how long, and chosen tools.",
    )
    memory_bytes: Bytes = size(
        64 * MIB, 0, 1024 * 1024 * MIB, "Kept in memory; what was used longest ago goes first."
    )
    entry_bytes: Bytes = size(4 * MIB, 1024, 1024 * MIB, "The largest result that is kept.")
    shared: bool = Field(
        default=True, description="Keep them in `lockgate.store` as well, if there is one."
    )
    disk: Path | None = Field(
        default=None,
        strict=False,
        description="A SQLite file to keep them in as well, over restarts; relative to this file.",
    )
    disk_bytes: Bytes = size(
        1024 * MIB, MIB, 1024 * 1024 * MIB, "Kept on disk; what was used longest ago goes first."
    )
    longest: Seconds = time(3600, 0, LONGEST, "The longest time, whatever a result says.")
    stale: Seconds = time(
        60, 0, LONGEST, "How much longer an answer may be given while its server cannot answer."
    )


class ServerCache(Section):
    """What of one server is kept."""

    enabled: bool = Field(default=True, description="Keep anything of this server at all.")
    read_only_tools: MaybeSeconds = time(
        None,
        0,
        LONGEST,
        "Keep results of every tool the server calls read-only (`readOnlyHint`) for this long.",
    )


class ToolCache(Section):
    """What of some tools is kept."""

    ttl: Seconds = time(
        0, 0, LONGEST, "Keep their results for this long, or less if a result says so; 0: never."
    )
    public: bool = Field(
        default=False,
        description="Results that do not say for whom they are may be given to every caller.",
    )
