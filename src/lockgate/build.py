"""Which build of Lockgate this is: the path of a call compiled, or all of it pure Python.

Must not know: what is compiled, or how. Both do the same.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

_COMPILED_IF_ANY = "lockgate.core.chain"


def kind() -> Literal["compiled", "pure Python"]:
    """What would be imported; nothing is."""
    spec = find_spec(_COMPILED_IF_ANY)
    origin = "" if spec is None else spec.origin or ""
    return "pure Python" if origin.endswith((".py", ".pyc")) else "compiled"
