"""The JSON Schema of configuration files, for editors.

Must not know: how a file is validated here. The schema describes the file, so it allows what
`dialect` understands: both spellings of the servers' key, other clients' keys, numbers in `env`.
"""

from __future__ import annotations

from typing import Any, Final

from lockgate.config.keys import (
    ALIASES,
    CLIENT_SERVER_KEYS,
    CLIENT_TOP_KEYS,
    TYPES,
)
from lockgate.config.model import Config

IDENTIFIER: Final = "urn:lockgate:configuration"
_TEXT: Final = {"type": ["string", "number", "boolean"]}


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    written = Config.model_json_schema()
    definitions: dict[str, Any] = written["$defs"]
    _describe_server(definitions["ServerConfig"])
    servers = {
        "type": "object",
        "description": "The servers by name.",
        "additionalProperties": {"$ref": "#/$defs/ServerConfig"},
    }
    properties: dict[str, Any] = {
        key: {"description": f"A key of {owner}; ignored."}
        for key, owner in CLIENT_TOP_KEYS.items()
    }
    properties |= {
        "$schema": {"type": "string"},
        "mcpServers": servers,
        "servers": servers,
        "lockgate": written["properties"]["lockgate"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": IDENTIFIER,
        "title": "Lockgate configuration",
        "type": "object",
        "properties": properties,
        "oneOf": [{"required": ["mcpServers"]}, {"required": ["servers"]}],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _describe_server(server: dict[str, Any]) -> None:
    properties: dict[str, Any] = server["properties"]
    properties["type"] = {"enum": sorted(TYPES), "description": properties["type"]["description"]}
    properties["env"]["additionalProperties"] = _TEXT
    properties["headers"]["additionalProperties"] = _TEXT
    properties["args"]["items"] = _TEXT
    # A list of names is GitHub Copilot's.
    properties["tools"] = {
        "description": properties["tools"].pop("description"),
        "anyOf": [properties["tools"], {"type": "array"}],
    }
    for key, target in ALIASES.items():
        properties[key] = {**properties[target], "description": f"Another spelling of `{target}`."}
    properties["enabled"] = {"type": "boolean", "description": "The opposite of `disabled`."}
    for key, owner in CLIENT_SERVER_KEYS.items():
        properties[key] = {"description": f"A key of {owner}; ignored."}
    for name, described in properties.items():
        if name in ("command", "url", "cwd", "envFile", "idle_stop"):
            _without_null(described)


def _without_null(described: dict[str, Any]) -> None:
    choices = [one for one in described.get("anyOf", []) if one.get("type") != "null"]
    if len(choices) == 1:
        del described["anyOf"]
        described |= choices[0]
    elif choices:
        described["anyOf"] = choices
    described.pop("default", None) if described.get("default", 0) is None else None
