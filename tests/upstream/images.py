"""Stand-ins for the images that the tests ask for: busybox under their names, with what the tests run in them."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

from devcluster import images
from devcluster.state import Missing

#: Commands that the tests run in pods.
_APPLETS = [
    "sh",
    "test",
    "dd",
    "ls",
    "cat",
    "echo",
    "printf",
    "hostname",
    "touch",
    "sleep",
    "httpd",
    "rm",
    "mkdir",
    "date",
    "sync",
]
#: busybox knows no ``mv -v``.
_MV = b'#!/bin/sh\n[ "$1" = -v ] && shift\nexec /bin/busybox mv "$@"\n'
#: Serves what httpd's image serves, and ends at once on SIGTERM.
_SERVE = b"#!/bin/sh\ntrap 'exit 0' TERM\nhttpd -f -p 80 -h /usr/local/apache2/htdocs &\nwait\n"
_PAUSE = b"#!/bin/sh\ntrap 'exit 0' TERM\nsleep 1000000 &\nwait\n"


def stand_in_for(image: str) -> bytes:
    """The archive of an image of that name.

    Raises:
        Missing: busybox is not installed.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        raise Missing("busybox is not installed; on Debian: apt-get install busybox-static")
    command = "serve" if "httpd" in image else "pause" if "pause" in image else "sh"
    return images.oci_archive(image, _layer(Path(busybox).read_bytes()), [f"/bin/{command}"])


def _layer(busybox: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "tmp", "usr", "usr/local", "usr/local/apache2", "usr/local/apache2/htdocs"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        files = {"bin/busybox": busybox, "bin/mv": _MV, "bin/serve": _SERVE, "bin/pause": _PAUSE}
        for name, data in files.items():
            images.add(tar, name, data, 0o755)
        images.add(tar, "usr/local/apache2/htdocs/index.html", b"<html><body><h1>It works!</h1></body></html>\n")
        for applet in _APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
    return out.getvalue()
