"""The places where what a caller sent does harm: shells, interpreters, SQL, files, addresses.

Must not know: how a value got there, or what is said about it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lockgate.lint.flow import Flow, Origins, head
from lockgate.lint.source import FunctionNode, Source, assignments, constant, keywords, root

_SHELLS: Final = frozenset(
    {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    | {
        "asyncio.create_subprocess_shell",
        "anyio.run_process_shell",
        "asyncio.subprocess.create_subprocess_shell",
    }
)
PROGRAMS: Final = frozenset(
    {"subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output"}
    | {
        "subprocess.Popen",
        "asyncio.create_subprocess_exec",
        "anyio.run_process",
        "anyio.open_process",
    }
)
_CODE: Final = frozenset({"eval", "exec", "builtins.eval", "builtins.exec", "compile"})
_LOADS: Final = frozenset(
    {"pickle.load", "pickle.loads", "marshal.loads", "dill.loads", "cloudpickle.loads"}
    | {"jsonpickle.decode", "yaml.unsafe_load", "yaml.full_load", "shelve.open"}
)
_FILES: Final = frozenset(
    {"open", "io.open", "aiofiles.open", "anyio.open_file", "os.remove", "os.unlink", "os.rmdir"}
    | {"os.rename", "os.replace", "os.listdir", "os.makedirs", "os.mkdir", "os.scandir", "os.walk"}
    | {"shutil.rmtree", "shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.move"}
    | {"shutil.copytree", "os.chmod", "os.symlink"}
)
_PATH_METHODS: Final = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmdir", "iterdir", "rglob"}
)
_FETCH_WORDS: Final = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"}
)
_FETCHERS: Final = ("requests", "httpx", "httpx2", "aiohttp", "urllib3", "niquests", "curl_cffi")
_OPENERS: Final = frozenset(
    {
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "urllib.request.Request",
        "wget.download",
    }
)
_ADDRESSED: Final = re.compile(r"ur[li]s?$|link|href|endpoint|webhook|address|site", re.IGNORECASE)
_CLIENT: Final = re.compile(r"client|session|http", re.IGNORECASE)
_STATEMENT: Final = re.compile(r"sql|query|statement|stmt|command", re.IGNORECASE)
_SQL: Final = re.compile(
    r"\b(select\s.+\sfrom|insert\s+into|update\s+\S+\s+set|delete\s+from|create\s+table|drop\s+\w+"
    r"|alter\s+table|from\s+\S+\s+where|where\s)",
    re.IGNORECASE | re.DOTALL,
)
_EXECUTES: Final = frozenset(
    {"execute", "executemany", "executescript", "fetch", "fetchrow", "fetchval", "execute_query"}
    | {"read_sql", "read_sql_query", "query", "raw", "exec_driver_sql", "run_query", "sql"}
)
_PLAIN_EXECUTES: Final = frozenset(
    {"execute", "executemany", "executescript", "read_sql", "read_sql_query", "execute_query"}
    | {"run_query"}
)

Sink = tuple[str, ast.expr]
"""The rule that is broken if callers fill the expression, and the expression."""


def sinks(source: Source, function: FunctionNode, call: ast.Call, flow: Flow) -> Iterator[Sink]:
    """What of a call must not come from a caller unchecked."""
    called = source.called(call)
    first = call.args[0] if call.args else None
    if called in _SHELLS and first is not None:
        yield "shell-command", first
    elif called in PROGRAMS:
        yield from _program(call, first)
    elif called in _CODE and first is not None:
        yield "code-executed", first
    elif (called in _LOADS and first is not None) or (
        called == "yaml.load" and first is not None and not _safe_loader(source, call)
    ):
        yield "unsafe-loading", first
    elif called in _FILES and first is not None:
        yield "path-unchecked", first
    elif isinstance(call.func, ast.Attribute):
        yield from _method(source, function, call, call.func, flow)
    if called in _OPENERS and first is not None:
        yield from _address(first, flow)


def _program(call: ast.Call, first: ast.expr | None) -> Iterator[Sink]:
    if first is None:
        return
    if constant(keywords(call).get("shell")) is True:
        yield "shell-command", first
        return
    words = first.elts if isinstance(first, (ast.List, ast.Tuple)) else call.args
    if not words:
        return
    yield "program-chosen", words[0]
    if isinstance(first, (ast.List, ast.Tuple)) or len(call.args) > 1:
        for word in words[1:]:
            if constant(word) == "--":
                return
            if isinstance(word, (ast.Name, ast.Attribute, ast.Subscript)):
                yield "option-smuggled", word


def _safe_loader(source: Source, call: ast.Call) -> bool:
    loader = keywords(call).get("Loader") or (call.args[1] if len(call.args) > 1 else None)
    return "Safe" in source.qualified(loader)


def _method(
    source: Source, function: FunctionNode, call: ast.Call, method: ast.Attribute, flow: Flow
) -> Iterator[Sink]:
    word, place = method.attr, method.value
    first = call.args[0] if call.args else None
    if word in _PATH_METHODS:
        yield "path-unchecked", place
    if word in _EXECUTES and first is not None:
        yield from _statement(word, first, flow)
    if word in _FETCH_WORDS or word in ("goto", "urlopen"):
        where = keywords(call).get("url") or _placed(word, call)
        if where is not None and _fetches(source, function, method, where, flow):
            yield from _address(where, flow)


def _placed(word: str, call: ast.Call) -> ast.expr | None:
    at = 1 if word in ("request", "stream") else 0
    return call.args[at] if len(call.args) > at else None


def _address(where: ast.expr, flow: Flow) -> Iterator[Sink]:
    """What decides where a URL leads: its beginning, wherever it was put together."""
    for text in flow.written(where):
        first = head(text)
        if first is not None:
            yield "url-unchecked", first


def _fetches(
    source: Source, function: FunctionNode, method: ast.Attribute, where: ast.expr, flow: Flow
) -> bool:
    """Whether a method fetches: its object was made by a client library, or is called so."""
    place = method.value
    if source.qualified(place).partition(".")[0] in _FETCHERS:
        return True
    if _made_by_library(source, function, place):
        return True
    names = {one.id for one in ast.walk(where) if isinstance(one, ast.Name)}
    if not any(_ADDRESSED.search(one) for one in names | flow.origins(where)):
        return False
    return method.attr == "goto" or _CLIENT.search(ast.unparse(place)) is not None


def _made_by_library(source: Source, function: FunctionNode, place: ast.expr) -> bool:
    name = root(place)
    for node in ast.walk(function):
        pairs = list(assignments(node))
        if isinstance(node, ast.withitem) and node.optional_vars is not None:
            pairs.append((node.optional_vars, node.context_expr))
        for target, value in pairs:
            if isinstance(target, ast.Name) and target.id == name and _by_library(source, value):
                return True
    return any(_by_library(source, one) for one in source.assigned.get(name, ()))


def _by_library(source: Source, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and source.called(value).partition(".")[0] in _FETCHERS


def _statement(word: str, first: ast.expr, flow: Flow) -> Iterator[Sink]:
    """A statement that is put together, or that is the caller's as a whole."""
    while isinstance(first, ast.Call) and first.args and not isinstance(first.func, ast.Attribute):
        first = first.args[0]
    for text in flow.written(first):
        if _built(text) and _SQL.search(ast.unparse(text)):
            yield "sql-built", text
        elif isinstance(text, (ast.Name, ast.Attribute, ast.Subscript)):
            named = any(_STATEMENT.search(one) for one in _names(text, flow))
            if named and word in _PLAIN_EXECUTES:
                yield "sql-from-caller", text


def _names(text: ast.expr, flow: Flow) -> Origins:
    last = text.attr if isinstance(text, ast.Attribute) else ""
    return flow.origins(text) | {root(text), last}


def _built(text: ast.expr) -> bool:
    if isinstance(text, ast.JoinedStr):
        return any(isinstance(one, ast.FormattedValue) for one in text.values)
    if isinstance(text, ast.BinOp):
        return True
    return (
        isinstance(text, ast.Call)
        and isinstance(text.func, ast.Attribute)
        and text.func.attr in ("format", "join", "replace")
    )
