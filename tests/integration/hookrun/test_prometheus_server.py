"""A real Prometheus server is asked (docs/spec/hooks.md 5.2, cases 89 to 94)."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import processes
from devcluster.packages import install_prometheus
from devcluster.state import Missing
from operators.api.hooktemplate import Metric
from operators.api.providers.prometheus import PrometheusProvider
from operators.hookrun.outcome import measurement_phase
from operators.hookrun.providers.base import MeasuredValue, ProviderError
from operators.hookrun.providers.prometheus import Prometheus
from tests.integration.hookrun.hooks import Hooks
from tests.unit.hookrun.inprocess import connections, measured_by
from tests.unit.hookrun.runs import metric, request
from tests.unit.hookrun.servers import HERE

TWO = 'label_replace(vector(0), "n", "a", "", "") or label_replace(vector(1), "n", "b", "", "")'


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus server of the test's own, with nothing to scrape."""
    try:
        program = install_prometheus()
    except Missing as reason:
        pytest.fail(f"this test needs a Prometheus server: {reason}", pytrace=False)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text("global: {}\n")
    address = f"127.0.0.1:{_free_port()}"
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command = [program, *flags, f"--web.listen-address={address}", "--log.level=warn"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as server:
        try:
            url = f"http://{address}"
            assert processes.wait(lambda: _ready(url), 30), (folder / "log").read_text()
            yield url
        finally:
            server.terminate()


async def ask(url: str, query: str, **args: str) -> MeasuredValue:
    settings = PrometheusProvider(address=url, query=query)
    return await measured_by(Prometheus(), settings, request(**args), connections(HERE))


def judged(value: MeasuredValue, success: str = "", failure: str = "") -> str:
    conditions = {"successCondition": success or None, "failureCondition": failure or None}
    return measurement_phase(Metric.model_validate(metric(**conditions)), value)[0]


@pytest.mark.parametrize(
    ("number", "query", "text", "success", "phase"),
    [
        (89, TWO, "[0,1]", "0 in result", "Successful"),
        (89, TWO, "[0,1]", "result[0] == 0", "Successful"),
        (89, TWO, "[0,1]", "all(result, {# > 0})", "Failed"),
        (89, "vector(2.5)", "[2.5]", "result == 2.5", "Error"),
        (89, "vector(7)", "[7]", "asInt(result) == 7", "Successful"),
        (90, "scalar(vector(0))", "0", "result == 0", "Successful"),
        (90, "1 / 0", "+Inf", "result > 1000", "Successful"),
        (90, "1e21", "1000000000000000000000", "asFloat(result) == 1e21", "Successful"),
        (91, '"0"', "0", "asInt(result) == 1", "Failed"),
        (91, '"0"', "0", 'result == "0"', "Successful"),
        (92, "0 / 0", "NaN", "result == 0", "Inconclusive"),
        (92, f"({TWO}) / ({TWO})", "[NaN,1]", "len(result) == 2", "Inconclusive"),
        (92, "0 / 0", "NaN", "isNaN(result)", "Successful"),
        (93, "vector(1) > 2", "[]", "result[0] > 1", "Error"),
        (93, "vector(1) > 2", "[]", "len(result) == 0", "Successful"),
        (93, "vector(1) > 2", "[]", "len(result) > 0 && result[0] >= 1", "Failed"),
        (93, "vector(1) > 2", "[]", "", "Successful"),
    ],
)
async def test_hook_89_to_93_results(
    prometheus_url: str, number: int, query: str, text: str, success: str, phase: str
) -> None:
    value = await ask(prometheus_url, query)
    assert (value.text, judged(value, success)) == (text, phase)


async def test_hook_91_failure_condition_on_a_string(prometheus_url: str) -> None:
    assert judged(await ask(prometheus_url, '"0"'), failure="asInt(result) == 0") == "Failed"


async def test_hook_94_matrix(prometheus_url: str) -> None:
    with pytest.raises(ProviderError, match="Prometheus metric type not supported"):
        await ask(prometheus_url, "up[1m]")


async def test_a_query_that_is_none(prometheus_url: str) -> None:
    with pytest.raises(ProviderError, match=r"Prometheus answered 400: .*parse error"):
        await ask(prometheus_url, "sum(")


async def test_an_argument_stays_within_its_string(prometheus_url: str) -> None:
    """Prometheus itself reads back what was put into a string."""
    text = 'a"b\\c\nd'
    assert (await ask(prometheus_url, '"{{ args.x }}"', x=text)).text == text
    assert (await ask(prometheus_url, "'{{ args.x }}'", x=text + "'")).text == text + "'"
    assert (await ask(prometheus_url, "{{ args.x }} * 2", x="vector(3)")).text == "[6]"


async def test_a_prefix_in_the_address(prometheus_url: str) -> None:
    with pytest.raises(ProviderError, match="Prometheus answered 404"):
        await ask(prometheus_url + "/elsewhere/", "1")
    assert (await ask(prometheus_url + "/", "1")).text == "1"


async def test_a_run_that_asks_prometheus(hooks: Hooks, prometheus_url: str) -> None:
    """The white paper's example: errors in a row end it, the failure condition fails it."""

    def promtest(query: str, **fields: Any) -> dict[str, Any]:
        provider = {"prometheus": {"address": prometheus_url, "query": query}}
        return {"name": "promtest", "count": 10, "interval": "1s", "provider": provider, **fields}

    async with hooks.working():
        await hooks.create("good", promtest('"1"', failureCondition="asInt(result) == 0", successfulLimit=1))
        await hooks.create("bad", promtest('"0"', failureCondition="asInt(result) == 0", failureLimit=0))
        await hooks.create("broken", promtest("sum(", failureCondition="asInt(result) == 0", consecutiveErrorLimit=2))
        phases = [(await hooks.end_of(name))["phase"] for name in ("good", "bad", "broken")]
        broken = (await hooks.status("broken"))["metricResults"][0]
    assert phases == ["Successful", "Failed", "Error"]
    assert (broken["count"], broken["consecutiveError"]) == (2, 2)
    assert "parse error" in broken["message"]
