"""What a Python is: its version, how it was built, and how fast it runs plain Python.

Must not know: what is run under it. A build without profile-guided optimisation can be more than
one and a half times slower, which moves every ratio. `configure` leaves a trace of its own options;
distributions optimise by other means and leave none, so the speed is measured too.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_QUESTIONS: Final = """
import json, platform, sysconfig, time
def spin():
    started = time.process_time()
    total, seen = 0, {}
    for number in range(200_000):
        seen[number & 255] = total
        total += len(seen) ^ number
    return time.process_time() - started
try:
    from lockgate.build import kind
    lockgate = kind()
except ImportError:
    lockgate = "not installed"
arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
try:
    shared = "libpython" in open("/proc/self/maps").read()
except OSError:
    shared = bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
try:
    import uvloop
    loop = "uvloop " + uvloop.__version__
except ImportError:
    loop = "asyncio"
print(json.dumps({
    "version": platform.python_implementation() + " " + platform.python_version(),
    "optimised": "--enable-optimizations" in arguments,
    "lto": "--with-lto" in arguments,
    "shared": shared,
    "loop": loop,
    "lockgate": lockgate,
    "milliseconds": min(spin() for _ in range(7)) * 1000,
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """One Python.

    optimised, lto  what its own configuration says; absence proves nothing, see above.
    shared          it runs from a shared libpython.
    lockgate        how what it imports as Lockgate was built.
    milliseconds    processor time of a plain loop, the best of some; compare between interpreters.
    """

    path: str
    version: str
    optimised: bool
    lto: bool
    shared: bool
    loop: str
    lockgate: str
    milliseconds: float

    def __str__(self) -> str:
        said = [word for word, yes in (("PGO", self.optimised), ("LTO", self.lto)) if yes]
        stated = " and ".join(said) or "neither PGO nor LTO"
        return (
            f"{self.version}, {self.loop}; Lockgate {self.lockgate}; CONFIG_ARGS state {stated}; "
            f"{'shared libpython' if self.shared else 'libpython linked in'}; "
            f"plain loop {self.milliseconds:.1f} ms"
        )


def look(path: str, environment: dict[str, str]) -> Interpreter:
    """Ask a Python.

    Raises:
        OSError, subprocess.CalledProcessError: it does not run.
    """
    said = subprocess.run(
        [path, "-c", _QUESTIONS], env=environment, capture_output=True, text=True, check=True
    )
    return Interpreter(path=str(Path(path)), **json.loads(said.stdout))
