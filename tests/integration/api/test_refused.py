"""Broken manifests on the real API server: each refused, with the message that docs/validation.md prints."""

import pytest

from tests.integration.api.broken import GOOD, Refused, manifest, refused

#: The client's own check of unknown fields is off, so that the schema itself is asked.
_LENIENT = "--validate=ignore"


def findings(api, case: Refused) -> list[str]:
    if case.before is None:
        return api.refusal("create", "--dry-run=server", _LENIENT, "-f", "-", body=case.broken())
    api.create(case.living())
    try:
        return api.refusal("replace", "--dry-run=server", _LENIENT, "-f", "-", body=case.broken())
    finally:
        api.text("delete", case.kind, "game")


@pytest.mark.parametrize("kind", GOOD)
def test_the_object_that_the_broken_ones_differ_from_is_good(api, kind):
    api.text("create", "--dry-run=server", "-f", "-", body=manifest(kind))


def test_there_are_enough_broken_manifests():
    assert len([case for case in refused() if case.before is None]) >= 60


@pytest.mark.parametrize("case", refused(), ids=str)
def test_the_api_server_refuses(api, case):
    assert findings(api, case) == sorted(case.messages)


def refuses(api, *cases: tuple[str, str]) -> None:
    """These cases are in the table, and are refused, for what the table says and nothing else."""
    known = {(case.kind, case.wrong): case for case in refused()}
    for name in cases:
        assert findings(api, known[name]) == sorted(known[name].messages), name


GD, GSS, HT, HR = "GameDeployment", "GameStatefulSet", "HookTemplate", "HookRun"
MISMATCH = "a selector that does not match the template"


def test_gd_19_a_name_of_53_characters(api):
    refuses(api, (GD, "a name of 53 characters"))
    api.text("create", "--dry-run=server", "-f", "-", body=manifest(GD, name="g" * 52))


def test_gd_57_an_empty_type_is_refused_and_an_absent_one_is_rollingupdate(api):
    refuses(api, (GD, "an empty type of update"))
    got = api.object("create", "--dry-run=server", "-f", "-", body=manifest(GD))
    assert got["spec"]["updateStrategy"]["type"] == "RollingUpdate"


@pytest.mark.parametrize("budget", [(0, 0), ("0%", "0%"), (0, "0%"), ("0%", 0)])
def test_gd_58_adm_58_no_budget_at_all(api, budget):
    unavailable, surge = budget
    strategy = {"spec.updateStrategy": {"maxUnavailable": unavailable, "maxSurge": surge}}
    (finding,) = api.refusal("create", "--dry-run=server", "-f", "-", body=manifest(GD, strategy))
    assert "maxUnavailable and maxSurge must not both be 0" in finding


def test_gd_88_adm_65_the_readiness_gate_under_inplaceupdate(api):
    refuses(api, (GD, "the readiness gate switched under InplaceUpdate"))


def test_adm_65_the_readiness_gate_under_rollingupdate(api):
    still = {"spec.replicas": 0, "metadata.name": "gates"}
    api.create(manifest(GD, still))
    for kind in ("RollingUpdate", "InplaceUpdate"):
        switched = {"spec.updateStrategy.type": kind, "spec.disableReadinessGate": True}
        api.text("replace", "--dry-run=server", "-f", "-", body=manifest(GD, still, switched))


def test_gd_146_an_empty_selector(api):
    refuses(api, (GD, "an empty selector"))


def test_gss_9_name_budget_and_percentages(api):
    refuses(api, (GSS, MISMATCH), (GSS, "no budget at all"))
    (finding,) = api.refusal("create", "--dry-run=server", "-f", "-", body=manifest(GSS, name="g" * 53))
    assert "metadata.name must have at most 52 characters" in finding
    for text in ("abc", "5"):
        numbers = {"spec.updateStrategy.rollingUpdate": {"maxUnavailable": text}}
        (finding,) = api.refusal("create", "--dry-run=server", "-f", "-", body=manifest(GSS, numbers))
        assert finding.endswith(f'maxUnavailable must be a number or a percentage from 0% to 100%, not "{text}"')


def test_gss_10_what_never_changes_and_what_may(api):
    still = {"spec.replicas": 0, "metadata.name": "settled"}
    api.create(manifest(GSS, still))
    for change, message in (
        ({"spec.selector.matchLabels.tier": "a", "spec.template.metadata.labels.tier": "a"}, "spec.selector"),
        ({"spec.serviceName": "other"}, "spec.serviceName"),
        ({"spec.volumeClaimTemplates": []}, "spec.volumeClaimTemplates"),
    ):
        body = manifest(GSS, still, change)
        (finding,) = api.refusal("replace", "--dry-run=server", "-f", "-", body=body)
        assert f"{message} cannot change" in finding
    parallel = manifest(GSS, still, {"spec.podManagementPolicy": "Parallel"})
    api.text("replace", "--dry-run=server", "-f", "-", body=parallel)


def test_adm_59_percentages(api):
    refuses(api, (GD, "a budget above 100 %"))
    for value in ("25%", "0%", "100%", 3):
        body = manifest(GD, {"spec.updateStrategy.maxUnavailable": value})
        api.text("create", "--dry-run=server", "-f", "-", body=body)


@pytest.mark.parametrize(
    "step", [{"partition": 3}, {"partition": "50%"}, {"pause": {}}, {"hook": {"templateName": "t"}}]
)
def test_adm_60_a_step_of_one_kind(api, step):
    body = manifest(GD, {"spec.updateStrategy.canary.steps": [step]})
    got = api.object("create", "--dry-run=server", "-f", "-", body=body)
    assert got["spec"]["updateStrategy"]["canary"]["steps"] == [step]


def test_adm_61_a_step_of_two_kinds(api):
    refuses(api, (GD, "a step of two kinds"))


def test_adm_62_ondelete_with_numbers_of_an_update(api):
    refuses(api, (GSS, "OnDelete with numbers of an update"))


def test_adm_69_selectors(api):
    refuses(api, (GD, MISMATCH), (GD, "a changed selector"))


def test_adm_70_an_unset_type_is_stored(api):
    got = api.object("create", "--dry-run=server", "-f", "-", body=manifest(GSS))
    assert got["spec"]["updateStrategy"]["type"] == "RollingUpdate"


def test_adm_71_several_measurements_without_an_interval(api):
    refuses(api, (HT, "several measurements without an interval"))


def test_adm_72_two_providers(api):
    refuses(api, (HT, "two providers"))


def test_adm_73_jsonpath_in_the_wrong_place_is_named(api):
    refuses(api, (HT, "jsonPath beside web"), (HT, "jsonPath beside the provider"))


def test_adm_75_annotations_only(api):
    refuses(api, (HT, "a field that is no annotation"), (HT, "an unknown function"))


def test_adm_76_a_hookrun_stays_as_it_began(api):
    refuses(api, (HR, "an interruption taken back"), (HR, "a metric changed while it runs"))
    api.create(manifest(HR, name="stop"))
    api.text("patch", "hookrun", "stop", "--dry-run=server", "--type=merge", "-p", '{"spec":{"terminate":true}}')


def test_hook_12_an_unknown_policy(api):
    refuses(api, (HT, "an unknown order of metrics"))
