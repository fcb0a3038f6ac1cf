"""`lockgate`, and on SIGUSR1 a full garbage collection: what is left then is really held.

Must not know: who measures. After each collection the file named by BENCH_COLLECTED holds how many
there have been and how many objects the collector knows.
"""

from __future__ import annotations

import gc
import json
import os
import signal
from pathlib import Path
from types import FrameType

from lockgate.cli.main import main


class _Collector:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._times = 0

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        gc.collect()
        self._times += 1
        said = {"times": self._times, "objects": len(gc.get_objects())}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(said))
        fresh.replace(self._file)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _Collector(Path(os.environ["BENCH_COLLECTED"])))
    main()
