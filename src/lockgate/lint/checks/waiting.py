"""What keeps the event loop from everybody else. The calls themselves are ruff's to find.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from lockgate.lint.found import Found
from lockgate.lint.handlers import given
from lockgate.lint.project import File
from lockgate.lint.source import Source, constant, keywords, within

_BLOCKING: Final = frozenset(
    {"time.sleep", "subprocess.run", "subprocess.call", "subprocess.check_call"}
    | {"subprocess.check_output", "os.system", "urllib.request.urlopen", "input"}
    | {f"{one}.{word}" for one in ("requests", "httpx", "httpx2")
       for word in ("get", "post", "put", "patch", "delete", "head", "request", "stream")}
)  # fmt: skip
"""Inside a plain function that an asynchronous handler calls: where ruff cannot see it."""
_DRIVERS: Final = frozenset(
    {"sqlite3.connect", "psycopg2.connect", "pymysql.connect", "MySQLdb.connect", "pyodbc.connect"}
    | {"mysql.connector.connect", "smtplib.SMTP", "smtplib.SMTP_SSL", "socket.create_connection"}
    | {"paramiko.SSHClient", "pymongo.MongoClient"}
)
_BOUNDS: Final = ("Semaphore", "BoundedSemaphore", "CapacityLimiter", "TaskGroup", "batched")


def check(file: File) -> Iterator[Found]:
    """Calls that wait where nothing else can run, and waiting that nobody bounds."""
    for function in file.source.functions:
        if isinstance(function, ast.AsyncFunctionDef):
            for node in within(function):
                if isinstance(node, ast.Call) and file.source.called(node) in _DRIVERS:
                    yield Found(rule="blocking-call", node=node)
    for function, handler in file.reach.on_loop.items():
        for node in within(function):
            if isinstance(node, ast.Call) and file.source.called(node) in _BLOCKING | _DRIVERS:
                yield Found(rule="blocking-call", node=node, handler=handler)
    yield from _gathered(file)


def _gathered(file: File) -> Iterator[Found]:
    """`gather` over as many things as the caller names, with nothing that bounds them."""
    if any(one in file.source.text for one in _BOUNDS):
        return
    for handler in file.handlers:
        names = {one.arg for one in given(file.source, handler) if not _bounded(file.source, one)}
        calls = [one for one in within(handler.node) if isinstance(one, ast.Call)]
        for call in calls:
            gathers = file.source.called(call) == "asyncio.gather"
            if gathers and any(_over(one, names) for one in call.args):
                yield Found(rule="fan-out-unbounded", node=call)


def _over(argument: ast.expr, names: set[str]) -> bool:
    inner = argument.value if isinstance(argument, ast.Starred) else argument
    if not isinstance(inner, (ast.ListComp, ast.GeneratorExp)):
        return False
    source = inner.generators[0].iter
    return isinstance(source, ast.Name) and source.id in names


def _bounded(source: Source, parameter: ast.arg) -> bool:
    """Whether the schema says how many there may be."""
    calls = [one for one in ast.walk(parameter) if isinstance(one, ast.Call)]
    return any(constant(keywords(one).get("max_length")) is not None for one in calls)
