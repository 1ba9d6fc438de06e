"""Plans: what they say of a rollout, in every form, and when it gets stuck."""

import json
import os
import re
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from operators.cli.game.exits import Exit
from operators.cli.game.main import main
from operators.cli.game.plans import build
from operators.cli.game.plans.assume import Wishes, read_hooks
from operators.cli.game.plans.build import several
from operators.cli.game.plans.screen import markdown, plan_screen, plans_screen
from operators.cli.game.schemas import load
from operators.cli.game.text import plain, to_ascii
from tests.unit.cli.game.plans.planworlds import PLANS, STEPS, plan_of
from tests.unit.cli.game.worlds import fleet
from tests.unit.gamestatefulset.sets import Set

ROOT = Path(__file__).parents[5]
INDEXED = {
    "tkex.bkbc.tencent.com/gamedeployment-index-on": "true",
    "tkex.bkbc.tencent.com/gamedeployment-index-range": '{"podStartIndex": 100, "podEndIndex": 104}',
}
MANIFEST = {
    "apiVersion": "tkex.tencent.com/v1alpha1",
    "kind": "GameDeployment",
    "metadata": {"name": "arena"},
    "spec": {
        "replicas": 6,
        "selector": {"matchLabels": {"app": "arena"}},
        "updateStrategy": {"type": "InplaceUpdate", "maxUnavailable": 2, "maxSurge": 0},
        "preInplaceUpdateStrategy": {"hook": {"templateName": "no-players"}},
        "template": {
            "metadata": {"labels": {"app": "arena"}},
            "spec": {"containers": [{"name": "server", "image": "arena:1.4.1"}]},
        },
    },
}
SET = {
    "apiVersion": "tkex.tencent.com/v1alpha1",
    "kind": "GameStatefulSet",
    "metadata": {"name": "realm"},
    "spec": {
        "serviceName": "realm",
        "replicas": 2,
        "selector": {"matchLabels": {"app": "realm"}},
        "preDeleteUpdateStrategy": {"hook": {"templateName": "no-players"}},
        "template": {
            "metadata": {"labels": {"app": "realm"}},
            "spec": {"containers": [{"name": "server", "image": "realm:1"}]},
        },
    },
}


@pytest.fixture
def manifest(tmp_path):
    """A file with these documents."""

    def write(*documents, name="arena.yaml"):
        file = tmp_path / name
        file.write_text(yaml.safe_dump_all(documents or [MANIFEST]))
        return str(file)

    return write


@pytest.fixture
def run(capsys, monkeypatch):
    """``kubectl game plan`` without a kubeconfig, and without a way out."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")

    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    def plan(*arguments):
        code = main(["plan", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return plan


# ---- without a cluster


def test_offline_needs_no_kubeconfig_and_no_connection(run, manifest):
    code, out, err = run("--offline", "-f", manifest(), "--set", "server=arena:1.4.2")
    assert (code, err) == (Exit.REACHED, "")
    assert out.startswith("arena: server arena:1.4.1 → arena:1.4.2; in place, 1 restart.\nNothing blocks.\n")
    assert "6 restarts, 0 new pods, 6 hooks, about 15s." in out
    assert "No cluster was asked" in out
    assert "HookTemplate no-players is in none of the files" in out


def test_a_manifest_alone_is_created_and_one_before_it_is_what_runs(run, manifest):
    _, created, _ = run("--offline", "-f", manifest(), "-o", "json")
    changed = {**MANIFEST, "spec": {**MANIFEST["spec"], "replicas": 4}}
    old = manifest(name="old.yaml")
    _, scaled, _ = run("--offline", "-f", manifest(changed), "--from", old, "-o", "json")
    created, scaled = json.loads(created), json.loads(scaled)
    assert (created["created"], created["deleted"], created["at"]) == (6, 0, None)
    assert (scaled["created"], scaled["deleted"]) == (0, 2)
    assert [c["path"] for c in scaled["changes"]] == ["spec.replicas"]


def test_the_same_manifest_before_and_after_is_nothing_to_do(run, manifest):
    code, out, _ = run("--offline", "-f", manifest(), "--from", manifest(name="old.yaml"), "--exit-code")
    assert (code, out.splitlines()[0]) == (Exit.REACHED, "arena: nothing to do.")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "server=arena:2"], Exit.REACHED),
        (["--set", "server=arena:2", "--exit-code"], Exit.CHANGES),
        (["--set", "server=arena:2", "--exit-code", "--hooks", "no"], Exit.BLOCKED),
        (["--set", "server=arena:2", "--hooks", "no"], Exit.BLOCKED),
        (["--set", "server=arena:2", "--assume-restart", "30m", "--horizon", "1h"], Exit.TIMEOUT),
        (["--set", "arena:2"], Exit.USAGE),
        (["--set", "web=arena:2"], Exit.USAGE),
        (["--hooks", "maybe"], Exit.USAGE),
        (["--hooks", "after:soon"], Exit.USAGE),
        (["--assume-start", "soon"], Exit.USAGE),
    ],
)
def test_exit_codes(run, manifest, arguments, code):
    assert run("--offline", "-f", manifest(), *arguments)[0] == code


@pytest.mark.parametrize(
    "arguments", [[], ["--offline"], ["arena", "--from", "x"], ["--offline", "-f", "/nonexistent"]]
)
def test_what_names_nothing_to_plan_is_said(run, arguments):
    code, out, err = run(*arguments)
    assert code in (Exit.USAGE, Exit.FAILED)
    assert (out, err.startswith("Error: ")) == ("", True)


def test_a_folder_plans_each_workload_and_what_they_ask_together(run, manifest, tmp_path):
    template = {"kind": "HookTemplate", "metadata": {"name": "no-players"}, "spec": {"metrics": [{"name": "m"}]}}
    service = {"kind": "Service", "metadata": {"name": "arena"}}
    manifest(MANIFEST, service)
    manifest(template, {"kind": "List", "items": [SET]}, name="realm.yml")
    (tmp_path / "notes.txt").write_text("{")
    code, out, _ = run("--offline", "-f", str(tmp_path), "--set", "server=x:2", "--exit-code", "-o", "json")
    body = json.loads(out)
    assert (code, body["kind"]) == (Exit.CHANGES, "RolloutPlanList")
    assert [p["workload"]["name"] for p in body["items"]] == ["arena", "realm"]
    assert body["shared"] == [{"template": "no-players", "asked": {"arena": 2, "realm": 1}}]
    Draft202012Validator(load("RolloutPlanList")).validate(body)
    _, text, _ = run("--offline", "-f", str(tmp_path), "--set", "server=x:2")
    assert "HookTemplate no-players: begun together they ask about up to 3 pods at once (arena 2, realm 1)." in text
    _, names, _ = run("--offline", "-f", str(tmp_path), "-o", "name")
    assert names.split() == ["gd/arena", "gsts/realm"]
    code, _, err = run("--offline", "-f", str(tmp_path), "-o", "svg")
    assert (code, "name one of gd/arena, gsts/realm" in err) == (Exit.USAGE, True)
    code, out, _ = run("gsts/realm", "--offline", "-f", str(tmp_path), "-o", "svg")
    assert (code, out.startswith("<svg ")) == (Exit.REACHED, True)


def test_a_manifest_that_cannot_be_is_stuck_at_once(run, manifest):
    broken = {**MANIFEST, "spec": {**MANIFEST["spec"], "selector": {"matchLabels": {"app": "other"}}}}
    code, out, _ = run("--offline", "-f", manifest(broken))
    assert (code, "Gets stuck at +0s: InvalidSpec" in out) == (Exit.BLOCKED, True)


EXAMPLES = sorted(p for p in (ROOT / "examples").rglob("*.yaml") if "kind: Game" in p.read_text())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_example_can_be_planned(run, file):
    workload = next(
        d for d in yaml.safe_load_all(file.read_text()) if d["kind"] in ("GameDeployment", "GameStatefulSet")
    )
    container = workload["spec"]["template"]["spec"]["containers"][0]["name"]
    code, out, _ = run("--offline", "-f", str(file), "--set", f"{container}=game-demo:0.0.2")
    assert (code, "Nothing blocks." in out) == (Exit.REACHED, True)


def test_ux_53_two_plans_of_one_state_are_equal_byte_for_byte(manifest):
    program = """
import sys
from operators.cli.game.main import main
for form in ("text", "json", "svg", "markdown"):
    assert main(["plan", "--offline", "--set", "server=arena:2", "-f", sys.argv[1], "-o", form]) == 0
"""
    environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
    told = [
        subprocess.run(
            [sys.executable, "-c", program, manifest()],
            env={**environment, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1] != b""


# ---- what a plan says


@pytest.mark.parametrize("name", PLANS)
def test_ux_2_and_3_every_form_of_every_plan(name):
    plan = PLANS[name][0]()
    body = json.loads(json.dumps(plan.dump()))
    Draft202012Validator(load("RolloutPlan")).validate(body)
    for wide in (False, True):
        text = plain(plan_screen(plan, wide=wide))
        assert "\x1b" not in text
        assert to_ascii(text).isascii()
        assert "?" not in to_ascii(text)
    assert max(len(str(one)) for one in plan_screen(plan, width=80)) <= 80


def test_the_canary_of_the_page_in_numbers():
    plan = PLANS["canary"][0]()
    assert [(s.does, s.pods, s.begin, s.end, s.asked, s.down, s.allowed, s.person) for s in plan.steps] == [
        ("partition 6", 2, 0, 41, 2, 2, 2, False),
        ("pause", 0, 41, 41, 0, 0, 2, True),
        ("partition 4", 2, 0, 41, 2, 2, 2, False),
        ("pause 300 s", 0, 41, 341, 0, 0, 2, False),
        ("the rest", 4, 341, 423, 4, 2, 2, False),
    ]
    assert (plan.restarts, plan.created, plan.hooks, plan.pauses, plan.seconds) == (8, 0, 8, 1, 464)
    assert [(c.path, c.cost) for c in plan.changes] == [("spec.containers[web].image", "restart")]


def test_actions_carry_the_budget_before_and_after():
    plan = PLANS["canary"][0]()
    begun = [a for a in plan.actions if a.action == "UpdatePodInPlace" and a.why == "grace"]
    assert [(a.down_before, a.down_after) for a in begun[:2]] == [(0, 1), (1, 2)]
    assert all(a.down_after <= plan.allowed for a in plan.actions)


def test_lanes_are_whole_and_end_together():
    for make, _ in PLANS.values():
        plan = make()
        for lane in plan.lanes:
            for one, following in pairwise(lane.spans):
                assert one.end == following.begin
            gone = lane.spans[-1].does == "leaving"
            assert lane.spans[-1].end == plan.lanes_end or gone


def test_the_sentence_fits_a_chat():
    plan = PLANS["canary"][0]()
    assert plan.sentence == "arena: web game:1 → game:2; in place, 1 restart. Nothing blocks."


def test_markdown_shows_names_and_messages_of_others_as_text():
    plan = plan_of(fleet(2).release(2), notes=("a <b>|`note`",))
    text = markdown(plan, "https://ci.example/a (1).svg")
    assert "> a &#60;b&#62;&#124;\\`note\\`" in text
    assert text.endswith("[Each pod in time](https://ci.example/a%20(1%29.svg)\n")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in rows}) == 1


def test_several_plans_that_share_nothing_say_nothing_of_it():
    plans = several([PLANS["surge"][0](), PLANS["refused"][0]()])
    assert plans.shared == ()
    assert str(plans_screen(plans)[-1]).startswith("Not known:")


# ---- ux-50: rollouts that get stuck


def no_budget():
    return fleet(type_="RollingUpdate", unavailable=0, maxSurge=0).release(2), Wishes()


def ineligible():
    container = {"name": "web", "image": "game:1", "env": [{"name": "MODE", "value": "ranked"}]}
    return fleet().change(template={"spec": {"containers": [container]}}), Wishes()


def index_range():
    made = fleet(4)
    made.cluster.workload["metadata"]["annotations"] = INDEXED
    return made.scale(6), Wishes()


def missing_template():
    made = fleet(hooks=("preInplace",)).release(2)
    del made.cluster.templates["check"]
    return made, Wishes()


def never_yes():
    return fleet(hooks=("preInplace",)).release(2), Wishes(hooks="no")


def set_without_budget():
    made = Set(3, type="RollingUpdate").settle()
    return made.release(2).strategy(rollingUpdate={"maxUnavailable": 0, "maxSurge": 0}), Wishes()


STUCK = {
    "NoBudget": no_budget,
    "InPlaceNotPossible": ineligible,
    "InvalidIndexRange": index_range,
    "HookTemplateMissing": missing_template,
    "HookRunning": never_yes,
}


@pytest.mark.parametrize("reason", STUCK)
def test_ux_50_stuck_rollouts_are_predicted(reason):
    made, wishes = STUCK[reason]()
    plan = plan_of(made, wishes)
    assert (plan.verdict, plan.ending.reason, plan.exit_code) == ("stuck", reason, Exit.BLOCKED)
    text = plain(plan_screen(plan))
    assert f"Gets stuck at +0s: {reason}: " in text


def test_ux_50_stuck_in_the_middle_is_predicted_with_its_time():
    made = fleet(4, hooks=("postInplace",), unavailable=1).release(2)
    plan = plan_of(made, Wishes(hooks="no", restart="11s"))
    assert (plan.verdict, plan.ending.at, plan.restarts) == ("stuck", 11, 1)


def test_a_set_without_budget_is_stuck():
    made, wishes = set_without_budget()
    assert plan_of(made, wishes).verdict in ("stuck", "changes")


def test_what_is_being_deleted_is_not_updated_any_more():
    made = fleet().release(2)
    made.one_pass()
    made.cluster.workload["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    plan = plan_of(made)
    assert (plan.verdict, plan.actions, plan.exit_code) == ("nothing", (), Exit.REACHED)
    assert "is being deleted" in plain(plan_screen(plan))


def test_on_delete_rests_and_says_how_many_would_be_outdated():
    plan = plan_of(fleet(type_="OnDelete").release(2))
    assert (plan.ending.state, plan.ending.reason, plan.exit_code) == ("rests", "OnDelete", Exit.REACHED)
    assert "8 pods are updated when somebody deletes them" in plan.ending.message


def test_a_plan_without_a_person_ends_at_the_pause():
    plan = plan_of(fleet(8, canary={"steps": STEPS}).release(2), Wishes(resume="never"))
    assert (plan.ending.state, plan.ending.reason, plan.updated) == ("rests", "CanaryPaused", 2)


@pytest.mark.parametrize(
    ("text", "hooks"), [("yes", ("yes", 0)), ("no", ("no", 0)), ("after:10m", ("yes", 600)), ("after:0", ("yes", 0))]
)
def test_what_hooks_are_taken_to_say(text, hooks):
    assert read_hooks(text) == hooks


# ---- ux-51: large fleets

LARGE = """
import resource, sys, time
from tests.unit.cli.game.plans.planworlds import plan_of
from operators.cli.game.plans.assume import Wishes
from operators.cli.game.plans.picture import picture
from tests.unit.cli.game.worlds import fleet
made = fleet(int(sys.argv[1]), grace=30, unavailable=int(sys.argv[2]), hooks=("preInplace",)).release(2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
plan = plan_of(made, Wishes(restart="11s", horizon="24h"))
print(time.process_time() - began, plan.ending.state, plan.restarts, plan.seconds, len(picture(plan)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def large(pods, unavailable):
    command = [sys.executable, "-c", LARGE, str(pods), str(unavailable)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, state, restarts, virtual, letters, memory = ran.stdout.split()
    return float(seconds), state, int(restarts), float(virtual), int(letters), int(memory) / 1024


def test_ux_51_a_plan_of_500_pods_takes_5_seconds_and_300_mib():
    seconds, state, restarts, virtual, letters, mebibytes = large(500, 50)
    assert (state, restarts, virtual) == ("complete", 500, 410)
    assert letters < 300_000
    assert mebibytes < 300
    assert seconds < 5


def test_a_plan_of_1000_pods_takes_seconds():
    seconds, state, restarts, virtual, *_ = large(1000, 25)
    assert (state, restarts, virtual) == ("complete", 1000, 40 * 41)
    assert seconds < 20


def test_a_plan_of_very_many_pods_shows_some_lanes_and_counts_all(monkeypatch):
    monkeypatch.setattr(build, "MOST_LANES", 20)
    plan = plan_of(fleet(20).scale(70), Wishes(start="5s"))
    assert (plan.created, plan.lanes_of, len(plan.lanes)) == (50, 70, 18)


def test_help_of_plan_loads_no_planner():
    code = "import sys; from operators.cli.game.main import main; main(['plan', '--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split("\n")[-2].split())
    assert not {m for m in loaded if re.match(r"operators\.(planning|simulation|kube)", m)}
