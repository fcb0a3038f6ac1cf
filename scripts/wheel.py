"""Makes a wheel with compiled modules, if HATCH_BUILD_HOOK_ENABLE_CUSTOM is set; run by hatchling.

Must not know: what is compiled. Without the variable a wheel is pure Python and fits everywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import (  # pyright: ignore[reportMissingImports] - there while a wheel is built
    BuildHookInterface,  # pyright: ignore[reportUnknownVariableType] - as above
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts import native


class CompiledWheel(BuildHookInterface):  # pyright: ignore[reportUntypedBaseClass] - as above
    """Adds the compiled modules beside their sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling. Fails where nothing can be compiled: this wheel was asked for."""
        if version == "editable":
            return
        native.built()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        for path in native.extensions():
            build_data["force_include"][str(native.BUILT / path)] = str(path)
