"""Task ids of several servers, kept apart. Pure.

Must not know: what a task does.

With one server task ids pass as they are. With more, a client sees `server.id` and every message
that carries one is rewritten: the handle a call returns, a task's details, a status notification.
Covers the tasks extension of 2026-07-28 (`taskId` at the top of a result) and the experimental
tasks of 2025-11-25 (`task.taskId`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from lockgate.core.message import Failure, Notification, Reply, Result, Target
from lockgate.core.raw import Raw

_MARK: Final = b'"taskId"'


class TaskIds:
    """Spells and reads task ids for the servers of one endpoint."""

    def __init__(self, servers: tuple[str, ...]) -> None:
        """`servers` in configuration order; their number decides whether ids are rewritten."""
        self._servers = servers

    def inward(self, task: str) -> Target | None:
        """The task a client's id means, in its server's words; None when it is none of ours."""
        if len(self._servers) == 1:
            return Target(self._servers[0], "task", task)
        owners = [name for name in self._servers if task.startswith(f"{name}.")]
        if not owners:
            return None
        server = max(owners, key=len)
        return Target(server, "task", task[len(server) + 1 :])

    def outward(self, server: str, reply: Reply) -> Reply:
        """A reply of `server` with the task ids in it as clients know them."""
        if len(self._servers) == 1 or isinstance(reply, Failure):
            return reply
        if _MARK not in reply.raw.encode():
            return reply
        return Result(self._rewritten(server, reply.raw), reply.kind)

    def notification(self, server: str, notification: Notification) -> Notification:
        """A notification of `server` with the task ids in it as clients know them."""
        if len(self._servers) == 1 or _MARK not in notification.params.encode():
            return notification
        return Notification(notification.method, self._rewritten(server, notification.params))

    def merged(self, replies: Mapping[str, Reply]) -> Reply:
        """One task list of all servers' lists; a server that has none is left out."""
        tasks: list[bytes] = []
        answered = False
        failure: Failure | None = None
        for server, reply in replies.items():
            if isinstance(reply, Failure):
                failure = failure or reply
                continue
            answered = True
            rewritten = self._rewritten(server, reply.raw)
            listed = msgspec.json.decode(rewritten.member("tasks") or b"[]", type=list[msgspec.Raw])
            tasks += [bytes(task) for task in listed]
        if failure is not None and not answered:
            return failure
        return Result(Raw(members={"tasks": b"[" + b",".join(tasks) + b"]"}))

    def _rewritten(self, server: str, raw: Raw) -> Raw:
        changes: dict[str, Any] = {}
        own: object = raw.get("taskId")
        if isinstance(own, str):
            changes["taskId"] = f"{server}.{own}"
        nested = raw.object("task")
        inner: object = nested.get("taskId")
        if isinstance(inner, str):
            changes["task"] = nested.replace(taskId=f"{server}.{inner}")
        listed: object = raw.get("tasks")
        if isinstance(listed, list):
            changes["tasks"] = [
                self._renamed(server, cast("dict[str, Any]", task))
                for task in cast("list[object]", listed)
                if isinstance(task, dict)
            ]
        return raw.replace(**changes) if changes else raw

    @staticmethod
    def _renamed(server: str, task: dict[str, Any]) -> dict[str, Any]:
        own: object = task.get("taskId")
        return {**task, "taskId": f"{server}.{own}"} if isinstance(own, str) else task
