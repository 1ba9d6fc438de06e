"""What stops a workload and is not the planner's to see: words of others in Events, quotas, nodes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from operators.api.reasons import BlockedReason
from operators.cli.game.circumstances import Circumstances
from operators.cli.game.documents import Finding
from operators.cli.game.subject import Subject
from operators.cli.game.text import age, counted, sentence_of
from operators.kube.times import timestamp

Json = Mapping[str, Any]
#: Seconds after which an Event explains nothing of now.
_RECENT: Final = 600.0


def event_causes(subject: Subject, around: Circumstances) -> Iterator[Finding]:
    """Refusals and failures of the last minutes: quota, admission, scheduler, kubelet."""
    own = {str(r) for r in BlockedReason}
    latest: dict[tuple[str, str], Json] = {}
    for event in around.events or ():
        when = _when(event)
        if event.get("type") != "Warning" or when is None or subject.now - when > _RECENT:
            continue
        about = (event.get("involvedObject") or {}).get("name", "")
        if about == subject.view.name and event.get("reason") in own:
            continue  # of the planner, and told of above if it still holds
        key = (about, str(event.get("reason")))
        if key not in latest or (_when(latest[key]) or 0.0) < when:
            latest[key] = event
    told = [b.message for b in subject.plan.blocked]
    for (about, reason), found in sorted(latest.items()):
        message = str(found.get("message") or "").strip()
        if any(message and message[:80] in text for text in told):
            continue
        ago = age(subject.now - (_when(found) or subject.now))
        yield Finding(cause=reason, text=sentence_of(f"{reason} of {about}, {ago} ago: {message[:300]}"), look="")


def _when(event: Json) -> float | None:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((t for text in times if text and (t := timestamp(text)) is not None), None)


def quota_causes(around: Circumstances) -> Iterator[Finding]:
    """Quotas of the namespace that are used up."""
    for quota in around.quotas or ():
        status = quota.get("status") or {}
        used, hard = status.get("used") or {}, status.get("hard") or {}
        full = [f"{n} {used[n]} of {hard[n]}" for n in sorted(hard) if n in used and used[n] == hard[n] != "0"]
        if full:
            name = quota["metadata"]["name"]
            text = f"Quota {name} is used up: {', '.join(full)}."
            yield Finding(cause="QuotaExhausted", text=text, look=f"kubectl describe quota {name}")


def node_causes(subject: Subject, around: Circumstances) -> Iterator[Finding]:
    """Nodes of our pods that are in trouble."""
    ours = Counter(p.node for p in subject.observed.pods if p.node)
    for node in around.nodes or ():
        name = node["metadata"]["name"]
        if name not in ours:
            continue
        conditions = (node.get("status") or {}).get("conditions") or ()
        bad = [
            str(c["type"]) if c["type"] != "Ready" else "not ready"
            for c in conditions
            if (c["type"] == "Ready") != (c.get("status") == "True")
        ]
        if bad:
            text = f"Node {name}, with {counted(ours[name], 'pod')} of it, reports {', '.join(bad)}."
            yield Finding(cause="NodeTrouble", text=text, look=f"kubectl describe node {name}")
