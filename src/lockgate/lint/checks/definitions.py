"""What clients and models are shown of a handler: its name, its words, its parameters.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lockgate.guard.scan import scan
from lockgate.lint.found import Found
from lockgate.lint.handlers import Handler, given, is_context
from lockgate.lint.project import File
from lockgate.lint.source import Source, constant, keywords, parameters, within

_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_CONTEXTS: Final = frozenset({"ctx", "context"})
_LOOSE: Final = frozenset(
    {"Any", "dict", "list", "object", "Dict", "List", "typing.Any", "typing.Dict"}
)
_WRITES: Final = re.compile(
    r"(?:^|_)(?:delete|remove|drop|destroy|purge|erase|write|create|update|insert|send|post|publish"
    r"|upload|execute|move|rename|kill|cancel|deploy|pay|transfer)(?:_|$)"
)
_LEADS: Final = frozenset(
    {"get", "list", "read", "find", "search", "describe", "show", "check", "preview"}
)
_SQL_WRITES: Final = re.compile(
    r"^\s*(insert|update|delete|drop|alter|truncate|create)\b", re.IGNORECASE
)
_FILE_WRITES: Final = frozenset({"write_text", "write_bytes", "unlink", "rmdir"})
_CALL_WRITES: Final = frozenset(
    {"os.remove", "os.unlink", "shutil.rmtree", "shutil.move", "os.rename"}
)


def check(file: File) -> Iterator[Found]:
    """Definitions that say too little, or say something else."""
    for handler in file.handlers:
        if handler.kind == "call":
            continue
        yield from _described(file.source, handler)
        yield from _typed(file.source, handler)
        if handler.kind == "tool":
            yield from _annotated(file.source, handler)
            if not _NAME.fullmatch(handler.name):
                yield Found(rule="name-unusable", node=handler.node, evidence=handler.name)


def _described(source: Source, handler: Handler) -> Iterator[Found]:
    said = handler.settings.get("description")
    written = constant(said) if said is not None else ast.get_docstring(handler.node)
    headline = f"def {handler.node.name}(…)"
    if said is None and not (isinstance(written, str) and written.strip()):
        rule = "tool-undescribed" if handler.kind == "tool" else "undescribed"
        yield Found(rule=rule, node=handler.node, evidence=headline)
    if isinstance(written, str) and handler.kind in ("tool", "prompt"):
        verdict = scan({"name": handler.name, "description": written})
        for one in verdict.findings:
            if one.severity == "block":
                yield Found(
                    rule="description-manipulates",
                    node=handler.node,
                    evidence=one.evidence or one.summary,
                )
                break
    if handler.kind == "tool" and isinstance(written, str):
        yield from _explained(source, handler, written)


def _explained(source: Source, handler: Handler, written: str) -> Iterator[Found]:
    """Parameters about which nothing says what they are."""
    silent = [
        one.arg
        for one in given(source, handler)
        if one.arg not in written and not _says(one) and "_" not in one.arg and len(one.arg) <= 3
    ]
    if silent:
        yield Found(rule="parameter-unexplained", node=handler.node, evidence=", ".join(silent))


def _says(parameter: ast.arg) -> bool:
    """Whether the annotation holds a description of its own."""
    return parameter.annotation is not None and any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and " " in one.value
        for one in ast.walk(parameter.annotation)
    )


def _typed(source: Source, handler: Handler) -> Iterator[Found]:
    spec = handler.node.args
    rest = spec.vararg or spec.kwarg
    if handler.kind == "tool" and rest is not None:
        yield Found(rule="parameters-variable", node=rest, evidence=f"*{rest.arg}")
    for one in parameters(handler.node):
        if one.annotation is None:
            if is_context(source, handler.node, one):
                continue
            rule = "context-untyped" if one.arg in _CONTEXTS else "parameter-untyped"
            if rule == "context-untyped" or handler.kind == "tool":
                yield Found(rule=rule, node=one, evidence=one.arg)
        elif handler.kind == "tool" and source.qualified(one.annotation) in _LOOSE:
            yield Found(rule="parameter-loose", node=one)
    if handler.kind == "tool" and handler.node.returns is None and _returns(handler):
        yield Found(
            rule="result-untyped", node=handler.node, evidence=f"def {handler.node.name}(…)"
        )


def _returns(handler: Handler) -> bool:
    return any(
        isinstance(one, ast.Return) and one.value is not None for one in within(handler.node)
    )


def _annotated(source: Source, handler: Handler) -> Iterator[Found]:
    """A tool that says that it only reads, and does more."""
    annotations = handler.settings.get("annotations")
    if annotations is None:
        return
    if not _says_reading(annotations):
        return
    words = handler.name.lower().split("_")
    if words[0] not in _LEADS and _WRITES.search(handler.name.lower()):
        yield Found(rule="annotation-false", node=annotations)
        return
    for node in within(handler.node):
        if isinstance(node, ast.Call) and _writes(source, node):
            yield Found(rule="annotation-false", node=annotations, evidence=source.shown(node))
            return


def _says_reading(annotations: ast.expr) -> bool:
    if isinstance(annotations, ast.Dict):
        pairs = zip(annotations.keys, annotations.values, strict=True)
        return any(constant(key) == "readOnlyHint" and constant(one) is True for key, one in pairs)
    if isinstance(annotations, ast.Call):
        given_ = keywords(annotations)
        return any(constant(given_.get(one)) is True for one in ("readOnlyHint", "read_only_hint"))
    return False


def _writes(source: Source, call: ast.Call) -> bool:
    if source.called(call) in _CALL_WRITES:
        return True
    if source.called(call) == "open":
        mode = keywords(call).get("mode") or (call.args[1] if len(call.args) > 1 else None)
        return any(one in str(constant(mode) or "") for one in "wax+")
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr == "execute" and call.args:
        said = constant(call.args[0])
        return isinstance(said, str) and _SQL_WRITES.match(said) is not None
    return call.func.attr in _FILE_WRITES
