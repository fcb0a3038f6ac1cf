"""The keys of `lockgate.audit`: who did what, on record.

Must not know: how it is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lockgate.config.limits import Section


class AuditSettings(Section):
    """A log of who called what and what became of it, that shows when it was altered."""

    file: Path = Field(
        strict=False,
        description=(
            "Where it is written, a line of JSON for each call; relative to this file. The newest "
            "seal is kept beside it, as FILE.head."
        ),
    )
    key_file: Path | None = Field(
        default=None,
        strict=False,
        description=(
            "The Ed25519 key that seals it, in PEM; made if it is missing. None: FILE.key beside "
            "it. Keep it where who may write the log cannot read it."
        ),
    )
    calls: Literal["all", "refused"] = Field(
        default="all",
        description="`all` calls of tools, prompts and resources, or only those that were refused.",
    )
