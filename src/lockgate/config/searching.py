"""How tools are found: the key `search`.

Must not know: how anything is searched, which model there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lockgate.config.limits import Section


class SearchSettings(Section):
    """How `find_tools` finds."""

    semantic: Literal["off", "auto", "required"] = Field(
        default="off",
        description=(
            "Find tools by what a query means as well as by its words, with a model that runs in "
            "the gateway. `auto`: where `lockgate[semantic]` is installed; `required`: do not "
            "start without it."
        ),
    )
    vectors: Path | None = Field(
        default=None,
        strict=False,
        description=(
            "The SQLite file in which is kept what the model made of definitions; relative to "
            "this file. By default it is in the folder for data of the user, in `lockgate`."
        ),
    )
