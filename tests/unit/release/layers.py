"""What is in the uppermost layer of an image's archive."""

import gzip
import hashlib
import io
import json
import tarfile


def contents(files):
    """Hash and mode of every file of the layer, by name."""

    def blob(entry):
        return files["blobs/sha256/" + entry["digest"].removeprefix("sha256:")]

    manifest = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
    packed = blob(manifest["layers"][-1])
    plain = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    with tarfile.open(fileobj=io.BytesIO(plain)) as layer:
        return {
            m.name: (m.mode, hashlib.sha256(layer.extractfile(m).read()).hexdigest() if m.isfile() else m.linkname)
            for m in layer.getmembers()
        }
