"""Keys for TLS without a file on disk: the file system is read-only, and a key should not be written anyway."""

from __future__ import annotations

import os
import ssl


def load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a PEM certificate chain and its key from memory; the ssl module itself takes paths only.

    Raises:
        ssl.SSLError: they cannot be read, or do not belong together.
    """
    certificate_file, key_file = os.memfd_create("certificate"), os.memfd_create("key")
    try:
        paths: list[str] = []
        for file, content in ((certificate_file, certificate), (key_file, key)):
            os.write(file, content)
            paths.append(f"/proc/self/fd/{file}")
        context.load_cert_chain(paths[0], paths[1])
    finally:
        os.close(certificate_file)
        os.close(key_file)
