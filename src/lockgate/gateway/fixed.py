"""Settings that hold for the life of the process, whatever a reload brings. Pure.

Must not know: what a setting does. What a front, a listener or a seal was made with stays as it is;
everything else is read anew for each configuration. `tests/gateway/test_fixed.py` holds this list
against what those pieces are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from lockgate.config.model import Config

FIXED: Final = (
    "host",
    "port",
    "path",
    "sse_path",
    "page_size",
    "keepalive",
    "unsolicited",
    "session",
    "tls",
    "store",
    "logins.store",
    "logins.keys_file",
    "admin",
    "audit",
    "cache.disk",
    "cache.disk_bytes",
    "cache.entry_bytes",
    "log.format",
    "limits.body_bytes",
    "limits.json_depth",
    "limits.header_count",
    "limits.header_bytes",
    "limits.target_bytes",
    "limits.header_timeout",
    "limits.body_timeout",
    "limits.idle_timeout",
    "limits.write_timeout",
    "limits.unsent_bytes",
    "limits.connections",
    "limits.listen_streams",
    "limits.backlog",
)
"""Keys below `lockgate`. page_size is one of them because cursors that clients hold count by it."""


def hold(before: Config, config: Config) -> tuple[Config, list[str]]:
    """`config` with the fixed settings of `before`, and the keys that therefore do not apply."""
    settings: BaseModel = config.lockgate
    held: list[str] = []
    for key in FIXED:
        path = key.split(".")
        value = _get(before.lockgate, path)
        if _get(config.lockgate, path) != value:
            held.append(f"lockgate.{key}")
            settings = _set(settings, path, value)
    return (config.model_copy(update={"lockgate": settings}) if held else config), held


def _get(settings: BaseModel, path: Sequence[str]) -> Any:
    value: Any = settings
    for step in path:
        value = getattr(value, step)
    return value


def _set(settings: BaseModel, path: Sequence[str], value: Any) -> BaseModel:
    step, *rest = path
    new = _set(getattr(settings, step), rest, value) if rest else value
    return settings.model_copy(update={step: new})
