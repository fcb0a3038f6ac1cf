"""Counts as text that Prometheus reads. Pure.

Must not know: what is counted.

Source: the text-based exposition format, version 0.0.4 (Prometheus, "Exposition formats").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from lockgate.observe.meter import BOUNDS, Histogram

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
Labels = Sequence[tuple[str, str]]
Kind = Literal["counter", "gauge"]

_QUOTED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Exposition:
    """A page of metrics, one family after another."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(
        self, name: str, kind: Kind, help_text: str, samples: Iterable[tuple[Labels, float]]
    ) -> None:
        """One metric with a value for each set of labels; left out when there is none."""
        lines = [f"{name}{_written(labels)} {_number(value)}" for labels, value in samples]
        if lines:
            self._lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *lines]

    def histogram(
        self, name: str, help_text: str, samples: Iterable[tuple[Labels, Histogram]]
    ) -> None:
        """One metric with a histogram for each set of labels."""
        lines: list[str] = []
        for labels, one in samples:
            total = 0
            for bound, count in zip((*map(_number, BOUNDS), "+Inf"), one.buckets, strict=True):
                total += count
                lines.append(f"{name}_bucket{_written((*labels, ('le', bound)))} {total}")
            lines.append(f"{name}_sum{_written(labels)} {_number(one.seconds)}")
            lines.append(f"{name}_count{_written(labels)} {total}")
        if lines:
            self._lines += [f"# HELP {name} {help_text}", f"# TYPE {name} histogram", *lines]

    def text(self) -> bytes:
        """The whole page."""
        return ("\n".join(self._lines) + "\n").encode("utf-8", "replace")


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{value.translate(_QUOTED)}"' for name, value in labels)
    return "{" + inside + "}"


def _number(value: float) -> str:
    return f"{value:.17g}" if isinstance(value, int) else repr(float(value)).removesuffix(".0")
