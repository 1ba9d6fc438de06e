"""Screens as files, one for each situation: ``python -m tests.unit.cli.game.golden`` writes them anew."""

from __future__ import annotations

from pathlib import Path

from operators.cli.game import revisions, screens
from operators.cli.game.causes import explain
from operators.cli.game.circumstances import Circumstances
from operators.cli.game.hookstates import hook_states
from operators.cli.game.plans.screen import markdown, plan_screen
from operators.cli.game.summary import summary
from operators.cli.game.text import line, plain
from operators.cli.game.tree import tree
from tests.unit.cli.game.plans.planworlds import PLANS
from tests.unit.cli.game.worlds import WORLDS

FOLDER = Path(__file__).with_name("screens")


def lease(now, *, holder="game-operators-0", ago=3.0):
    """The Lease of the operators, renewed so long ago."""
    from operators.kube.times import rfc3339

    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": rfc3339(now - ago)}
    return {"metadata": {"namespace": "game-operators", "name": "game-operators"}, "spec": spec}


def around(subject):
    """Operators at work, and nothing else to be told of."""
    return Circumstances(leases=(lease(subject.now),))


def texts():
    """The text of each screen, by the name of its file."""
    found, items = {}, []
    for name, (make, _) in WORLDS.items():
        subject = make()
        items.append(summary(subject))
        found[f"get-{name}"] = screens.tree(tree(subject), subject.now)
        found[f"why-{name}"] = screens.explanation_screen(explain(subject, around(subject)))
        if name in ("waiting", "errors"):
            found[f"hooks-{name}"] = screens.hooks_screen(hook_states(subject), subject.now)
        if name in ("waiting", "refused"):
            past = revisions.history(subject)
            found[f"history-{name}"] = revisions.history_screen(past, subject.now, wide=False, width=None)
            found[f"diff-{name}"] = revisions.diff_screen(revisions.diff_in_rollout(subject), width=None)
    for name, (make, _) in PLANS.items():
        found[f"plan-{name}"] = plan_screen(make(), wide=name == "gamestatefulset")
    found["plan-markdown"] = [line(markdown(PLANS["canary"][0](), "plan.svg").rstrip("\n"))]
    found["list"] = screens.listing(items, subject.now, namespaced=False)
    return {f"{name}.txt": plain(lines) + "\n" for name, lines in found.items()}


if __name__ == "__main__":
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
