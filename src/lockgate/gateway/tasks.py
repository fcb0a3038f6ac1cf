"""Task ids of several servers and callers, kept apart.

Must not know: what a task does.

With one server and nobody to tell apart, task ids pass as they are. With more servers a client sees
`server.id`; where callers are told apart, an id ends in a mark that makes it theirs alone. Every
message that carries one is rewritten: the handle a call returns, a task's details, a status
notification. Covers the tasks extension of 2026-07-28 (`taskId` at the top of a result) and the
experimental tasks of 2025-11-25 (`task.taskId`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec

from lockgate.core.message import Call, Failure, Notification, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.gateway.handles import Handles

_MARK: Final = b'"taskId"'
MOST_REMEMBERED: Final = 10_000
"""Tasks whose owner is known, for lists; the oldest is forgotten first."""

_Rename = Callable[[str], str]


class TaskIds:
    """Spells and reads task ids."""

    def __init__(self, servers: tuple[str, ...], handles: Handles | None = None) -> None:
        """`servers` in configuration order; their number decides whether ids are rewritten."""
        self._servers = servers
        self._handles = handles
        self._owners: OrderedDict[tuple[str, str], str] = OrderedDict()

    def _bound(self, call: Call) -> Handles | None:
        """What binds this caller's ids; None: nothing does."""
        handles = self._handles
        return handles if handles is not None and handles.bound(call) else None

    def inward(self, call: Call, task: str) -> Target | None:
        """The task a client's id means, in its server's words; None when it is none of its own."""
        owners = [name for name in self._servers if task.startswith(f"{name}.")]
        if len(self._servers) == 1:
            server, own = self._servers[0], task
        elif owners:
            server = max(owners, key=len)
            own = task[len(server) + 1 :]
        else:
            return None
        handles = self._bound(call)
        found = own if handles is None else handles.task_in(call, server, own)
        return None if found is None else Target(server, "task", found)

    def outward(self, call: Call, server: str, reply: Reply) -> Reply:
        """A reply of `server` with the task ids in it as this client knows them."""
        if self._as_they_are(call) or isinstance(reply, Failure):
            return reply
        if _MARK not in reply.raw.encode():
            return reply
        return Result(_rewritten(self._renaming(call, server, own=True), reply.raw), reply.kind)

    def notification(self, call: Call, server: str, notification: Notification) -> Notification:
        """A notification of `server` with the task ids in it as this client knows them."""
        if self._as_they_are(call) or _MARK not in notification.params.encode():
            return notification
        renamed = _rewritten(self._renaming(call, server), notification.params)
        return Notification(notification.method, renamed)

    def _as_they_are(self, call: Call) -> bool:
        return len(self._servers) == 1 and self._bound(call) is None

    def _renaming(self, call: Call, server: str, *, own: bool = False) -> _Rename:
        """Spells ids for a client; `own`: what it is told of is its own."""
        handles = self._bound(call)
        prefix = "" if len(self._servers) == 1 else f"{server}."
        if handles is None:
            return lambda task: prefix + task

        def rename(task: str) -> str:
            if own:
                self._owners[server, task] = handles.whose(call)
                while len(self._owners) > MOST_REMEMBERED:
                    self._owners.popitem(last=False)
            return prefix + handles.task_out(call, server, task)

        return rename

    def listed(self, call: Call, server: str, reply: Reply, *, shared: bool) -> Reply:
        """A task list of `server`, as this client may see it.

        `shared`: the server takes every caller for the same, so only what is known to be this
        caller's is left in.
        """
        if isinstance(reply, Failure) or self._as_they_are(call):
            return reply
        raw, handles = reply.raw, self._bound(call)
        if handles is not None and shared:
            whose = handles.whose(call)
            every = msgspec.json.decode(raw.member("tasks") or b"[]", type=list[dict[str, Any]])
            kept = [
                one for one in every if self._owners.get((server, str(one.get("taskId")))) == whose
            ]
            raw = raw.replace(tasks=kept)
        return Result(_rewritten(self._renaming(call, server), raw), reply.kind)

    @staticmethod
    def merged(replies: Mapping[str, Reply]) -> Reply:
        """One task list of all servers' lists; a server that has none is left out."""
        tasks: list[bytes] = []
        answered = not replies
        failure: Failure | None = None
        for reply in replies.values():
            if isinstance(reply, Failure):
                failure = failure or reply
                continue
            answered = True
            listed = msgspec.json.decode(reply.raw.member("tasks") or b"[]", type=list[msgspec.Raw])
            tasks += [bytes(task) for task in listed]
        if failure is not None and not answered:
            return failure
        return Result(Raw(members={"tasks": b"[" + b",".join(tasks) + b"]"}))


def _rewritten(rename: _Rename, raw: Raw) -> Raw:
    changes: dict[str, Any] = {}
    own: object = raw.get("taskId")
    if isinstance(own, str):
        changes["taskId"] = rename(own)
    nested = raw.object("task")
    inner: object = nested.get("taskId")
    if isinstance(inner, str):
        changes["task"] = nested.replace(taskId=rename(inner))
    listed: object = raw.get("tasks")
    if isinstance(listed, list):
        changes["tasks"] = [
            _renamed(rename, cast("dict[str, Any]", task))
            for task in cast("list[object]", listed)
            if isinstance(task, dict)
        ]
    return raw.replace(**changes) if changes else raw


def _renamed(rename: _Rename, task: dict[str, Any]) -> dict[str, Any]:
    own: object = task.get("taskId")
    return {**task, "taskId": rename(own)} if isinstance(own, str) else task
