"""A scripted server of the handshake era: sessions and standing streams are ready, the rest is
the test's."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from tests.upstreams.scripted import Answer, Asked, ScriptedServer

CAPABILITIES = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "logging": {},
}


class OldServer(ScriptedServer):
    """`script` answers requests in a session; what the client answers is kept in `answers`."""

    def __init__(
        self,
        script: Callable[[Asked, Answer], Awaitable[None]] | None = None,
        *,
        version: str = "2025-11-25",
        stateless: bool = False,
        standing: bool = True,
    ) -> None:
        super().__init__(self._handle)
        self.script = script
        self.version = version
        self.stateless = stateless
        self.standing = standing
        self.sessions: dict[str, dict[str, Any]] = {}
        self.gets: dict[str, Answer] = {}
        self.answers: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self._numbers = count(1)

    def forget(self) -> None:
        self.sessions.clear()

    async def _handle(self, asked: Asked, answer: Answer) -> None:
        session = asked.headers.get("mcp-session-id")
        if asked.method == "initialize":
            self._open(asked, answer)
        elif not self.stateless and session is None:
            self._refuse(answer, 400, "Missing session ID")
        elif not self.stateless and session not in self.sessions:
            self._refuse(answer, 404, "Session not found")
        else:
            await self._inside(session or "", asked, answer)

    @staticmethod
    def _refuse(answer: Answer, status: int, message: str) -> None:
        error = {"code": -32600, "message": message}
        answer.json({"jsonrpc": "2.0", "id": "server-error", "error": error}, status)

    def _open(self, asked: Asked, answer: Answer) -> None:
        session = f"s{next(self._numbers)}"
        self.sessions[session] = asked.params
        extra = {} if self.stateless else {"mcp_session_id": session}
        answer.result(
            {
                "protocolVersion": self.version,
                "capabilities": CAPABILITIES,
                "serverInfo": {"name": "old", "version": "1"},
                "instructions": "be kind",
            },
            **extra,
        )

    async def _inside(self, session: str, asked: Asked, answer: Answer) -> None:
        if asked.http == "DELETE":
            self.deleted.append(session)
            del self.sessions[session]
            answer.send(204)
        elif asked.http == "GET":
            await self._get(session, asked, answer)
        elif asked.id is None or "method" not in asked.json:
            if "method" not in asked.json:
                self.answers.append(asked.json)
            await self.told(asked)
            answer.send(202)
        elif asked.method in {"resources/subscribe", "resources/unsubscribe", "logging/setLevel"}:
            answer.result({})
        elif asked.method == "server/discover":
            answer.error(-32601, "Method not found")
        else:
            assert self.script is not None
            await self.script(asked, answer)

    async def told(self, asked: Asked) -> None:
        """A notification or an answer has come."""

    async def _get(self, session: str, asked: Asked, answer: Answer) -> None:
        if not self.standing:
            answer.send(405)
            return
        answer.stream()
        self.gets[session] = answer
        await answer.gone()
        raise ConnectionError
