"""The quick start of GameStatefulSet: ``make demo WORKLOAD=gamestatefulset``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from examples.quickstart.demo import Story, manifest

NAME = "test-gameset"
_IN_PLACE, _ROLLING = "gamestatefulset-inplaceupdate.yaml", "gamestatefulset-rollingupdate.yaml"
#: As the default listing shows it, without its age.
_WHOLE = [NAME, "2", "2", "2", "2", "2"]


class StatefulStory(Story):
    """The same way of telling, about pods with ordinals."""

    plural, name = "gamestatefulsets.tkex.tencent.com", NAME

    def revision(self, pod: Any) -> str:
        """The version a pod runs."""
        return str(pod["metadata"]["labels"]["controller-revision-hash"])

    def begun(self) -> list[str]:
        """Names of all HookRuns seen so far, in the order in which they began."""
        return list(self.hooks)


def create(story: StatefulStory) -> list[Any]:
    """Two game servers, the second after the first is ready."""
    story.step(f"create: kubectl apply -f {_IN_PLACE} (image game-demo:0.0.1)")
    story.kubectl("apply", "-f", "-", data=manifest(_IN_PLACE))
    story.until("two game servers are ready", lambda: story.columns() == _WHOLE)
    story.show("get", story.plural)
    story.show("get", "hooktemplates.tkex.tencent.com")
    pods = story.pods()
    assert [p["metadata"]["name"] for p in pods] == [f"{NAME}-0", f"{NAME}-1"]
    assert [p["spec"]["hostname"] for p in pods] == [f"{NAME}-0", f"{NAME}-1"]
    assert {p["spec"]["subdomain"] for p in pods} == {"test-svc"}
    scheduled, ready = _time(pods[1], "PodScheduled"), _time(pods[0], "Ready")
    assert scheduled >= ready, f"{NAME}-1 came at {scheduled}, {NAME}-0 was ready at {ready}"
    return pods


def _time(pod: Any, type_: str) -> str:
    return next(str(c["lastTransitionTime"]) for c in pod["status"]["conditions"] if c["type"] == type_)


def update_in_place(story: StatefulStory, before: Sequence[Any]) -> None:
    """Image 0.0.2 in the same pods, 1 before 0, each between its hooks."""
    story.step("in-place update: image game-demo:0.0.2, pod 1 before pod 0, each between its hooks")
    story.kubectl("apply", "-f", "-", data=manifest(_IN_PLACE, "0.0.2"))

    def done() -> bool:
        images = {c["image"].rsplit(":", 1)[1] for p in story.pods() for c in p["spec"]["containers"]}
        whole = story.columns() == _WHOLE and "True" in _condition(story, "Complete")
        return whole and images == {"0.0.2"} and not story.object("hookruns")["items"]

    story.until("both pods are updated and no HookRun is left", done, 180)
    after = story.pods()
    assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in before], "pods were replaced"
    assert [p["status"]["podIP"] for p in after] == [p["status"]["podIP"] for p in before], "addresses changed"
    assert [p["status"]["containerStatuses"][0]["restartCount"] for p in after] == [1, 1], "RESTARTS is not 1"
    assert {story.answer(p, "/version") for p in after} == {"0.0.2"}, "the new version is not served"
    old, new = story.revision(before[0]), story.revision(after[0])
    wanted = [
        f"preinplace-{old}-1-test-hooktemplate",
        f"postinplace-{new}-1-test-post",
        f"preinplace-{old}-0-test-hooktemplate",
        f"postinplace-{new}-0-test-post",
    ]
    assert [n for n in story.begun() if n in wanted] == wanted, story.begun()
    assert all(story.hooks[name] == "Successful" for name in wanted), story.hooks
    story.show("get", "pods")
    story.say("same pods, same UIDs, same addresses, one restart each; version 0.0.2 is served")


def _condition(story: Story, type_: str) -> str:
    held = story.object(story.plural, story.name)["status"].get("conditions", [])
    return next((f"{c['status']} {c['message']}" for c in held if c["type"] == type_), "")


def update_rolling(story: StatefulStory, before: Sequence[Any]) -> None:
    """Back to 0.0.1 in new pods of the same names; pod 1 has players inside for a while, and pod 0 waits for it."""
    busy = next(p for p in before if p["metadata"]["name"] == f"{NAME}-1")
    story.step(f"a match begins in {NAME}-1: its /hook says 0 from now on")
    story.answer(busy, "/hook/set?result=0")
    story.step(f"rolling update: kubectl apply -f {_ROLLING} (image game-demo:0.0.1)")
    story.kubectl("apply", "-f", "-", data=manifest(_ROLLING))
    uids = {p["metadata"]["name"]: p["metadata"]["uid"] for p in before}
    name = f"predelete-{story.revision(busy)}-1-test-hooktemplate"

    def held() -> bool:
        same = {p["metadata"]["name"]: p["metadata"]["uid"] for p in story.pods()} == uids
        said = story.condition("Progressing")
        return same and name in said and "does not hold for '0'" in said

    story.until(f"{NAME}-1 is held by its hook, and {NAME}-0 waits for its turn", held)
    story.show("get", "hookruns")
    story.say(f"condition Progressing: {story.condition('Progressing')}")
    story.step(f"the match in {NAME}-1 ends: its /hook says 1")
    story.answer(busy, "/hook/set?result=1")

    def done() -> bool:
        pods = story.object("pods", "-l", f"app={NAME}")["items"]
        new = all(p["metadata"]["uid"] != uids[p["metadata"]["name"]] for p in pods)
        return new and len(pods) == 2 and story.columns() == _WHOLE

    story.until("both pods are replaced, under the same names", done, 180)
    pods = story.pods()
    assert [p["metadata"]["name"] for p in pods] == [f"{NAME}-0", f"{NAME}-1"]
    assert [p["status"]["containerStatuses"][0]["restartCount"] for p in pods] == [0, 0]
    assert {story.answer(p, "/version") for p in pods} == {"0.0.1"}
    order = [name, f"predelete-{story.revision(busy)}-0-test-hooktemplate"]
    assert [n for n in story.begun() if n in order] == order, story.begun()
    assert all(story.hooks[n] == "Successful" for n in order), story.hooks
    story.show("get", "pods")


def delete(story: StatefulStory) -> None:
    """Everything goes."""
    story.step(f"delete: kubectl delete -f {_IN_PLACE}")
    for line in story.kubectl("delete", "-f", "-", data=manifest(_IN_PLACE)).splitlines():
        story.say(f"  {line}")
    story.until(
        "pods, HookRuns and revisions are gone",
        lambda: not story.object("pods,hookruns,controllerrevisions")["items"],
    )


def play(story: Story) -> None:
    """The whole chapter.

    Raises:
        AssertionError: something did not happen as the white paper says.
    """
    assert isinstance(story, StatefulStory)
    story.watch_hooks()
    try:
        update_in_place(story, create(story))
        update_rolling(story, story.pods())
        delete(story)
    finally:
        story.end_watch()
