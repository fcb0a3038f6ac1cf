"""The servers of the demo: a table.

Must not know: how they are installed, started or called.

Every one is a published package that nobody here wrote. Between them they cover both transports and
both eras; `eras` says what each was seen to speak.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from demo.places import FILES, HANDSHAKE, MODERN, NODE, PLACE

BOTH: Final = ("handshake", "modern")
OLD: Final = ("handshake",)


@dataclass(frozen=True)
class Server:
    """One server, and the one call the demo makes.

    name       its key in the config.
    package    where it comes from, for the table.
    command    starts it; `{port}` is filled in for a server that listens.
    eras       what it speaks by itself; for a client of the other, Lockgate translates.
    tool       the tool that is called, with which arguments.
    telling    finds the part of the answer that the table shows; all of it when empty.
    variables  environment it needs; `{port}` is filled in here too.
    needs      programs without which it is left out.
    http       whether it listens at a port of its own, at `/mcp`.
    """

    name: str
    package: str
    command: tuple[str, ...]
    eras: tuple[str, ...]
    tool: str
    arguments: Mapping[str, object]
    telling: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    needs: tuple[str, ...] = ()
    http: bool = False

    def excerpt(self, answer: str) -> str:
        """What of an answer is worth showing."""
        found = re.search(self.telling, answer)
        return found[1] if self.telling and found else answer

    def missing(self) -> list[str]:
        """The programs it needs that are not on this machine."""
        return [program for program in self.needs if shutil.which(program) is None]


def _node(package: str, *arguments: str) -> tuple[str, ...]:
    script = NODE / "node_modules" / "@modelcontextprotocol" / package / "dist" / "index.js"
    return ("node", str(script), *arguments)


PYTHON_SERVERS: Final = (
    Server(
        name="time",
        package="PyPI mcp-server-time",
        command=(str(MODERN / "bin" / "mcp-server-time"), "--local-timezone", "UTC"),
        eras=BOTH,
        tool="get_current_time",
        arguments={"timezone": "Asia/Tokyo"},
        telling=r'"datetime": "([^"]+)"',
    ),
    Server(
        name="git",
        package="PyPI mcp-server-git",
        command=(str(MODERN / "bin" / "mcp-server-git"), "--repository", str(FILES)),
        eras=BOTH,
        tool="git_log",
        arguments={"repo_path": str(FILES), "max_count": 1},
        telling=r"(Message: .*)",
        needs=("git",),
    ),
    Server(
        name="excel",
        package="PyPI excel-mcp-server",
        command=(
            *(str(MODERN / "bin" / "excel-mcp-server"), "streamable-http"),
            *("--port", "{port}", "--allow-dir", str(FILES)),
        ),
        eras=BOTH,
        tool="create_workbook",
        arguments={"path": "lock.xlsx", "sheets": ["Up", "Down"], "overwrite": True},
        http=True,
    ),
    Server(
        name="calculator",
        package="PyPI mcp-server-calculator",
        command=(str(HANDSHAKE / "bin" / "mcp-server-calculator"),),
        eras=OLD,
        tool="calculate",
        arguments={"expression": "6 * 7"},
    ),
)

NODE_SERVERS: Final = (
    Server(
        name="filesystem",
        package="npm server-filesystem",
        command=_node("server-filesystem", str(FILES)),
        eras=OLD,
        tool="read_text_file",
        arguments={"path": str(FILES / "lock.txt")},
    ),
    Server(
        name="memory",
        package="npm server-memory",
        command=_node("server-memory"),
        eras=OLD,
        tool="create_entities",
        arguments={
            "entities": [
                {"name": "Lockgate", "entityType": "gateway", "observations": ["opens both ways"]}
            ]
        },
        telling=r'"observations": (\[.*?\])',
        variables={"MEMORY_FILE_PATH": str(PLACE / "memory.jsonl")},
    ),
    Server(
        name="everything",
        package="npm server-everything",
        command=_node("server-everything", "streamableHttp"),
        eras=OLD,
        tool="echo",
        arguments={"message": "a vessel rises from one level to the next"},
        variables={"PORT": "{port}"},
        http=True,
    ),
)

Say = Callable[[str], None]


def present(*, node: bool, say: Say) -> list[Server]:
    """The servers this machine can run; what is left out is said."""
    chosen: list[Server] = []
    for server in (*PYTHON_SERVERS, *(NODE_SERVERS if node else ())):
        missing = server.missing()
        if missing:
            say(f"leaving out {server.name}: it needs {', '.join(missing)}")
        else:
            chosen.append(server)
    return chosen
