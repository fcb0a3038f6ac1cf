"""Credentials toward servers, as tests need them."""

from __future__ import annotations

from collections.abc import Callable

from lockgate.core.message import Failure, Principal

Headers = tuple[tuple[bytes, bytes], ...]


class Apart:
    """Who is one to a server; what it is shown is never asked for."""

    shared = False

    def __init__(self, partition: Callable[[Principal], str] = lambda one: one.id) -> None:
        self.partition = partition

    def headers(self, principal: Principal, method: str = "POST", /) -> Headers:
        raise NotImplementedError

    async def refused(
        self, principal: Principal, www_authenticate: str | None, nonce: str | None = None, /
    ) -> bool:
        raise NotImplementedError


class Renewed:
    """A token for each party, and the next one once the server refuses it; at most `times`.

    heard  whose was refused, with the challenge.
    """

    def __init__(self, times: int, *, shared: bool) -> None:
        self.shared = shared
        self.left = times
        self.heard: list[tuple[str, str | None]] = []
        self.numbers: dict[str, int] = {}

    def partition(self, principal: Principal, /) -> str:
        return "" if self.shared else principal.id

    def token(self, principal: Principal) -> str:
        who = "all" if self.shared else principal.id
        return f"{who}-{self.numbers.get(who, 1)}"

    def headers(self, principal: Principal, method: str = "POST", /) -> Headers:
        return ((b"authorization", f"Bearer {self.token(principal)}".encode()),)

    async def refused(
        self, principal: Principal, www_authenticate: str | None, nonce: str | None = None, /
    ) -> bool | Failure:
        who = "all" if self.shared else principal.id
        self.heard.append((who, www_authenticate))
        if not self.left:
            return False
        self.left -= 1
        self.numbers[who] = self.numbers.get(who, 1) + 1
        return True
