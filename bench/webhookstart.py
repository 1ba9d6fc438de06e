"""Start time and memory of the webhooks' process: ``python -m bench.webhookstart [RUNS]``.

Each run starts two processes: one only imports the program, the other serves with certificates from files until it is
ready. Reported are medians, with the least and the most: wall-clock seconds until /readyz says yes, CPU seconds until
then, and resident memory in MiB after the imports and when ready.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devcluster.processes import free_port
from webhooks.authority import issue, new_authority

_KUBECONFIG = """\
{"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
 "users": [{"name": "u", "user": {"token": "t"}}],
 "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x"}
"""
_IMPORTS = "import webhooks.main; print(open('/proc/self/status').read())"


def resident(status: str) -> float:
    """MiB of a process by its /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cpu(process: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ready(port: int) -> bool:
    """Whether the process serves a certificate."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def serve(folder: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and MiB of one process until it is ready."""
    port = free_port()
    flags = [f"--tlscert={folder}/crt", f"--tlskey={folder}/key", f"--kubeconfig={folder}/config", "--drain=0.1"]
    flags += [f"--metric-port={port}", f"--webhook-port={free_port()}", "--webhook-address=127.0.0.1"]
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "webhooks.main", "serve", *flags], stderr=subprocess.DEVNULL)
    try:
        while not ready(port):
            if process.poll() is not None or time.monotonic() - began > 60:
                raise SystemExit("the webhooks did not become ready")
            time.sleep(0.005)
        took = time.monotonic() - began
        return took, cpu(process.pid), resident(Path(f"/proc/{process.pid}/status").read_text())
    finally:
        process.terminate()
        process.wait()


def main(runs: int) -> None:
    """Measure and print."""
    now = datetime.now(UTC)
    authority = new_authority(now, timedelta(days=1))
    pair = issue(authority, ["localhost"], now, timedelta(days=1))
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in (("crt", pair.certificate), ("key", pair.key), ("config", _KUBECONFIG.encode())):
            (folder / file).write_bytes(content)
        for _ in range(runs):
            imported = subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True)
            figures.append((*serve(folder), resident(imported.stdout)))
    titles = ("s until ready", "CPU s", "MiB ready", "MiB imported")
    for title, column in zip(titles, zip(*figures, strict=True), strict=True):
        middle = statistics.median(column)
        print(f"{title:14} {middle:7.2f}  ({min(column):.2f} to {max(column):.2f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
