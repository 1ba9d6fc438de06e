"""``hook run``: measured from here as the controller would, and ``renew``, ``pass`` and ``cancel``."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator

from operators.api.hookrun import HookRunSpec
from operators.api.hooktemplate import Metric
from operators.cli.game.access import refusal
from operators.cli.game.documents import HookTrial
from operators.cli.game.exits import CommandError, UsageError
from operators.cli.game.hookorders import cancel, confirmed, passage, renew
from operators.cli.game.schemas import load
from operators.cli.game.text import plain
from operators.cli.game.trial import SHOWN, Trial, proxy_path
from operators.cli.game.trials import outcome, trial_screen
from operators.hookrun import isolated
from operators.kube.errors import Forbidden
from operators.planning.views import OwnerView
from tests.unit.cli.game import worlds
from tests.unit.gamedeployment.observations import pod as pod_of
from tests.unit.hookrun import test_conditions, test_jsonpath

POD = replace(pod_of("7xk2p", "gd-old"), name="arena-7xk2p", pod_ip="10.0.3.7", namespace="eu")
PATH = "/api/v1/namespaces/eu/pods/arena-7xk2p:8080/proxy/players"


class Server:
    """An API server that fetches from pods, and knows one pod."""

    def __init__(self, body=b"{}", status=200, error=None):
        self.body, self.status, self.error, self.asked, self.patches = body, status, error, [], []

    async def through_proxy(self, path, headers, *, timeout, most):
        self.asked.append((path, dict(headers), timeout))
        if self.error is not None:
            raise self.error
        return self.status, self.body

    async def get(self, resource, namespace, name):
        owner = {"kind": "GameDeployment", "name": "arena", "uid": "u", "controller": True}
        return {"metadata": {"name": name, "namespace": namespace, "uid": "p", "resourceVersion": "1",
                             "annotations": {"ready": "true"}, "ownerReferences": [owner]}}  # fmt: skip

    async def merge_patch(self, resource, namespace, name, patch):
        self.patches.append(patch)
        return {}


def web(path="{$.players}", **conditions):
    provider = {"web": {"url": "http://{{ args.PodIP }}:8080/players", "jsonPath": path,
                        "headers": [{"key": "X-Token", "value": "secret"}]}}  # fmt: skip
    return {"name": "players", "interval": "5s", "provider": provider, **conditions}


async def tried(metric, server, pod=POD, **options):
    args = (("PodIP", pod.pod_ip), ("PodName", pod.name), ("PodNamespace", "eu"))
    return await Trial(server, "eu", pod, args, **options).measure(Metric.model_validate(metric))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://10.0.3.7:8080/players", PATH),
        ("http://10.0.3.7:8080/players?a=b%2Fc", PATH + "?a=b%2Fc"),
        ("https://10.0.3.7/x", "/api/v1/namespaces/eu/pods/https:arena-7xk2p:443/proxy/x"),
        ("http://judge.ci.svc:80/hook", "/api/v1/namespaces/ci/services/judge:80/proxy/hook"),
        ("http://judge.ci.svc.cluster.local/hook", "/api/v1/namespaces/ci/services/judge:80/proxy/hook"),
        ("http://10.0.3.8:8080/players", None),
        ("http://example.com/x", None),
        ("ftp://10.0.3.7/x", None),
        ("http://[", None),
    ],
)
def test_pods_and_services_are_asked_through_the_api_server(url, path):
    assert proxy_path(url, "eu", POD) == path


async def test_a_trial_shows_what_was_asked_what_came_back_and_what_the_condition_makes_of_it():
    server = Server(b'{"players":37,"map":"dust"}')
    metric = web(successCondition="asInt(result) == 0")
    told, verdict = await tried(metric, server)
    ((path, headers, _),) = server.asked
    assert (path, headers["X-Token"]) == (PATH, "secret")
    phase, as_a_run = outcome(HookRunSpec(metrics=(Metric.model_validate(metric),)), [("players", verdict)], 1e9)
    told = told.model_copy(update={"seconds": 0.004})
    where = {"template": "no-players", "namespace": "eu", "pod": "arena-7xk2p", "run": ""}
    found = HookTrial(at="2026-01-01T00:00:00Z", **where, metrics=(told,), phase=phase, as_a_run=as_a_run)
    assert plain(trial_screen(found)).splitlines() == [
        'players: GET http://10.0.3.7:8080/players → 200 in 4 ms   {"players":37,"map":"dust"}',
        '  jsonPath {$.players} → "37"     successCondition asInt(result) == 0 → false',
        "  Failed",
        "once: Failed.  As a run: asked every 5s, for ever; the pod stays as long as the answer is not as wanted.",
    ]
    body = json.loads(json.dumps(found.dump()))
    Draft202012Validator(load("HookTrial")).validate(body)
    assert "secret" not in json.dumps(body)


CASES = [
    *((web("{$}", successCondition=text), json.dumps(result)) for text, result in
      test_conditions.test_language.pytestmark[0].args[1] if isinstance(result, str)),
    *((web("{$}", failureCondition=text), json.dumps(result)) for text, result, _ in
      next(v for v in vars(test_conditions).values() if getattr(v, "pytestmark", None) and
           v.pytestmark[0].args[0] == ("text", "result", "reason")).pytestmark[0].args[1]
      if isinstance(result, str) and len(text) <= 4096),
    *((web(path, successCondition="len(result) > 2"), json.dumps(test_jsonpath.BODY)) for path, _ in
      test_jsonpath.test_paths.pytestmark[0].args[1]),
    *((web(path), json.dumps(test_jsonpath.BODY)) for path in
      test_jsonpath.test_hook_87_missing_keys.pytestmark[0].args[1]),
]  # fmt: skip


def test_ux_31_there_are_enough_cases():
    assert len(CASES) > 80


@pytest.mark.parametrize("number", range(len(CASES)))
async def test_ux_31_the_verdict_is_the_controllers(number):
    metric, answer = CASES[number]
    told, verdict = await tried(metric, Server(answer.encode()))
    read = Metric.model_validate(metric)
    argument = {"provider": "web", "reading": {"jsonPath": read.provider.web.json_path},
                "success": read.success_condition, "failure": read.failure_condition}  # fmt: skip
    wanted = isolated.judge_measurement(argument, answer.encode())
    assert (str(verdict.phase), verdict.message, verdict.value) == (wanted["phase"], wanted["message"], wanted["value"])
    for holds in told.conditions.values():
        assert (holds == "true") == (wanted["phase"] == ("Failed" if read.failure_condition else "Successful"))


async def test_what_the_game_server_refuses_and_what_it_cannot_be_asked_are_errors_of_the_measurement():
    told, verdict = await tried(web(), Server(b"no", 503))
    assert (str(verdict.phase), told.status, told.answer) == ("Error", 503, "no")
    assert "received non 2xx response code: 503" in verdict.message


async def test_ux_35_without_the_right_it_says_what_to_ask_for():
    error = Forbidden(
        403, "Forbidden", 'pods "a" is forbidden: User "ada" cannot get resource "pods/proxy" in API group'
    )
    with pytest.raises(Forbidden):
        await tried(web(), Server(error=error))
    assert refusal(error).endswith(
        "get on pods/proxy is in the cluster role 'edit'; or let the operators measure: --in-cluster"
    )


async def test_ux_34_a_body_is_cut_at_a_kibibyte_and_headers_are_not_shown():
    told, _ = await tried(web(), Server(b'{"players": "' + b"x" * 9000 + b'"}'))
    assert len(told.answer) == SHOWN
    assert len(told.value.encode()) <= SHOWN
    assert "secret" not in json.dumps(told.model_dump())


@pytest.mark.parametrize("write", [False, True])
async def test_ux_34_a_patch_is_done_with_write_alone(write):
    fields = [{"path": "metadata.annotations.weight", "value": "0"}]
    metric = {
        "name": "drain",
        "successfulLimit": 1,
        "provider": {"kubernetes": {"function": "patch", "fields": fields}},
    }
    server = Server()
    pod = replace(POD, owner=OwnerView("GameDeployment", "arena", "u"))
    told, verdict = await tried(metric, server, pod, may_write=write)
    assert told.request == "patch annotations weight=0"
    assert bool(server.patches) == write
    assert str(verdict.phase) == ("Successful" if write else "Pending")
    if write:
        assert server.patches[0]["metadata"]["annotations"]["weight"] == "0"
    else:
        assert told.message == "not written: add --write"


async def test_a_get_of_annotations_reads_with_the_users_own_rights():
    fields = [{"path": "metadata.annotations.ready", "value": "true"}]
    metric = {"name": "ready", "successfulLimit": 1, "provider": {"kubernetes": {"function": "get", "fields": fields}}}
    pod = replace(POD, owner=OwnerView("GameDeployment", "arena", "u"))
    told, verdict = await tried(metric, Server(), pod)
    assert (str(verdict.phase), told.request) == ("Successful", "get annotations ready=true")


@pytest.mark.parametrize(
    ("metric", "phase", "said"),
    [
        (web(), "Successful", "ends Successful at once: the pod may go, or the step goes on"),
        (web(successfulLimit=3), "Successful", "asked every 5s, for ever"),
        (web(failureCondition="true"), "Failed", "ends Failed at once: the pod stays"),
        (web(successCondition="false", count=4), "Failed", "4 times at most, then it ends Successful"),
        (web("{.none}"), "Error", "asked every 5s, for ever"),
        (web("{.none}", consecutiveErrorLimit=1), "Error", "ends Error at once"),
    ],
)
async def test_what_a_run_would_make_of_it_is_the_controllers_assessment(metric, phase, said):
    _, verdict = await tried(metric, Server(b'{"players":37}'))
    found = outcome(HookRunSpec(metrics=(Metric.model_validate(metric),)), [("players", verdict)], 1e9)
    assert found[0] == phase
    assert said in found[1]


# ---- renew, pass, cancel


def asked():
    found = worlds.waiting()
    name = min(found.runs)
    return found, found.runs[name]


def test_renew_and_cancel_remove_what_they_are_meant_for():
    _, body = asked()
    body = {**body, "metadata": {**body["metadata"], "ownerReferences": [
        {"kind": "GameDeployment", "name": "arena", "uid": "u", "controller": True}]}}  # fmt: skip
    name = body["metadata"]["name"]
    removal = renew(body)
    assert (removal.name, removal.uid) == (name, body["metadata"]["uid"])
    assert "gd/arena asks anew" in removal.told
    with pytest.raises(CommandError, match=f"Instead: kubectl game hook renew {name}"):
        cancel(body)
    own = {**body, "metadata": {**body["metadata"], "ownerReferences": []}}
    assert cancel(own).name == name
    with pytest.raises(CommandError, match=f"Instead: kubectl game hook cancel {name}"):
        renew(own)
    with pytest.raises(CommandError, match="it has said yes"):
        renew({**body, "status": {"phase": "Successful"}})
    with pytest.raises(CommandError, match="is being removed already"):
        renew({**body, "metadata": {**body["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})


def test_pass_says_whose_players_it_risks_and_wants_the_pods_name():
    found, body = asked()
    way = passage(body, found)
    assert way.subject.startswith("arena-")
    assert f"{way.subject} goes on although its hook has not said yes; players inside are cut off" in way.risk
    assert "its last answer: players 37" in way.risk
    assert way.write.merge == {"spec": {"terminate": True}}
    assert way.write.patch()["metadata"] == {
        "resourceVersion": body["metadata"]["resourceVersion"],
        "uid": body["metadata"]["uid"],
    }
    confirmed(way.subject, None, way.subject + "\n")
    confirmed(way.subject, way.subject, None)
    with pytest.raises(UsageError, match=f"--confirm {way.subject}"):
        confirmed(way.subject, None, None)
    with pytest.raises(CommandError, match="nothing was written"):
        confirmed(way.subject, "yes", None)


@pytest.mark.parametrize(("phase", "said"), [("Failed", "kubectl game retry gd/arena"), ("Successful", "already")])
def test_pass_of_what_has_ended_is_refused(phase, said):
    found, body = asked()
    owner = {"kind": "GameDeployment", "name": "arena", "uid": "u", "controller": True}
    body = {**body, "status": {"phase": phase}, "metadata": {**body["metadata"], "ownerReferences": [owner]}}
    with pytest.raises(CommandError, match=said):
        passage(body, found)


def test_pass_of_a_canary_step_wants_the_workloads_name():
    world = worlds.fleet(canary={"steps": [{"partition": 6}, {"hook": {"templateName": "test"}}]}).release(2).settle()
    found = worlds.subject(world)
    (body,) = found.runs.values()
    owner = {"kind": "GameDeployment", "name": "arena", "uid": "u", "controller": True}
    way = passage({**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}}, found)
    assert way.subject == "arena"
    assert "the canary of gd/arena goes on although its check has not passed" in way.risk


def test_the_terminal_asks_only_where_there_is_one(monkeypatch, capsys):
    from operators.cli.game.commands import hook

    monkeypatch.setattr(hook.sys, "stdin", SimpleNamespace(isatty=lambda: False))
    assert hook._asked("arena-1") is None
    assert capsys.readouterr().err == ""
