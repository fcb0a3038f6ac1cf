"""What somebody wants to hear from a server: the filter of `subscriptions/listen` as a set.

Must not know: who listens, or how. Source: revision 2026-07-28, basic/patterns/subscriptions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import msgspec

from lockgate.core.message import Notification
from lockgate.core.raw import Raw
from lockgate.upstreams.flights import text, updates
from lockgate.wire.modern_out import ACKNOWLEDGED

LIMIT: Final = 1000
"""Subjects in one filter; what is beyond is not honoured, and the acknowledgement says so."""

SHARED: Final = 100_000
"""The same for a stream that serves many who listen: all their subjects together."""

RESOURCES: Final = "resourceSubscriptions"
UPDATED: Final = "notifications/resources/updated"
FLAG_OF: Final = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
SUBJECT_OF: Final = {
    "notifications/tools/list_changed": "tools",
    "notifications/prompts/list_changed": "prompts",
    "notifications/resources/list_changed": "resources",
}
_LISTED: Final = {"notifications/tasks": ("taskIds", "taskId")}


class Filter(msgspec.Struct, frozen=True):
    """The subjects: flags that are true, and (member, value) for members that are lists."""

    flags: frozenset[str] = frozenset()
    values: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, params: Raw, limit: int = LIMIT) -> Filter:
        """The filter in the params of a listen request, or of its acknowledgement."""
        flags: set[str] = set()
        values: set[tuple[str, str]] = set()
        for name, value in params.object("notifications").items():
            if value is True:
                flags.add(name)
            elif isinstance(value, list):
                items = cast("list[Any]", value)
                values.update((name, item) for item in items if isinstance(item, str))
        return cls(frozenset(sorted(flags)[:limit]), frozenset(sorted(values)[:limit]))

    def __bool__(self) -> bool:
        return bool(self.flags or self.values)

    def __or__(self, other: Filter) -> Filter:
        return Filter(self.flags | other.flags, self.values | other.values)

    def __and__(self, other: Filter) -> Filter:
        return Filter(self.flags & other.flags, self.values & other.values)

    def covers(self, other: Filter) -> bool:
        """Whether everything in `other` is in this one too."""
        return other.flags <= self.flags and other.values <= self.values

    def uris(self) -> frozenset[str]:
        """The resources subscribed to."""
        return frozenset(value for name, value in self.values if name == RESOURCES)

    def params(self) -> dict[str, Any]:
        """As the params of a listen request, or of its acknowledgement."""
        members: dict[str, Any] = dict.fromkeys(sorted(self.flags), True)
        for name, value in sorted(self.values):
            members.setdefault(name, []).append(value)
        return {"notifications": members}

    def takes(self, notification: Notification) -> bool:
        """Whether `notification` is about one of the subjects."""
        method = notification.method
        flag = FLAG_OF.get(method)
        if flag is not None:
            return flag in self.flags
        if method == UPDATED:
            uri = text(notification.params, "uri")
            return (RESOURCES, uri) in self.values or updates(uri, self.uris())
        listed = _LISTED.get(method)
        if listed is not None:
            return (listed[0], text(notification.params, listed[1])) in self.values
        # Something a later revision has: for those who asked for what nobody here knows.
        return bool(self.flags - set(FLAG_OF.values()))


class Union:
    """Everything that any of many filters asks for, kept as they come and go.

    Adding or removing one costs what is in it. Putting all of them together again each time would
    make opening many streams cost the square of their number.
    """

    def __init__(self) -> None:
        self._flags: Counter[str] = Counter()
        self._values: Counter[tuple[str, str]] = Counter()
        self._all: Filter | None = Filter()

    def add(self, one: Filter) -> None:
        """Somebody asks for this, too."""
        for flag in one.flags:
            self._flags[flag] += 1
        for value in one.values:
            self._values[value] += 1
        if self._all is not None and not self._all.covers(one):
            self._all = None

    def remove(self, one: Filter) -> None:
        """Somebody who asked for this has gone."""
        flags_gone = _take(self._flags, one.flags)
        if _take(self._values, one.values) or flags_gone:
            self._all = None

    @property
    def filter(self) -> Filter:
        """All of it."""
        if self._all is None:
            self._all = Filter(frozenset(self._flags), frozenset(self._values))
        return self._all


def _take(counts: Counter[Any], away: Iterable[Any]) -> bool:
    """Count each once less; whether one is at none now."""
    gone = False
    for one in away:
        counts[one] -= 1
        if counts[one] <= 0:
            del counts[one]
            gone = True
    return gone


LISTS: Final = Filter(frozenset(FLAG_OF.values()))
"""Every list a server has."""


def acknowledged(honoured: Filter) -> Notification:
    """The first message of a listen stream."""
    return Notification(ACKNOWLEDGED, Raw.of(honoured.params()))


def refetch(honoured: Filter, emit: Callable[[Notification], None]) -> None:
    """Say that everything may have changed: after a gap nobody knows what was missed."""
    for method, flag in FLAG_OF.items():
        if flag in honoured.flags:
            emit(Notification(method))
    for uri in sorted(honoured.uris()):
        emit(Notification(UPDATED, Raw.of({"uri": uri})))
