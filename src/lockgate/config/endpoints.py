"""Several paths, each with its own servers and shape: the keys of `lockgate.endpoints`.

Must not know: how paths are served, who callers are.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from lockgate.config.compact import CompactSettings
from lockgate.config.exposing import Expose
from lockgate.config.identity import AuthSettings
from lockgate.config.limits import Section
from lockgate.config.presenting import Views
from lockgate.config.rates import RateSettings
from lockgate.config.results import ResultsSettings
from lockgate.core.targets import divided

PATH: Final = r"^/[A-Za-z0-9._~/-]*$"
MOST: Final = 100
NOT: Final = "!"
_TEXTS: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 1000}]
}


def _listed(value: object) -> object:
    """One of what may be several."""
    return cast("object", value) if isinstance(value, list) else [value]


def _pattern(text: str) -> str:
    divided(text.removeprefix(NOT))
    return text


Selected = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_pattern)]],
    BeforeValidator(_listed),
    Field(max_length=1000),
    WithJsonSchema(_TEXTS),
]


class EndpointSettings(Section):
    """One path: what of the servers it shows, and how. What is not said is as everywhere."""

    disabled: bool = Field(
        default=False, description="Serve nothing here; for the path of `lockgate.path`, mostly."
    )
    servers: list[str] | None = Field(
        default=None,
        max_length=1000,
        description="The servers that can be seen here, by name; left out: all that are enabled.",
    )
    tools: Selected = Field(
        default=[],
        description=(
            "The tools that can be seen, by patterns `SERVER` or `SERVER/NAME` in the servers' own "
            "words, `!` in front to leave out again; none: all of them."
        ),
    )
    prompts: Selected = Field(default=[], description="The same for prompts.")
    resources: Selected = Field(
        default=[],
        description="The same for resources and templates: `files/file:///public/*`.",
    )
    auth: AuthSettings | None = Field(
        default=None,
        description="Who may ask here, instead of what `lockgate.auth` says; left out: as there.",
    )
    rate: RateSettings = Field(
        default=RateSettings(),
        description="Rates of those who come here, beside what `lockgate.rate` holds all to.",
    )
    naming: Literal["auto", "bare", "prefix"] | None = Field(
        default=None,
        description=(
            "As `lockgate.naming`, where `auto` counts the servers of this endpoint; left out: as "
            "there."
        ),
    )
    page_size: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="As `lockgate.page_size`; left out: as there."
    )
    expose: Expose | None = Field(
        default=None, description="As `lockgate.expose`; left out: as there."
    )
    present: Views = Field(
        default={},
        description=(
            "How single tools are presented here, by patterns `SERVER/NAME` of which the first "
            "that matches counts."
        ),
    )
    compact: CompactSettings | None = Field(
        default=None,
        description="Instead of what `lockgate.compact` says, all of it; left out: as there.",
    )
    results: ResultsSettings = Field(
        default=ResultsSettings(),
        description="As `lockgate.results`, key by key; left out: as there.",
    )
    instructions: str | None = Field(
        default=None,
        max_length=65536,
        description="What models are told of this endpoint, instead of what its servers say.",
    )
