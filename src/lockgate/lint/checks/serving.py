"""How a server is put on the network, and what is put in front of it there.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from lockgate.lint.found import Found
from lockgate.lint.handlers import is_server, knows_mcp
from lockgate.lint.project import File
from lockgate.lint.source import Source, constant, keywords

_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is looked for
_AUTH: Final = ("auth", "token_verifier", "auth_server_provider")


def check(file: File) -> Iterator[Found]:
    """Servers that are open to more than was meant, and middleware that does more than it says."""
    source = file.source
    guarded = _guarded(file)
    for call in source.calls:
        called = source.called(call)
        word = called.rpartition(".")[2] or _word(call)
        named = keywords(call)
        if constant(named.get("host")) in _ANY and not guarded and _serves(source, call, word):
            yield Found(rule="open-to-all", node=call)
        if constant(named.get("transport")) == "sse" and knows_mcp(source):
            yield Found(rule="transport-old", node=named["transport"])
        if word == "CORSMiddleware" or _names_cors(source, call):
            yield from _cors(call)
        if called.startswith("fastmcp."):
            yield from _fastmcp(call, word)
    yield from _old_imports(source)


def _word(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _guarded(file: File) -> bool:
    """Whether anything in the project asks callers who they are."""
    return any(
        set(_AUTH) & keywords(call).keys()
        for source in file.project.sources
        for call in source.calls
        if is_server(source, call)
    )


def _serves(source: Source, call: ast.Call, word: str) -> bool:
    return word in ("run", "run_async", "run_http_async", "Config") or is_server(source, call)


def _names_cors(source: Source, call: ast.Call) -> bool:
    return any(source.qualified(one).endswith("CORSMiddleware") for one in call.args)


def _cors(call: ast.Call) -> Iterator[Found]:
    named = keywords(call)
    if "allow_origins" not in named and "allow_origin_regex" not in named:
        return
    origins = ast.unparse(named["allow_origins"]) if "allow_origins" in named else ""
    if "'*'" in origins and constant(named.get("allow_credentials")) is True:
        yield Found(rule="cors-credentials", node=call)
    exposed = named.get("expose_headers")
    literal = exposed is None or isinstance(exposed, (ast.List, ast.Tuple))
    shown = ast.unparse(exposed).lower() if exposed is not None else ""
    if literal and "mcp-session-id" not in shown and "'*'" not in shown:
        yield Found(rule="cors-session", node=call)


def _fastmcp(call: ast.Call, word: str) -> Iterator[Found]:
    named = keywords(call)
    if word == "ResponseCachingMiddleware" and "call_tool_settings" not in named:
        yield Found(rule="cache-of-effects", node=call)
    elif word == "RetryMiddleware":
        yield Found(rule="retry-of-effects", node=call)
    elif word in ("create_proxy", "as_proxy") and call.args and _is_url(call.args[0]):
        yield Found(rule="credentials-forwarded", node=call)


def _is_url(node: ast.expr) -> bool:
    said = constant(node)
    return isinstance(said, str) and said.startswith(("http://", "https://"))


def _old_imports(source: Source) -> Iterator[Found]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "mcp.server.fastmcp"
        ):
            yield Found(rule="import-old", node=node)
            return
