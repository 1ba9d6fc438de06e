"""What keeps operators from being removed, and what a working one tells."""

from __future__ import annotations

import http.server
import threading

import pytest

from operators.cli.check import dependent, refusal, service_trouble
from operators.cli.main import main


def workload(name, **metadata):
    return {"metadata": {"namespace": "arena", "name": name, **metadata}}


def test_what_is_being_deleted_no_longer_needs_an_operator():
    items = [workload("a"), workload("b", deletionTimestamp="2026-01-01T00:00:00Z"), workload("c")]
    assert dependent(items) == ["arena/a", "arena/c"]


def test_a_refusal_names_the_workloads_and_both_ways_on():
    said = refusal({"gamedeployments": ["arena/a"], "gamestatefulsets": ["arena/b", "arena/c"]}, "ours", "ops", "7")
    assert "1 gamedeployments: arena/a" in said
    assert "2 gamestatefulsets: arena/b, arena/c" in said
    assert "helm uninstall --no-hooks" in said
    assert "helm rollback ours 7 -n ops" in said


def test_a_refusal_stays_short():
    said = refusal({"gamedeployments": [f"arena/{n}" for n in range(2000)]}, "ours", "ops", "7")
    assert "2000 gamedeployments" in said
    assert "arena/9 and 1990 more" in said
    assert len(said) < 1000


def test_a_ready_replica_tells_whether_it_leads():
    assert service_trouble("# HELP x\ngame_operators_leader 0.0\n") == ""
    assert "game_operators_leader is missing" in service_trouble("up 1\n")


@pytest.fixture
def server():
    """Answers like a replica; ``answers`` are by path."""

    answers = {"/readyz": (200, "ok"), "/metrics": (200, "game_operators_leader 1.0\n")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            """Nothing."""

    made = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}", answers
    made.shutdown()
    made.server_close()


def test_check_service_succeeds_where_a_replica_is_ready(server, capsys):
    assert main(["check-service", server[0]]) == 0
    assert "ok, and it tells its metrics" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/readyz", (503, "waiting for the caches of pods"), "does not answer"),
        ("/metrics", (200, "up 1\n"), "another program's"),
    ],
)
def test_check_service_fails_where_none_is(server, capsys, path, answer, said):
    server[1][path] = answer
    assert main(["check-service", server[0]]) == 1
    assert said in capsys.readouterr().out


def test_check_service_fails_where_nobody_listens(capsys):
    assert main(["check-service", "http://127.0.0.1:9"]) == 1
    assert "does not answer" in capsys.readouterr().out


def test_check_uninstall_knows_its_kinds():
    with pytest.raises(SystemExit) as ended:
        main(["check-uninstall", "pods"])
    assert ended.value.code == 2
