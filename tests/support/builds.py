"""What tests have to know of the build they run against: interpreted, or compiled in part.

Must not know: what is tested.
"""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.build import kind

interpreted = pytest.mark.skipif(
    kind() == "compiled", reason="replaces what a compiled Lockgate has built in"
)


def attributes(one: object) -> dict[str, Any]:
    """The attributes of an object, also of a compiled class, whose objects have no `__dict__`."""
    names: tuple[str, ...] = getattr(type(one), "__mypyc_attrs__", ())
    return {**getattr(one, "__dict__", {}), **{name: getattr(one, name, None) for name in names}}
