"""Links that let a caller of one era reach a server that knows only the other.

Must not know: transports, how a server is found or kept up. Each wraps the link of the era the
server has, and is that link's mirror in `wire.bridge` put into the way of a call.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from lockgate.core.message import (
    Call,
    ClientFacts,
    Failure,
    Notification,
    Reply,
    Result,
    Target,
)
from lockgate.core.policy import Decision, Observe
from lockgate.core.raw import EMPTY, Raw
from lockgate.wire.bridge import (
    Task,
    elicitation_ids,
    handshake_client,
    handshake_result,
    missing_capability,
    modern_client,
    modern_failure,
    modern_result,
    read_task,
    refusal_in,
    task_outcome,
    undeclared,
    wants_tasks,
    with_tasks,
)
from lockgate.wire.handshake_out import ABANDON

MOST_CLIENTS: Final = 1024
MOST_VISITS: Final = 1024
COMPLETE: Final = "notifications/elicitation/complete"
PROGRESS: Final = "notifications/progress"
FIRST_POLL: Final = 0.5
LONGEST_POLL: Final = 10.0
ROUNDS: Final = 10
TASK_STATE: Final = "lockgate-task:"


OLD_SERVER: Final = Decision("bridge", "changed", 0.0, "modern client, handshake server")
NEW_SERVER: Final = Decision("bridge", "changed", 0.0, "handshake client, modern server")


def ignore(_call: Call, _decision: Decision) -> None:
    """The observer where nobody keeps records."""


class Link(Protocol):
    """The way to a server in one era."""

    def send(self, call: Call, /) -> Awaitable[Reply]:
        """Answer the call, when awaited; raises what the link's owner handles."""
        ...


class _Clients:
    """Client facts translated once per client, as requests of one client come in numbers."""

    def __init__(self, translate: Callable[[ClientFacts], ClientFacts]) -> None:
        self._translate = translate
        self._known: OrderedDict[int, tuple[ClientFacts, ClientFacts]] = OrderedDict()

    def of(self, client: ClientFacts) -> ClientFacts:
        known = self._known.get(id(client))
        if known is not None and known[0] is client:
            return known[1]
        translated = self._translate(client)
        self._known[id(client)] = (client, translated)
        while len(self._known) > MOST_CLIENTS:
            self._known.popitem(last=False)
        return translated


class ToHandshake:
    """Stateless callers to a server of the handshake era.

    The server's own questions come back as `input_required` from the link beneath, which parks
    the call; nothing is ever run twice.
    """

    def __init__(self, link: Link, observe: Observe = ignore) -> None:
        """`observe` is told of every call that was translated."""
        self._link = link
        self._observe = observe
        self._clients = _Clients(handshake_client)

    async def send(self, call: Call) -> Reply:
        """See `Link.send`."""
        self._observe(call, OLD_SERVER)
        if _refused_visit(call.params):
            return _declined(call)
        translated = call.spoken_by(self._clients.of(call.client))
        reply = await self._link.send(translated)
        if isinstance(reply, Result) and reply.kind == "input_required":
            reply = await self._refuse_undeclared(translated, reply)
        if isinstance(reply, Failure):
            return modern_failure(call.method, call.params, reply)
        return modern_result(call.method, reply)

    async def _refuse_undeclared(self, call: Call, reply: Reply) -> Reply:
        """Answer, in the client's place, what it has not declared it can be asked.

        A server that gets along without has its result passed on. One that does not is what the
        newest revision calls a missing client capability.
        """
        missing: dict[str, object] = {}
        for _ in range(ROUNDS):
            if isinstance(reply, Failure) or reply.kind != "input_required":
                break
            refused = undeclared(call.client.capabilities, reply.raw)
            if not refused.answers:
                return reply
            missing |= refused.required
            answers = {
                "inputResponses": Raw(members={**refused.answers}).encode(),
                "requestState": reply.raw.member("requestState") or b"null",
            }
            reply = await self._link.send(call.replace(params=call.params.with_members(answers)))
        if missing and (isinstance(reply, Failure) or reply.raw.get("isError") is True):
            return missing_capability(missing)
        return reply


def _refused_visit(params: Raw) -> bool:
    """Whether this retries a call whose page the client would not visit: it would ask again."""
    if "inputResponses" not in params or "requestState" in params:
        return False
    answers = params.object("inputResponses")
    return any(answers.object(key).get("action") != "accept" for key in answers)


def _declined(call: Call) -> Failure:
    return Failure(
        code=-32603,
        message="The server needs a page to be visited first, and that was declined.",
        origin="client",
        reason="elicitation-declined",
        remedy=f"Make the {call.method} call again and accept.",
    )


class ToModern:
    """Callers of the handshake era to a stateless server.

    What keeps a session in the old era is stamped on every request in the new one. The server's
    `input_required` passes: the front puts its questions to the client and calls again.
    """

    def __init__(self, link: Link, observe: Observe = ignore) -> None:
        """`observe` is told of every call that was translated."""
        self._link = link
        self._observe = observe
        self._clients = _Clients(modern_client)
        self._visits: OrderedDict[tuple[str | None, object], list[str]] = OrderedDict()

    async def send(self, call: Call) -> Reply:
        """See `Link.send`."""
        self._observe(call, NEW_SERVER)
        if call.method == "logging/setLevel" or call.method.startswith("notifications/"):
            # The level travels with each request, and roots are always asked for anew.
            return Result(EMPTY)
        if ABANDON in call.params:
            # A stateless server holds nothing for a client that does not come back.
            return Result(EMPTY)
        refused = refusal_in(call.params) if "inputResponses" in call.params else None
        if refused is not None:
            return refused
        translated = call.spoken_by(self._clients.of(call.client))
        state = call.params.get("requestState")
        if isinstance(state, str) and state.startswith(TASK_STATE):
            reply = await self._answer_task(translated, state.removeprefix(TASK_STATE))
        else:
            reply = await self._link.send(translated)
        if isinstance(reply, Failure) and wants_tasks(reply):
            patient = translated.replace(client=with_tasks(translated.client))
            reply = await self._link.send(patient)
        if isinstance(reply, Result) and reply.kind == "task":
            reply = await self._wait(translated, reply.raw)
        if isinstance(reply, Failure):
            return reply
        return self._told(call, handshake_result(call.method, reply))

    def _told(self, call: Call, result: Result) -> Result:
        if result.kind != "input_required" and not self._visits:
            return result
        key = call.affinity, call.params.get("requestState")
        if result.kind != "input_required":
            for visited in self._visits.pop(key, ()) if key[1] is not None else ():
                call.emit(Notification(COMPLETE, Raw.of({"elicitationId": visited})))
            return result
        state = result.raw.get("requestState")
        raw, given = elicitation_ids(state, result.raw)
        if given and state is not None:
            self._visits[call.affinity, state] = given
            while len(self._visits) > MOST_VISITS:
                self._visits.popitem(last=False)
        return Result(raw, "input_required")

    # A task of the extension is shown as a call that waits.

    async def _wait(self, call: Call, raw: Raw) -> Reply:
        task = read_task(raw)
        said: list[str] = []
        while task is not None:
            if task.status in {"completed", "failed", "cancelled"} and raw.get("resultType") != (
                "task"
            ):
                return task_outcome(_server(call), raw)
            if task.status == "input_required" and "inputRequests" in raw:
                asked = {
                    "inputRequests": raw.object("inputRequests"),
                    "requestState": TASK_STATE + task.taskId,
                }
                return Result(Raw.of(asked), "input_required")
            message = task.statusMessage
            if call.wants_progress and message is not None and said[-1:] != [message]:
                said.append(message)
                told = {"progress": len(said), "message": said[-1]}
                call.emit(Notification(PROGRESS, Raw.of(told)))
            await self._pause(call, task)
            reply = await self._task(call, "tasks/get", task)
            if isinstance(reply, Failure):
                return reply
            raw = reply.raw
            task = read_task(raw)
        return Failure(
            code=-32603,
            message=f"{_server(call)} lost track of its own task.",
            origin="upstream",
            reason="invalid-task",
            remedy="Report it to the authors of the server.",
        )

    async def _pause(self, call: Call, task: Task) -> None:
        seconds = (task.pollIntervalMs or FIRST_POLL * 1000) / 1000
        try:
            await asyncio.sleep(min(max(seconds, 0.01), LONGEST_POLL))
            return
        except asyncio.CancelledError as error:
            cancelled = error
        await self._task(call, "tasks/cancel", task)
        raise cancelled

    async def _task(self, call: Call, method: str, task: Task, **params: object) -> Reply:
        return await self._link.send(
            call.replace(
                method=method,
                params=Raw.of({"taskId": task.taskId, **params}),
                target=Target(_server(call), "task", task.taskId),
                client=with_tasks(call.client),
                wants_progress=False,
            )
        )

    async def _answer_task(self, call: Call, task_id: str) -> Reply:
        task = Task(task_id, "working")
        answers = call.params.object("inputResponses")
        reply = await self._task(call, "tasks/update", task, inputResponses=answers)
        if isinstance(reply, Failure):
            return reply
        reply = await self._task(call, "tasks/get", task)
        return reply if isinstance(reply, Failure) else await self._wait(call, reply.raw)


def _server(call: Call) -> str:
    return call.target.server if call.target else "the server"
