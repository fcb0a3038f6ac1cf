"""Judges definitions on stdin by the YARA rules of an unpacked package; runs in its own venv.

Must not know: Lockgate. Any rule that matches is an alarm, as it is for the package itself.
"""

import json
import sys
import time
from pathlib import Path

import yara  # pyright: ignore[reportMissingImports] - of the environment this runs in

RULES = sorted(Path(sys.argv[1]).rglob("*.yara"))
COMPILED = yara.compile(filepaths={path.stem: str(path) for path in RULES})
TEXTS = [json.loads(line)["text"] for line in sys.stdin]
BEGAN = time.perf_counter()
GRADES = [2 if COMPILED.match(data=text.encode("utf-8", "replace")) else 0 for text in TEXTS]
print(json.dumps({"grades": GRADES, "seconds": time.perf_counter() - BEGAN}))
