"""Tools as an endpoint presents them: renamed, described otherwise, with fewer parameters.

Must not know: how lists are merged, who calls. What is pinned, scanned and judged is what the
server wrote; only what is listed is made here of it, and calls are put back into the server's terms
before any policy sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from lockgate.config.model import Config
from lockgate.config.presenting import ParameterView, ToolView
from lockgate.core.message import Target
from lockgate.core.raw import Raw, encode
from lockgate.core.targets import Things
from lockgate.gateway.endpoint_sights import endpoints_of
from lockgate.gateway.listing import Item, Section

_SCHEMA: Final = "inputSchema"


class Edit:
    """What becomes of one tool, or of all that a pattern matches."""

    def __init__(self, view: ToolView) -> None:
        """As the configuration says."""
        self.view = view
        self.fixed: dict[str, bytes] = {}
        self.defaults: dict[str, bytes] = {}
        self._gone: list[str] = []
        for name, one in view.parameters.items():
            if "value" in one.model_fields_set:
                self.fixed[name] = encode(one.value)
            elif "default" in one.model_fields_set:
                self.defaults[name] = encode(one.default)
            elif one.hide:
                self._gone.append(name)

    @property
    def hidden(self) -> tuple[str, ...]:
        """The parameters that are not shown."""
        return (*self.fixed, *self._gone)

    def definition(self, raw: Raw) -> Raw:
        """What is listed, of what the server wrote."""
        members: dict[str, Any] = {}
        for key in ("title", "description"):
            said: str | None = getattr(self.view, key)
            if said is not None:
                members[key] = said
        if self.view.parameters:
            schema = _read(raw.member(_SCHEMA))
            if schema is not None:
                members[_SCHEMA] = self._schema(schema)
        return raw.replace(**members) if members else raw

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return schema
        shown = {
            name: self._parameter(name, one)
            for name, one in cast("dict[str, Any]", properties).items()
            if name not in self.hidden
        }
        found = {**schema, "properties": shown}
        needed = schema.get("required")
        if isinstance(needed, list):
            spared = {*self.hidden, *self.defaults}
            found["required"] = [one for one in cast("list[Any]", needed) if one not in spared]
        return found

    def _parameter(self, name: str, schema: Any) -> Any:
        view: ParameterView | None = self.view.parameters.get(name)
        if view is None or not isinstance(schema, dict):
            return schema
        found = dict(cast("dict[str, Any]", schema))
        if "default" in view.model_fields_set:
            found["default"] = view.default
        if view.description is not None:
            found["description"] = view.description
        return found

    def params(self, params: Raw) -> Raw:
        """The params of a call in the server's terms."""
        if not (self.fixed or self.defaults or self._gone):
            return params
        given = params.member("arguments") or b"{}"
        if not given.lstrip().startswith(b"{"):
            return params  # whoever checks arguments says what is wrong
        arguments = Raw(given).check().without(*self._gone)
        absent = {key: data for key, data in self.defaults.items() if key not in arguments}
        done = arguments.with_members({**absent, **self.fixed})
        return params.with_members({"arguments": done.encode()})


class Presentation:
    """The edits of one endpoint. The first pattern that matches a tool counts."""

    def __init__(self, views: Mapping[str, ToolView]) -> None:
        """`views` by pattern."""
        self._edits = [(Things([pattern]), Edit(view)) for pattern, view in views.items()]
        self._known: dict[Target, Edit | None] = {}

    def of(self, target: Target) -> Edit | None:
        """What becomes of a tool here; None: nothing."""
        if target not in self._known:
            if len(self._known) >= 10_000:
                self._known.clear()
            found = (edit for things, edit in self._edits if target in things)
            self._known[target] = next(found, None)
        return self._known[target]

    def names(self, sections: Sequence[Section]) -> dict[Target, str]:
        """The names of those tools that have one of their own here."""
        found: dict[Target, str] = {}
        for section in sections:
            for key in (*(item.key for item in section.items), *section.withheld):
                target = Target(section.server, "tool", key)
                edit = self.of(target)
                if edit is not None and edit.view.name is not None:
                    found[target] = edit.view.name
        return found

    def presented(self, section: Section) -> Section:
        """The section with its tools as they are presented."""
        items = tuple(self._item(section.server, item) for item in section.items)
        return msgspec.structs.replace(section, items=items)

    def _item(self, server: str, item: Item) -> Item:
        edit = self.of(Target(server, "tool", item.key))
        return item if edit is None else Item(item.key, edit.definition(item.raw))


def presentations_of(config: Config) -> dict[str, Presentation]:
    """By path, of the endpoints that present something otherwise."""
    return {
        path: Presentation(one.present) for path, one in endpoints_of(config).items() if one.present
    }


def told(edit: Edit) -> list[str]:
    """What becomes of a tool, for people."""
    view = edit.view
    said = [f"it is called {view.name}"] if view.name is not None else []
    said += [f"it has another {key}" for key in ("title", "description") if getattr(view, key)]
    said += [f"{name} is always {data.decode()}" for name, data in edit.fixed.items()]
    said += [f"{name} is {data.decode()} if not given" for name, data in edit.defaults.items()]
    said += [f"{name} is left out" for name in edit.hidden if name not in edit.fixed]
    described = [name for name, one in view.parameters.items() if one.description is not None]
    return said + [f"{name} has another description" for name in described]


def _read(data: bytes | None) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(data or b"null", type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
