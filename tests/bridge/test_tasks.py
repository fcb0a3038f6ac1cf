"""Tasks of the extension, for callers of an era that does not know it."""

from __future__ import annotations

from typing import Any

from tests.bridge.clients import ANSWERS, Json, progress
from tests.bridge.modern_server import NewServer
from tests.bridge.requirements import requirement
from tests.bridge.scripts import ELICIT, RefusedError, structured
from tests.bridge.world import World, run, world

TASKS = "io.modelcontextprotocol/tasks"


class TaskServer(NewServer):
    """Answers every call with a task that asks once and then is done."""

    def __init__(self) -> None:
        super().__init__("tasks")
        self.capabilities["extensions"] = {TASKS: {}}
        self.answered: Json | None = None
        self.polled = 0

    async def _result(
        self, method: str, params: Json, headers: dict[str, str], stream: Any
    ) -> Json:
        declared = params["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        task = {"taskId": "t1", "createdAt": "2026-07-28T00:00:00Z", "ttlMs": None}
        task |= {"lastUpdatedAt": "2026-07-28T00:00:00Z", "pollIntervalMs": 10}
        if method == "tools/call":
            if TASKS not in declared.get("extensions", {}):
                needed = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
                raise RefusedError(-32021, "Needs tasks", needed)
            self.runs["task"] += 1
            return {"resultType": "task", "status": "working", **task}
        if method == "tasks/cancel":
            self.said["task cancelled"].set()
            return {"resultType": "complete"}
        if method == "tasks/update":
            self.answered = params["inputResponses"]
            return {"resultType": "complete"}
        if method != "tasks/get":
            return await super()._result(method, params, headers, stream)
        assert headers["mcp-name"] == "t1"
        self.polled += 1
        self.said["polled"].set()
        done = {"resultType": "complete", **task}
        if self.polled < 3 or self.runs["endless"]:
            return {**done, "status": "working", "statusMessage": f"step {self.polled}"}
        if self.answered is None:
            asked = {"a": {"method": ELICIT[0], "params": ELICIT[1]}}
            return {**done, "status": "input_required", "inputRequests": asked}
        return {**done, "status": "completed", "result": structured({"said": self.answered})}


async def called(w: World, cell: str) -> Any:
    """The task tool, called by a client of the cell that answers what it is asked."""
    client = await w.client(cell[0])
    params = {"name": "echo", "arguments": {}, **progress("p")}
    return await client.ask("tools/call", params)


@requirement("tasks-wait")
def test_a_task_is_a_call_that_waits(cell: str) -> None:
    async def play() -> None:
        server = TaskServer()
        async with world(server) as w:
            done = await called(w, cell)

            assert done.said == {"said": {"a": ANSWERS["elicitation/create"]}}
            assert "taskId" not in done.result
            assert server.runs["task"] == 1
            told = [one["message"] for one in done.notices("notifications/progress")]
            assert told[:2] == ["step 1", "step 2"]

    run(play())


@requirement("tasks-wait")
def test_a_cancelled_call_cancels_its_task(cell: str) -> None:
    async def play() -> None:
        server = TaskServer()
        server.runs["endless"] = 1
        async with world(server) as w:
            client = await w.client(cell[0])
            w.stack_task(client.run("echo"))
            await server.happened("polled")
            await client.tell("notifications/cancelled", {"requestId": 2})

            await server.happened("task cancelled")

    run(play())


@requirement("tasks-hidden", cells="LM")
def test_the_extension_is_not_offered_to_old_clients(cell: str) -> None:
    async def play() -> None:
        async with world(TaskServer()) as w:
            client = await w.client(cell[0])

            assert TASKS not in client.opening["capabilities"].get("extensions", {})

    run(play())
