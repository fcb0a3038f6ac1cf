"""A name server on loopback, and the look-up of a program that asks it: for names that change.

It answers A queries over UDP (RFC 1035), each with the next of the answers it was given for that
name; the last one stays.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from lockgate.upstreams import lookup

_HEADER = struct.Struct("!HHHHHH")
_NO_SUCH_NAME = 3


class NameServer:
    """`asked` counts the queries for each name."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self.answers = {name: [list(one) for one in every] for name, every in answers.items()}
        self.asked: Counter[str] = Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.socket.getsockname()

    def serve(self) -> None:
        """Answer until the socket is closed."""
        while True:
            try:
                query, sender = self.socket.recvfrom(512)
            except OSError:
                return
            if not query:
                return
            self.socket.sendto(self._answer(query), sender)

    def _answer(self, query: bytes) -> bytes:
        number = _HEADER.unpack_from(query)[0]
        name, end = _name(query, _HEADER.size)
        self.asked[name] += 1
        every = self.answers.get(name, [])
        addresses = every.pop(0) if len(every) > 1 else every[0] if every else []
        flags = 0x8180 if addresses else 0x8180 | _NO_SUCH_NAME
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(one)
            for one in addresses
        )
        header = _HEADER.pack(number, flags, 1, len(addresses), 0, 0)
        return header + query[_HEADER.size : end + 4] + records


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def ask(server: tuple[str, int], host: str) -> list[str]:
    """The addresses a name has, as the name server says. Raises `socket.gaierror`."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(one)]) + one.encode() for one in host.rstrip(".").split("."))
    query = _HEADER.pack(number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(query, server)
        reply = client.recv(512)
    same, flags, _, count, _, _ = _HEADER.unpack_from(reply)
    assert same == number
    if flags & 0xF or not count:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    at = len(query)
    found: list[str] = []
    for _ in range(count):
        found.append(socket.inet_ntoa(reply[at + 12 : at + 16]))
        at += 16
    return found


@contextlib.contextmanager
def named(
    monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Sequence[Sequence[str]]]
) -> Iterator[NameServer]:
    """Names under `.test` are looked up at a name server with these answers; others as ever."""
    server = NameServer(answers)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    usual = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        if not host.rstrip(".").endswith(".test"):
            return usual(host, port, *rest, **more)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in ask(server.address, host)
        ]

    monkeypatch.setattr(lookup.socket, "getaddrinfo", getaddrinfo)
    try:
        yield server
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.address)
        thread.join(60)
        server.socket.close()
