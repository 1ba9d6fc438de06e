"""A registry of images on this machine's loopback address, for what needs images that were pulled.

The node's runtime speaks plain HTTP with it, as with any registry of the loopback address.
"""

import http.server
import json
import tarfile
import threading
from contextlib import contextmanager


class Registry:
    """Serves images from OCI archives under ``name``; which tag leads to which archive may change."""

    def __init__(self, name):
        self.name, self.blobs, self.tags, self.pulls = name, {}, {}, []
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                registry.answer(self, body=True)

            def do_HEAD(self):
                registry.answer(self, body=False)

            def log_message(self, *_):
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    @property
    def image(self):
        return f"127.0.0.1:{self.server.server_address[1]}/{self.name}"

    def push(self, tag, archive):
        """Let a tag lead to the image of an archive; its digest."""
        with tarfile.open(archive) as files:
            for member in files.getmembers():
                if member.name.startswith("blobs/sha256/"):
                    self.blobs["sha256:" + member.name.rpartition("/")[2]] = files.extractfile(member).read()
            index = json.load(files.extractfile("index.json"))
        self.tags[tag] = index["manifests"][0]["digest"]
        return self.tags[tag]

    def answer(self, request, *, body):
        """The two questions of a pull: for a manifest by tag or digest, and for a blob."""
        kind, _, reference = request.path.removeprefix(f"/v2/{self.name}/").partition("/")
        digest = self.tags.get(reference, reference) if kind == "manifests" else reference
        content = b"{}" if request.path == "/v2/" else self.blobs.get(digest)
        if content is None:
            request.send_error(404)
            return
        if kind == "manifests":
            self.pulls.append(reference)
        manifest = kind == "manifests"
        type_ = "application/vnd.oci.image.manifest.v1+json" if manifest else "application/octet-stream"
        request.send_response(200)
        request.send_header("Content-Type", type_)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("Docker-Content-Digest", digest)
        request.end_headers()
        if body:
            request.wfile.write(content)


@contextmanager
def registry(name):
    """One that serves until the end."""
    found = Registry(name)
    found.thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
