"""Who may use what: the keys of `lockgate.access`.

Must not know: how rules are applied (`lockgate.identity.rules` says what they mean). A rule that
contradicts itself is refused here; names that exist nowhere are found by `access_check`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, cast

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from lockgate.config.flows import FlowSettings
from lockgate.config.limits import Section
from lockgate.config.patterns import MOST_WORDS, TEXTS, Patterns, Text, Texts, listed
from lockgate.config.quantities import Seconds, count, time
from lockgate.core.targets import TargetPattern, divided

VERBS: Final = ("allow", "deny", "hide", "approve")
MOST_RULES: Final = 1000


def _scalar(value: object) -> object:
    # Said once here; the union below would say for each of its kinds that it is not that.
    if not isinstance(value, str | int | float):
        raise ValueError("a text, a number, true or false is needed")
    return value


Scalars = Annotated[
    list[Annotated[Text | int | float | bool, BeforeValidator(_scalar)]],
    BeforeValidator(listed),
    Field(max_length=MOST_WORDS),
    WithJsonSchema(
        {"anyOf": [{"type": ["string", "number", "boolean"]}, {"type": "array"}]},
    ),
]
Hint = Literal["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]


class ThingsSettings(Section):
    """What a rule is about: things of servers, by patterns `SERVER` or `SERVER/NAME`."""

    all: Patterns = Field(
        default=[],
        description="Tools, resources and prompts alike; what a plain text or list stands for.",
    )
    tools: Patterns = Field(default=[], description="Tools, by the server's own names for them.")
    resources: Patterns = Field(
        default=[],
        description="Resources by their URIs, and templates as they are written: "
        "`files/file:///public/*`.",
    )
    prompts: Patterns = Field(
        default=[], description="Prompts, by the server's own names for them."
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not any((self.all, self.tools, self.resources, self.prompts)):
            raise ValueError("name something it is about, such as docs/get_*")
        return self

    @property
    def parts(self) -> list[tuple[str, list[TargetPattern]]]:
        """The key and the patterns of each kind of thing that is named."""
        every = {key: getattr(self, key) for key in ("all", "tools", "resources", "prompts")}
        return [(key, [divided(one) for one in found]) for key, found in every.items() if found]


def _things(value: object) -> object:
    return {"all": cast("object", value)} if isinstance(value, str | list) else value


Things = Annotated[
    ThingsSettings | None,
    BeforeValidator(_things),
    WithJsonSchema({"anyOf": [*TEXTS["anyOf"], ThingsSettings.model_json_schema()]}),
]


class WhoSettings(Section):
    """Callers. Every key that is given has to match, each by any of its patterns."""

    id: Texts = Field(default=[], description="Who it is: `https://issuer#subject`, `key:NAME`.")
    issuer: Texts = Field(default=[], description="Who vouches for the caller.")
    client: Texts = Field(default=[], description="The OAuth client it calls by.")
    group: Texts = Field(default=[], description="A group it belongs to.")
    scope: Texts = Field(
        default=[],
        description="A scope it was granted. Whoever lacks it is told nothing; where the caller "
        "should be asked for more, use the rule's `scopes`.",
    )
    claims: dict[Text, Texts] = Field(
        default={},
        max_length=64,
        description="Claims by name, dotted for one inside another: `realm_access.roles: admin`.",
    )
    authenticated: bool | None = Field(
        default=None, description="Whether it is known at all who calls."
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name somebody; leave the key out to mean everybody")
        return self


def _objects(value: object) -> object:
    return [cast("object", value)] if isinstance(value, dict) else value


Whos = Annotated[
    list[WhoSettings],
    BeforeValidator(_objects),
    Field(max_length=MOST_WORDS),
    WithJsonSchema(
        {
            "anyOf": [
                WhoSettings.model_json_schema(),
                {"type": "array", "items": WhoSettings.model_json_schema()},
            ]
        }
    ),
]


class ArgumentSettings(Section):
    """What has to hold for an argument; a plain value or list stands for `one_of`."""

    one_of: Scalars = Field(
        default=[], description="What it may be; strings are patterns (`acme-*`)."
    )
    none_of: Scalars = Field(default=[], description="What it must not be.")
    at_least: float | None = Field(
        default=None, strict=False, description="The least it may be, as a number."
    )
    at_most: float | None = Field(
        default=None, strict=False, description="The most it may be, as a number."
    )
    within: Texts = Field(
        default=[], description="Folders, in one of which it lies, as a path; `..` is not followed."
    )
    present: bool | None = Field(default=None, description="Whether it is given at all.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say what has to hold, such as {one_of: [acme]}")
        if self.present is not None and len(self.model_fields_set) > 1:
            raise ValueError("`present` stands alone: other conditions need the argument anyway")
        return self


def _argument(value: object) -> object:
    return cast("object", value) if isinstance(value, dict) else {"one_of": value}


Argument = Annotated[
    ArgumentSettings,
    BeforeValidator(_argument),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number", "boolean", "array"]},
                ArgumentSettings.model_json_schema(),
            ]
        }
    ),
]


class RuleSettings(Section):
    """One rule: a verb with what it is about, and whom it concerns under which conditions."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="What logs and `access explain` call it; otherwise its number.",
    )
    allow: Things = Field(default=None, description="What may be used.")
    deny: Things = Field(default=None, description="What is listed, but refused when it is used.")
    hide: Things = Field(default=None, description="What is not there at all.")
    approve: Things = Field(
        default=None, description="What waits, each time, for a person to say yes."
    )
    who: Whos = Field(default=[], description="Callers it is about; left out: everybody.")
    unless: Whos = Field(default=[], description="Callers it is not about after all.")
    endpoints: Texts = Field(
        default=[], description="Paths of the endpoints where it holds; left out: all."
    )
    args: dict[Text, Argument] = Field(
        default={},
        max_length=64,
        description="Conditions on the arguments of calls, by name; dotted for one inside another.",
    )
    annotations: dict[Hint, bool] = Field(
        default={},
        description="What the server says of the tool: `readOnlyHint`, `destructiveHint`, "
        "`idempotentHint`, `openWorldHint`.",
    )
    scopes: Texts = Field(
        default=[],
        description="Of `allow`: what the caller needs beside. Whoever lacks any is told which.",
    )

    @property
    def verb(self) -> Literal["allow", "deny", "hide", "approve"]:
        """The one verb it has."""
        return next(verb for verb in VERBS if getattr(self, verb) is not None)

    @property
    def things(self) -> ThingsSettings:
        """What the verb is about."""
        return getattr(self, self.verb)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        verbs = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(verbs) != 1:
            said = " and ".join(f"`{verb}`" for verb in verbs) or "none"
            raise ValueError(
                f"a rule has one of allow, deny, hide and approve, and this has {said}"
            )
        if self.scopes and verbs != ["allow"]:
            raise ValueError("`scopes` go with `allow`; for callers by their scopes use `who`")
        if self.args and verbs == ["hide"]:
            raise ValueError("`hide` cannot depend on arguments: nothing is listed with any")
        kinds = {key for key, _ in self.things.parts}
        if self.args and kinds == {"resources"}:
            raise ValueError("resources have no arguments")
        if self.annotations and not kinds & {"all", "tools"}:
            raise ValueError("only tools have annotations")
        return self


class ApprovalSettings(Section):
    """How people are asked about calls that a rule has approved by them."""

    wait: Seconds = time(
        300, 10, 86400, "How long an answer may take; then the call is asked anew."
    )
    mask: Texts = Field(
        default=[],
        description="Names of arguments that are not shown, by pattern, beside those whose names "
        "look like secrets.",
    )
    characters: int = count(
        2000, 100, 100_000, "How much of the arguments is shown; that there is more is said."
    )


class AccessSettings(Section):
    """Who may use what. Once there is a rule, nothing is allowed but by one."""

    rules: list[RuleSettings] = Field(
        default=[],
        max_length=MOST_RULES,
        description="The rules, in any order. `allow` grants; `hide`, `deny` and `approve` only "
        "take away, from whatever is allowed.",
    )
    flows: list[FlowSettings] = Field(
        default=[],
        max_length=100,
        description="What must not follow what, for one caller.",
    )
    approval: ApprovalSettings = Field(
        default=ApprovalSettings(), description="How people are asked."
    )

    @property
    def any(self) -> bool:
        """Whether there is any rule."""
        return bool(self.rules)
