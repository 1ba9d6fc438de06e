"""What the API server warns of when it creates pods is told on the workload (docs/spec/gamedeployment.md 2.6)."""

import pytest

from operators.kube.resources import PODS
from tests.integration.gamedeployment.fleet import template
from tests.integration.gamedeployment.test_taken_back import KINDS, ONE, _apply, _strategy

MISSPELT = 'unknown field "spec.containers[0].livenesProbe"'


def _misspelt(version=1):
    body = template("arena", version)
    body["spec"]["containers"][0]["livenesProbe"] = {"httpGet": {"port": 80}}
    return body


@KINDS
async def test_public_f5_a_misspelt_field_is_told_by_an_event_and_a_condition(fleet, kind):
    fleet.kind = kind

    async def warning():
        return (await fleet.conditions("arena")).get("TemplateWarning")

    async with fleet.kubelets():
        async with fleet.operator():
            await _apply(fleet, _strategy(fleet, ONE), replicas=3, template=_misspelt())
            (first, *_) = await fleet.complete("arena", 1)
            told = await fleet.until("it is told", warning)
            assert (told["status"], told["reason"]) == ("True", "PodWarning")
            assert told["message"].endswith(f"are created with warnings: {MISSPELT}")
            assert (await fleet.conditions("arena"))["Blocked"]["status"] == "False"
        assert (await fleet.reasons("arena")).count("PodWarning") == 1
        async with fleet.operator() as operator:  # another process, that has created no pod yet
            await fleet.complete("arena", 1)
            await operator.falls_silent("the condition is written again and again")
            assert await warning() == told
            await fleet.user.delete(PODS, fleet.namespace, first["metadata"]["name"])

            async def replaced():
                pods = await fleet.pods()
                return len(pods) == 3 and first["metadata"]["uid"] not in {p["metadata"]["uid"] for p in pods}

            await fleet.until("a pod is made again", replaced)
            await fleet.complete("arena", 1)
            assert await warning() == told
            mended = template("arena", 2)
            mended["spec"]["containers"][0]["livenesProbe"] = None
            await fleet.change("arena", template=mended)
            await fleet.complete("arena", 2)

            async def gone():
                return await warning() is None

            await fleet.until("the template is mended", gone)
        assert (await fleet.reasons("arena")).count("PodWarning") == 1


@pytest.mark.parametrize("level", ["restricted"])
async def test_public_f5_warnings_of_admission_are_told_too(fleet, level):
    """PodSecurity warns of what it does not refuse."""
    label = f"pod-security.kubernetes.io/warn={level}"
    fleet.cluster.kubectl("label", "namespace", fleet.namespace, label)
    async with fleet.kubelets(), fleet.operator():

        async def told():
            # The label takes a moment until admission knows of it: a new version is created later.
            found = (await fleet.conditions("arena")).get("TemplateWarning")
            return found and "would violate PodSecurity" in found["message"]

        await _apply(fleet, ONE, replicas=1)
        for version in range(2, 8):
            if await told():
                break
            await fleet.release("arena", version)
            await fleet.complete("arena", version)
        assert await told()
