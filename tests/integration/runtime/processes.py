"""``game-operators run`` as a process of a test's own: own namespace, own Lease, own ports, own log."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from devcluster.processes import free_port

PROGRAM = Path(sys.executable).with_name("game-operators")


class Process:
    """One process, of one namespace or of all (None); ended at the end of the test, by its own id."""

    def __init__(self, kubeconfig, folder, namespace, *arguments, name="one", lease="games", port=None, **environment):
        self.port, self.liveness_port = port or free_port(), free_port()
        self.log_file = folder / f"{name}.log"
        flags = {
            "kubeconfig": kubeconfig,
            "leader-elect-namespace": namespace or "default",
            "leader-elect-name": lease,
            "address": "127.0.0.1",
            "metric-port": self.port,
            "liveness-port": self.liveness_port,
            "leader-elect-lease-duration": 4,
            "leader-elect-renew-deadline": 3,
            "leader-elect-retry-period": 0.5,
        }
        if namespace is not None:
            flags["namespace"] = namespace
        command = [str(PROGRAM), "run", *(f"--{k}={v}" for k, v in flags.items()), *arguments]
        with self.log_file.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "POD_NAME": name, **environment},
            )

    def read(self, path, port=None):
        """Status and text of an endpoint; (0, "") while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def value(self, metric):
        """Value of a metric without labels, or with exactly these as text; None while there is none."""
        for line in self.read("/metrics")[1].splitlines():
            if line.startswith(f"{metric} "):
                return float(line.rsplit(" ", 1)[1])
        return None

    @property
    def ready(self):
        return self.read("/readyz")[0] == 200

    @property
    def leads(self):
        return self.value("game_operators_leader") == 1.0

    @property
    def log(self):
        """Records of the log so far; every line must be one."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def messages(self):
        """Message and fields of each record, as one text."""
        frame = ("ts", "level", "logger", "exc")
        return [" ".join(str(v) for k, v in record.items() if k not in frame) for record in self.log]

    def until(self, what, condition, seconds=60.0):
        """Wait for a condition; fail with the end of the log."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self._tail()}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {what}\n{self._tail()}"
            time.sleep(0.05)

    def end(self, seconds=30.0, number=signal.SIGTERM):
        """Signal the process and wait for its end; the exit code."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=30.0):
        """Wait for its end; the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {seconds} s\n{self._tail()}") from None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def _tail(self):
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-20:])
