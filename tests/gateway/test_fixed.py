"""The list of what a reload cannot change, against what is made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from lockgate.config.model import Config
from lockgate.config.settings import GatewaySettings
from lockgate.core.clock import SYSTEM
from lockgate.gateway.build import exchange_settings, http_limits
from lockgate.gateway.fixed import FIXED, hold
from lockgate.wire.seal import KeyRing

KEYS = KeyRing.generate()
FACADE: Any = SimpleNamespace(shown_at=lambda _path: SimpleNamespace(of=None))


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from leaves(type(field.default), (*path, name))
        else:
            yield (*path, name)


def other(model: BaseModel, path: tuple[str, ...]) -> BaseModel:
    """A copy with another value there; whether it makes sense is no matter here."""
    step, *rest = path
    value = getattr(model, step)
    if rest:
        return model.model_copy(update={step: other(value, tuple(rest))})
    words = get_args(type(model).model_fields[step].annotation)
    changed: Any = next((word for word in words if word != value and isinstance(word, str)), None)
    if changed is None and isinstance(value, list):
        changed = ["other"]
    elif changed is None:
        changed = value + 1 if isinstance(value, int | float) else f"{value}x"
    return model.model_copy(update={step: changed})


def made_once(config: Config) -> object:
    told = exchange_settings(config, KEYS, FACADE, SYSTEM)
    return [getattr(told, name) for name in told.__slots__ if name != "annotations"], http_limits(
        config
    )


@pytest.mark.parametrize("path", list(leaves(GatewaySettings)), ids=".".join)
def test_what_is_made_once_is_fixed(path: tuple[str, ...]) -> None:
    before = Config()
    changed = before.model_copy(update={"lockgate": other(before.lockgate, path)})
    key = ".".join(path)
    fixed = any(key == one or key.startswith(f"{one}.") for one in FIXED)
    if made_once(changed) != made_once(before):
        assert fixed, f"{key} is told to something that outlives a reload"
    kept, held = hold(before, changed)
    assert bool(held) == fixed
    assert (kept == before) == fixed
    assert all(f"lockgate.{key}".startswith(one) for one in held)


def test_nothing_is_held_where_nothing_changes() -> None:
    config = Config()
    assert hold(config, Config()) == (config, [])
    settings = GatewaySettings.model_validate({"session": {"keys_file": Path("a")}})
    other_keys = config.model_copy(update={"lockgate": settings})
    assert hold(config, other_keys)[1] == ["lockgate.session"]
