"""What a project was when it was made, kept in the project itself.

By it an update tells the owner's changes from the template's.

A rendering depends on the template of a past release, which nobody may have at hand any more. So
the rendering itself is kept, as one small archive whose bytes depend on its content alone.

Must not know: templates, or how changes are brought together.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from lockgate.errors import LockgateError

PLACE: Final = Path(".lockgate") / "as-generated.zip"
_LARGEST: Final = 5_000_000
_THEN: Final = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file can say
_PLAIN_FILE: Final = 0o100644 << 16


def keep(project: Path, rendered: Path) -> None:
    """Keep a rendering in a project."""
    place = project / PLACE
    place.parent.mkdir(exist_ok=True)
    partial = place.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in contents(rendered).items():
            entry = zipfile.ZipInfo(name, _THEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _PLAIN_FILE
            archive.writestr(entry, content)
    partial.replace(place)


def contents(rendered: Path) -> dict[str, bytes]:
    """Every file of a rendering, by its path with slashes."""
    found = sorted(path for path in rendered.rglob("*") if path.is_file())
    return {
        path.relative_to(rendered).as_posix(): path.read_bytes()
        for path in found
        if PLACE.parent != path.relative_to(rendered).parent
    }


def kept(project: Path) -> dict[str, bytes]:
    """What a project keeps.

    Raises:
        LockgateError: it keeps nothing, or nothing that can be read.
    """
    try:
        with zipfile.ZipFile(project / PLACE) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _LARGEST:
                raise zipfile.BadZipFile("too large")
            return {entry.filename: archive.read(entry) for entry in entries if _inside(entry)}
    except (OSError, zipfile.BadZipFile) as error:
        raise LockgateError(
            f"{project / PLACE} cannot be read, so nobody knows what the project once was.",
            "Restore the file from the project's history.",
            reason="unfit-here",
        ) from error


def _inside(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry stays in the folder it is unpacked into."""
    path = Path(entry.filename)
    return not entry.is_dir() and not path.is_absolute() and ".." not in path.parts
