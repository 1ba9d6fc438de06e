"""Fixtures of the test cluster. A test that asks for `cluster` fails where there is none; it is never skipped."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from devcluster import account, choose, demorelease, operator, processes
from devcluster.audit import Audit
from devcluster.choose import Cluster
from devcluster.controlplane import ApiServer
from devcluster.state import Missing
from tests.lanes import LANES

_CRDS = Path(__file__).parent.parent / "crds"
_E2E = Path(__file__).parent / "e2e"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--no-cluster``."""
    text = "leave out the tests that need a cluster, and say how many they are"
    parser.addoption("--no-cluster", action="store_true", help=text)
    text = "run one lane of the tests: those that need a node, those on a control plane of their own, those alone"
    parser.addoption("--lane", choices=LANES, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the markers that choose the lane of a test; have Ctrl-C work in the programs that tests start.

    A shell ignores SIGINT in what it starts in the background, and whoever is started from there ignores it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "nodes: needs a cluster with a node (docs/decisions/0061-tests-side-by-side.md)")
    config.addinivalue_line("markers", "alone: measures wall-clock time, so that nothing else may run beside it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is of other lanes, and what needs a cluster when the user says there is to be none."""
    if wanted := config.getoption("--lane"):
        lanes = {item: lane_of(item) for item in items}
        config.hook.pytest_deselected(items=[item for item in items if lanes[item] != wanted])
        items[:] = [item for item in items if lanes[item] == wanted]
    if not config.getoption("--no-cluster"):
        return
    needing = [item for item in items if _CLUSTER_FIXTURES & set(getattr(item, "fixturenames", ()))]
    config.stash[_LEFT_OUT] = len(needing)
    if needing:
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in set(needing)]


def lane_of(item: pytest.Item) -> str:
    """The lane of a test. Who needs operators of the whole cluster, or real pods, needs the node."""
    if item.get_closest_marker("alone"):
        return "alone"
    whole = "beside" in getattr(item, "fixturenames", ()) or item.path.is_relative_to(_E2E)
    return "nodes" if whole or item.get_closest_marker("nodes") else "control-plane"


_LEFT_OUT = pytest.StashKey[int]()
#: The shared cluster, and an API server of the test's own: both need the programs of a cluster.
_CLUSTER_FIXTURES = {"cluster", "api_server"}


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say how many tests ``--no-cluster`` left out."""
    count = config.stash.get(_LEFT_OUT, None)
    return [] if count is None else [f"--no-cluster: {count} tests that need a cluster are left out"]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster, started or repaired if need be; it stays up after the tests.

    With several workers one starts it while the others wait.
    """
    try:
        if request.config.getoption("--lane") == "control-plane":
            with closing(ApiServer(tmp_path_factory.mktemp("control-plane"), controllers=True)) as server:
                server.start()
                yield Cluster(server.kubeconfig, "built")
        else:
            yield choose.up()
    except Missing as reason:
        pytest.fail(f"this test needs a cluster, and there is none: {reason}", pytrace=False)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, ready for pods; its deletion is not waited for."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)

    def account_exists() -> bool:
        listed = cluster.kubectl("get", "serviceaccounts", "-n", name, "-o", "name")
        return "serviceaccount/default" in listed.split()

    try:
        assert processes.wait(account_exists, 30), f"namespace {name} got no default service account within 30 s"
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> tuple[str, ...]:
    """The project's CRDs, applied and established; their names."""
    files = sorted(_CRDS.glob("*.yaml"))
    if not files:
        return ()
    arguments = [part for file in files for part in ("-f", str(file))]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", *arguments)
    listed = json.loads(cluster.kubectl("get", *arguments, "-o", "json"))
    names = tuple(item["metadata"]["name"] for item in listed.get("items", [listed]))
    cluster.kubectl(
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        *(f"crd/{name}" for name in names),
    )
    return names


class Beside:
    """The operators beside the cluster: run for the modules that want them, gone for those that run their own.

    They may what the chart's roles allow, and nothing else: what they are refused is a right that the chart lacks.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._kubeconfig, self._ours = cluster, cluster.kubeconfig, False
        self._audit: Audit | None = None

    def start(self) -> None:
        """Have them run from the sources as they are; those of a demo make way."""
        if not (self._ours and processes.alive("operators")):
            demorelease.remove(self._cluster)
            self._kubeconfig = account.kubeconfig(self._cluster)
            if self._audit is None and Audit.readable(self._cluster):
                self._audit = Audit(account.USER)
            self.again()
            self._ours = True

    def again(self) -> None:
        """Start them once more, as somebody does after they have died."""
        operator.start(self._kubeconfig, f"--leader-elect-namespace={account.NAMESPACE}")

    def refused(self) -> set[tuple[str, str, str]]:
        """Rights that they lacked since this was last called, by the audit log where there is one to read."""
        if self._audit is None:
            return set()
        since, self._audit = self._audit, Audit(account.USER)
        return {request.right for request in since.requests() if request.refused}

    def stop(self) -> None:
        """Have none: two of a kind would undo each other's work."""
        operator.stop()
        demorelease.remove(self._cluster)
        self._ours = False


@pytest.fixture(scope="session")
def beside(cluster: Cluster) -> Iterator[Beside]:
    """The operators of this session, ended with it."""
    found = Beside(cluster)
    yield found
    operator.stop()
    account.remove(cluster)


@pytest.fixture(scope="module")
def operators(beside: Beside, crds: tuple[str, ...]) -> Iterator[ModuleType]:
    """The operators run while a module's tests do; the module `devcluster.operator`, to steer them."""
    beside.start()
    yield operator
    assert beside.refused() == set(), "(group, resource, verb) that the chart's roles lack"


@pytest.fixture(scope="module")
def no_operators(request: pytest.FixtureRequest) -> None:
    """No operators run beside those that a module's tests start. On a control plane of its own there never are any."""
    if request.config.getoption("--lane") != "control-plane":
        request.getfixturevalue("beside").stop()
