"""Where the demo keeps things.

Must not know: what is done with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LISTED: Final = ROOT / "demo"
PLACE: Final = ROOT / ".demo"
FILES: Final = PLACE / "files"
CONFIG: Final = PLACE / "mcp.json"
LOCKGATE: Final = ROOT / ".venv" / "bin" / "lockgate"
MODERN: Final = PLACE / "python-modern"
HANDSHAKE: Final = PLACE / "python-handshake"
NODE: Final = PLACE / "node"
