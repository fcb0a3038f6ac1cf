"""How single tools are presented at an endpoint: the key `present`.

Must not know: how definitions are read or calls are made.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from lockgate.config.limits import Section
from lockgate.core.targets import divided, special


class ParameterView(Section):
    """One parameter of a tool, as it is presented."""

    hide: bool = Field(
        default=False,
        description="It is not shown, and what clients send for it is left out of calls.",
    )
    value: Any = Field(
        default=None, description="What it always is, whatever a client sends; it is not shown."
    )
    default: Any = Field(
        default=None, description="What it is where a client sends nothing; shown as optional."
    )
    description: str | None = Field(
        default=None, max_length=65536, description="Instead of what the server says of it."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> ParameterView:
        said = [key for key in ("hide", "value", "default") if key in self.model_fields_set]
        if len(said) > 1:
            raise ValueError(f"only one of {' and '.join(f'`{key}`' for key in said)} can hold")
        return self


class ToolView(Section):
    """One tool, or what a pattern matches, as it is presented. Calls go to the tool itself."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="What it is called here, instead of as `naming` says; for one tool only.",
    )
    title: str | None = Field(default=None, max_length=1024, description="Instead of its own.")
    description: str | None = Field(
        default=None, max_length=65536, description="Instead of what the server says of it."
    )
    parameters: dict[str, ParameterView] = Field(
        default={}, max_length=1000, description="Its parameters, by name."
    )


def _checked(views: dict[str, ToolView]) -> dict[str, ToolView]:
    for text, view in views.items():
        found = divided(text)
        if view.name is not None and ("/" not in text or special(found.server + found.name)):
            raise ValueError(f"{text!r} may match several tools, and only one can have a `name`")
    return views


Views = Annotated[dict[str, ToolView], Field(max_length=1000), AfterValidator(_checked)]
