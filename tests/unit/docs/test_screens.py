"""The screens of the quick start are compared without what differs each time, and with everything else."""

import pytest

from tests.e2e import screens

TOLD = [
    "[  2.4 s] in-place update: image game-demo:0.0.2",
    "[  3.5 s]   hookrun preinplace-test-gamedeploy-6c87845cfd-5l4r5-test-hooktemplate Running",
    "[  3.5 s]   hookrun preinplace-test-gamedeploy-6c87845cfd-5l4r5-test-hooktemplate Successful",
    "[ 27.6 s] both pods are updated and no HookRun is left",
    "$ kubectl get pods",
    "  NAME                    READY   STATUS    RESTARTS      AGE",
    "  test-gamedeploy-5l4r5   1/1     Running   1 (23s ago)   27s",
]
AGAIN = [
    "[  9.9 s] in-place update: image game-demo:0.0.2",
    "[ 99.6 s] both pods are updated and no HookRun is left",
    "[ 99.7 s]   hookrun preinplace-test-gamedeploy-6c87845cfd-zzzzz-test-hooktemplate Successful",
    "$ kubectl get pods",
    "  NAME                    READY   STATUS    RESTARTS        AGE",
    "  test-gamedeploy-zzzzz   1/1     Running   1 (1m23s ago)   2m27s",
]


def test_two_runs_of_the_demo_are_the_same():
    assert screens.normal(TOLD) == screens.normal(AGAIN)


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        ("Successful", "Failed"),
        ("1 (1m23s ago)", "2 (3s ago)"),
        ("both pods", "one pod"),
        ("1/1", "0/1"),
        ("0.0.2", "0.0.3"),
    ],
)
def test_another_course_is_another_screen(was, is_):
    other = [line.replace(was, is_) for line in AGAIN]
    assert screens.normal(other) != screens.normal(TOLD)


def test_what_make_demo_prints_around_it_is_left_out():
    printed = "cluster: x; operators: y, CRDs applied\n\n[  0.2 s] create\n  a\n\nDone in 3 s. It goes on\n  export X\n"
    assert screens.of_the_demo(printed) == ["[  0.2 s] create", "  a"]


def test_the_page_has_the_screens_and_its_translation_the_same():
    for name in screens.WORKLOADS:
        assert len(screens.screen(name)) > 30
        assert screens.screen(name, screens.TRANSLATION) == screens.screen(name)
    assert len(screens.session()) > 30
    assert screens.session(screens.TRANSLATION) == screens.session()
