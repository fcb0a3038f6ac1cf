"""The effective configuration as it may be shown: defaults filled in, secrets masked.

Must not know: terminals. What was expanded is shown as it is written in the file (`${VAR}`), never
as the value it got.
"""

from __future__ import annotations

import io
import json
from typing import Any, cast

from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML

from lockgate.config.model import Config, ServerConfig
from lockgate.config.nodes import Node
from lockgate.config.secrets import MASK, masked, masked_arg, masked_args, masked_url


def shown(config: Config, tree: Node) -> dict[str, Any]:
    """The configuration as plain values, ready for JSON or YAML.

    Args:
        config: what `load` gave.
        tree: the nodes it was made from, which know how values are spelled.
    """
    nodes = tree.members["servers"].members
    return {
        "servers": {name: _server(server, nodes[name]) for name, server in config.servers.items()},
        "lockgate": _section(config.lockgate, tree.members.get("lockgate")),
    }


def as_json(values: dict[str, Any]) -> str:
    """As JSON, indented."""
    return json.dumps(values, indent=2, ensure_ascii=False)


def as_yaml(values: dict[str, Any]) -> str:
    """As YAML."""
    stream = io.StringIO()
    writer: Any = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False
    writer.width = 4096
    writer.dump(values, stream)
    return stream.getvalue().rstrip("\n")


def _server(server: ServerConfig, node: Node) -> dict[str, Any]:
    if server.disabled:
        return {"disabled": True}
    values: dict[str, Any] = {"type": server.transport}
    env, headers = node.members.get("env"), node.members.get("headers")
    for key in type(server).model_fields:
        value = getattr(server, key)
        if key in ("type", "disabled") or value in (None, [], {}):
            continue
        if key == "args":
            values[key] = masked_args([_spelling(item) for item in node.members["args"].items])
        elif key == "url":
            values[key] = masked_url(_spelling(node.members["url"]))
        elif key == "urls":
            values[key] = [masked_url(_spelling(item)) for item in node.members["urls"].items]
        elif key == "command":
            values[key] = masked_arg(_spelling(node.members["command"]))
        elif key in ("env", "headers"):
            values[key] = _hidden(value, env if key == "env" else headers)
        else:
            values[key] = _plain(value)
    return values


def _hidden(values: dict[str, SecretStr], node: Node | None) -> dict[str, str]:
    """Names with masked values; one that stands in another file shows nothing of itself."""
    written = node.members if node is not None else {}
    return {name: masked(_spelling(written[name])) if name in written else MASK for name in values}


def _spelling(node: Node) -> str:
    return node.spelled if node.spelled is not None else str(node.value)


def _section(section: BaseModel, node: Node | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in type(section).model_fields:
        inner = node.members.get(key) if node is not None else None
        value = getattr(section, key)
        values[key] = _section(value, inner) if isinstance(value, BaseModel) else _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _section(value, None)
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
