"""What a value is here: made once, never changed, equal to whatever holds the same.

Must not know: any particular value.

What every call carries is a plain class with this beneath it, and no `msgspec.Struct`: the compiler
knows where a field of a plain class is, and a field is read a hundred times for each call
(`docs/why/compiled-hot-path.md`). That nobody assigns to a field is seen to by the type checker,
for which each of them is `Final`.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

_V = TypeVar("_V", bound="Value")


class Value:
    """`fields` are the names of its arguments, and of its attributes."""

    __slots__ = ()
    fields: ClassVar[tuple[str, ...]] = ()

    def replace(self: _V, **changes: Any) -> _V:
        """A copy with these fields changed."""
        kept = {name: getattr(self, name) for name in self.fields}
        return self.__class__(**{**kept, **changes})

    def held(self) -> tuple[Any, ...]:
        """What is in the fields."""
        return tuple([getattr(self, name) for name in self.fields])

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Value) or other.__class__ is not self.__class__:
            return NotImplemented
        return self.held() == other.held()

    def __hash__(self) -> int:
        return hash(self.held())

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.fields)
        return f"{self.__class__.__name__}({held})"
