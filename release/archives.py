"""Archives whose bytes depend on their content alone: sorted, owned by nobody, all of one time."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def tar(files: Mapping[str, bytes], epoch: int, *, first: str | None = None) -> bytes:
    """A tar of these files.

    Args:
        files: Content by name.
        epoch: Time of every entry, in seconds since 1970.
        first: Name of the entry at the head, where a reader wants one there; the others follow by name.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for name in sorted(files, key=lambda n: (n != first, n)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(files[name]), epoch, 0o644
            out.addfile(entry, io.BytesIO(files[name]))
    return made.getvalue()


def tar_gz(files: Mapping[str, bytes], epoch: int, *, first: str | None = None) -> bytes:
    """The same, compressed."""
    return gzip.compress(tar(files, epoch, first=first), mtime=epoch)


def read(path: Path) -> dict[str, bytes]:
    """The files in a tar, by name."""
    with tarfile.open(path) as archive:
        found = {m.name.removeprefix("./"): archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        return {name: content.read() for name, content in found.items() if content is not None}
