"""A hook that gets no answer, on real containers: told of, and asked anew when its template is mended."""

import pytest

from tests.e2e.board import HOOK, Board, workload

IN_PLACE = {"type": "InplaceUpdate", "maxUnavailable": 2, "maxSurge": 0}


def test_ux_32_33_hook_116_117_a_wrong_jsonpath_needs_a_person_and_its_mend_no_hand(cluster, operators, namespace):
    board = Board(cluster, namespace, "arena")
    board.apply(HOOK.replace("{$.result}", "{$.players.count}"))
    board.apply(workload("arena", 2, IN_PLACE, hooks=("preInplace",), result="0"))
    board.until("two pods are ready", board.complete("0.0.1", 2))
    board.apply(workload("arena", 2, IN_PLACE, hooks=("preInplace",), result="0", image="0.0.2"))

    def runs():
        return {r["metadata"]["name"]: r for r in board.get("hookruns")["items"]}

    board.until("a hook is asked", runs)
    before = {name: run["metadata"]["uid"] for name, run in runs().items()}
    board.until("it has erred a few times", lambda: all(
        r.get("status", {}).get("metricResults", [{}])[0].get("error", 0) >= 5 for r in runs().values()))  # fmt: skip
    assert board.said("Blocked").startswith("False"), "not before a minute is over"
    board.until("Blocked says so", lambda: board.said("Blocked").startswith("True HookErrors: "), 100)
    assert board.said("Stalled").startswith("True HookErrors: ")
    assert "has measured nothing but errors since" in board.said("Blocked")
    assert "metric empty: " in board.said("Blocked")
    assert any(name in board.said("Blocked") for name in before)
    board.until("an Event says so", lambda: board.events("HookErrors"))

    board.apply(HOOK)

    def anew():
        found = {name: run["metadata"]["uid"] for name, run in runs().items()}
        return found.keys() == before.keys() and not set(found.values()) & set(before.values())

    board.until("the mended template is asked", anew, 10)
    board.until("its answer is no, and nothing needs a person", lambda: board.said("Blocked").startswith("False"), 10)
    assert board.said("Progressing").startswith("True HookRunning: ")
    board.until("an Event says so", lambda: board.events("HookRunRenewed"))
    asked = {name: run["metadata"]["uid"] for name, run in runs().items()}
    board.apply(HOOK.replace("asInt(result) == 1", "asInt(result) == 0"))
    with pytest.raises(AssertionError, match="not within"):
        board.until("a run that said no is left alone", lambda: {
            name: run["metadata"]["uid"] for name, run in runs().items()} != asked, 3)  # fmt: skip
