"""The tasks that run handlers: one request after another, instead of a task for each.

Must not know: sockets, how an answer is written, what handlers do.

A task is dear to make and to forget: asyncio keeps a weak set of all of them. One that has come
through a request without a scratch takes the next; one that was cancelled, that failed, or that was
left with another context than it began with (PEP 567) ends, so that no request meets what an
earlier one left behind.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import Final

from lockgate.fronts.answer import Answer
from lockgate.fronts.state import ServerState

IDLE: Final = 64
"""Workers kept for the next request, at most; more come and go with the load."""
log = logging.getLogger("lockgate.fronts")


class Worker:
    """One task. `turn` gives it its next request."""

    __slots__ = ("task", "turn")

    task: asyncio.Task[None]

    def __init__(self, turn: asyncio.Future[Answer]) -> None:
        self.turn = turn


class Workers:
    """Those of one server. While a worker serves, its task is one of `ServerState.tasks`."""

    __slots__ = ("_idle", "_state")

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._idle: list[Worker] = []

    def serve(self, answer: Answer, loop: asyncio.AbstractEventLoop) -> None:
        """Have a worker run the handler for `answer`."""
        if self._idle:
            worker = self._idle.pop()
        else:
            worker = Worker(loop.create_future())
            worker.task = loop.create_task(self._work(worker))
            worker.task.add_done_callback(self._ended)
        worker.turn.set_result(answer)
        answer.task = worker.task
        self._state.tasks.add(worker.task)

    async def close(self) -> None:
        """End those that wait for a request."""
        idle = [worker.task for worker in self._idle]
        for task in idle:
            task.cancel()
        if idle:
            await asyncio.wait(idle)

    async def _work(self, worker: Worker) -> None:
        # One function, though it does several things: every request pays for a coroutine more.
        state, idle, task = self._state, self._idle, worker.task
        began_in = copy_context()
        while True:
            try:
                answer = await worker.turn
                await state.handler(answer.request, answer)
            except asyncio.CancelledError:
                self._called_off(worker)
                raise
            except Exception:
                answer = worker.turn.result()
                log.exception("the handler of %s failed", answer.request.path)
                answer.fail(500, "Internal server error.")
                answer.task = None
                return
            if not answer.started:
                log.error("the handler of %s returned without an answer", answer.request.path)
                answer.fail(500, "Internal server error.")
            answer.task = None
            if task.cancelling() or len(idle) >= IDLE or copy_context() != began_in:
                return
            state.tasks.discard(task)
            if state.emptied is not None:
                state.left()
            worker.turn = task.get_loop().create_future()
            idle.append(worker)
            del answer  # or a client that has left would stay in memory for as long as we wait

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A worker is gone, be it that it was cancelled before it began."""
        self._state.tasks.discard(task)
        self._state.left()

    def _called_off(self, worker: Worker) -> None:
        """Say so to the client, if the worker had one."""
        if worker in self._idle:
            self._idle.remove(worker)
        elif not worker.turn.cancelled():
            answer = worker.turn.result()
            answer.fail(503, "The server is shutting down.")
            answer.task = None
