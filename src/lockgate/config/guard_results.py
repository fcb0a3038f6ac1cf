"""What is done about what passes in results, in arguments and in questions to people.

Must not know: how anything is found. The keys of a server win, one by one, over the gateway's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.config.limits import Section

Doing = Literal["off", "flag", "redact", "block"]


class ResultSettings(Section):
    """What servers say: results, failures, progress and log lines."""

    secrets: Doing = Field(
        default="redact",
        description=(
            "Credentials, private keys, passwords in URLs, and values named as secret: `redact` "
            "puts what it was in their place, `flag` counts and notes them, `block` refuses the "
            "whole result."
        ),
    )
