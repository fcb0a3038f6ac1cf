"""What is done about results that are too long for a model: the keys of `results`.

Must not know: how anything is shown, kept or read.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.config.limits import MIB, Section
from lockgate.config.quantities import Bytes, Seconds, count, size, time


class ResultsSettings(Section):
    """Of the gateway, of an endpoint, of a server: the latter's keys count, one by one."""

    enabled: bool = Field(
        default=False,
        description=(
            "Show the results of tools that are over `budget` by a preview, keep them, and list "
            "`read_result`, which reads any part."
        ),
    )
    budget: int = count(
        1500, 100, 1_000_000, "Tokens that a result may have and still be given whole."
    )
    preview: int = count(
        250, 50, 100_000, "Tokens of all that is shown in its place, the link among it."
    )
    references: bool = Field(
        default=True,
        description=(
            'Take `{"$result": ID, "path": …}` and `"$result:ID/path"` in arguments of tools for '
            "what is kept, so that it need not pass through the model."
        ),
    )
    tasks: bool = Field(
        default=True, description="Hold what comes of tasks to it as well: it is a tool's result."
    )
    resources: bool = Field(
        default=False,
        description=(
            "Hold what `resources/read` gives to it as well. Hosts that show a resource to people, "
            "or hand a file on, want all of it."
        ),
    )
    prompts: bool = Field(
        default=False,
        description=(
            "Hold the messages of `prompts/get` to it as well. A prompt that is cut may leave out "
            "what it asks for."
        ),
    )
    images: Literal["keep", "store"] = Field(
        default="keep",
        description=(
            "`keep`: images and sounds stay in a result that is shown by a preview. `store`: they "
            "are read as the rest is."
        ),
    )


class KeptResults(ResultsSettings):
    """What the gateway has to know beside that."""

    ttl: Seconds = time(3600, 10, 7 * 86400, "How long a result is kept.")
    largest: Bytes = size(
        16 * MIB, 65536, 1024 * MIB, "The largest result that is kept; a larger one goes out whole."
    )
    per_caller: Bytes = size(
        32 * MIB, 65536, 1024 * MIB, "Kept of one caller's results; the oldest goes first."
    )
    memory_bytes: Bytes = size(
        64 * MIB, 65536, 1024 * 1024 * MIB, "Kept in memory; what was read longest ago goes first."
    )
    shared: bool = Field(
        default=True,
        description="Keep them in `lockgate.store` instead, sealed, if there is one.",
    )
