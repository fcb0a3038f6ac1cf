"""What is asked of the arguments of tools, and what is done about those that do not fit.

Must not know: how anything is checked. The keys of a server win, one by one, over the gateway's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lockgate.config.limits import Section


class PlaceSettings(Section):
    """Where one argument may lead."""

    under: list[str] = Field(
        default=[],
        max_length=100,
        description=(
            "Folders, in one of which it has to lie, as a path: however it is written, and on the "
            "machine of a stdio server also however it is followed."
        ),
    )
    public: bool = Field(
        default=False,
        description="It may be a URL of any host whose addresses are all on the public internet.",
    )
    allow: list[str] = Field(
        default=[],
        max_length=1000,
        description=(
            "It may be a URL of these hosts, wherever they are: `api.example.com`, "
            "`*.example.com`, `10.1.2.3:8080`."
        ),
    )
    schemes: list[str] = Field(
        default=["https", "http"],
        max_length=20,
        description="The schemes such a URL may have.",
    )

    @model_validator(mode="after")
    def _check_rule(self) -> PlaceSettings:
        url = self.public or bool(self.allow)
        if bool(self.under) == url:
            raise ValueError("write `under` for a path, or `public` or `allow` for a URL")
        if not all(one.startswith("/") or one[1:2] == ":" for one in self.under):
            raise ValueError("the folders of `under` have to be absolute")
        return self


class ArgumentGuard(Section):
    """What clients send to tools: held against each tool's own input schema."""

    mode: Literal["enforce", "warn", "off"] = Field(
        default="enforce",
        description=(
            "What becomes of a call whose arguments do not fit the tool's `inputSchema`: "
            "`enforce` refuses it, with what was expected; `warn` logs it and lets it through."
        ),
    )
    strict: bool = Field(
        default=False,
        description=(
            "Refuse arguments the schema does not name, unless it says that there may be others."
        ),
    )
    unusable: Literal["refuse", "pass"] = Field(
        default="refuse",
        description=(
            "Calls of a tool whose schema nothing can be checked by, because it is invalid, in an "
            "unknown dialect, too large, or refers to another document: none is fetched."
        ),
    )
    urls: Literal["any", "metadata", "public"] = Field(
        default="metadata",
        description=(
            "Where arguments may lead that their schema calls URLs (`format: uri` and the like): "
            "`metadata` refuses addresses at which clouds hand out credentials, `public` all that "
            "are not on the public internet."
        ),
    )
    rules: dict[str, dict[str, PlaceSettings]] = Field(
        default={},
        max_length=1000,
        description=(
            "Where single arguments may lead, by shell-style patterns on tools and the names of "
            "arguments: `{read_*: {path: {under: [/srv/docs]}}}`. The first pattern that matches "
            "counts."
        ),
    )
