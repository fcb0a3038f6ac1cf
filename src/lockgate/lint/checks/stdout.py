"""What is written to standard output by a server that speaks the protocol there.

Must not know: other groups of rules. Prints are ruff's to find.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from lockgate.lint.found import Found
from lockgate.lint.project import File
from lockgate.lint.source import keywords


def check(file: File) -> Iterator[Found]:
    """Standard output taken by anything but the protocol."""
    if file.stdio is False:
        return
    source = file.source
    for call in source.calls:
        called = source.called(call)
        if called in ("sys.stdout.write", "sys.stdout.writelines"):
            yield Found(rule="stdout-print", node=call)
        elif called in ("logging.basicConfig", "logging.StreamHandler"):
            stream = keywords(call).get("stream") or (call.args[0] if call.args else None)
            if source.qualified(stream) == "sys.stdout":
                yield Found(rule="stdout-print", node=call)


def is_print(node: ast.AST | None) -> bool:
    """Whether a call prints to standard output: no `file` is named, or that one."""
    if not isinstance(node, ast.Call):
        return False
    where = keywords(node).get("file")
    return where is None or ast.unparse(where) == "sys.stdout"
