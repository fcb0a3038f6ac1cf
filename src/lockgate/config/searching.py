"""How tools are found: the key `search`.

Must not know: how anything is searched, which model there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lockgate.config.embedder import EmbedderSettings
from lockgate.config.limits import Section


class SearchSettings(Section):
    """How `find_tools` finds."""

    semantic: Literal["off", "auto", "required"] = Field(
        default="off",
        description=(
            "Find tools by what a query means as well as by its words, with a model that runs in "
            "the gateway, or with `embedder`. `auto`: where `lockgate[semantic]` is installed "
            "(`lockgate[vectors]` for an `embedder`); `required`: do not start without it."
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
    embedder: EmbedderSettings | None = Field(
        default=None,
        description=(
            "A service that makes the vectors in place of the model in the gateway. It is sent "
            "what tools and queries say."
        ),
    )

    @model_validator(mode="after")
    def _check_said(self) -> SearchSettings:
        # Texts go out only where both is said: to whom, and that it is wanted.
        if self.embedder is not None and "semantic" not in self.model_fields_set:
            raise ValueError("an `embedder` needs `semantic: auto` or `required` beside it")
        return self

    def below(self, folder: Path) -> SearchSettings:
        """The settings with absolute paths."""
        changes: dict[str, object] = {}
        if self.vectors is not None:
            changes["vectors"] = folder / self.vectors.expanduser()
        embedder = self.embedder
        if embedder is not None and embedder.key_file is not None:
            path = folder / embedder.key_file.expanduser()
            changes["embedder"] = embedder.model_copy(update={"key_file": path})
        return self.model_copy(update=changes) if changes else self
