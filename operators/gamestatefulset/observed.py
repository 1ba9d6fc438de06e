"""What one pass over a GameStatefulSet sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operators.api.gamestatefulset import GameStatefulSetSpec
from operators.gamestatefulset.claimviews import ClaimView
from operators.gamestatefulset.lostnodes import Delays
from operators.planning import workloads
from operators.planning.views import NodeView, PodView

GameStatefulSetView = workloads.WorkloadView[GameStatefulSetSpec]


@dataclass(frozen=True, slots=True)
class Observed(workloads.Observed[GameStatefulSetSpec]):
    """A GameStatefulSet and everything around it.

    ``claims`` are those of the namespace that are named after our pods. ``name_conflicts`` are pods that are not among
    ``pods``, but are called like one of ours. ``nodes`` are the nodes of pods that are being deleted; None while
    nothing is known of nodes, and then none counts as lost.
    """

    claims: Mapping[str, ClaimView] = field(default_factory=dict)
    name_conflicts: tuple[PodView, ...] = ()
    nodes: Mapping[str, NodeView] | None = None
    delays: Delays = field(default_factory=Delays)


def gamestatefulset_view(obj: Mapping[str, Any]) -> GameStatefulSetView:
    """Decode a GameStatefulSet; an invalid spec is kept as a text to show, never raised."""
    return workloads.workload_view(obj, GameStatefulSetSpec.model_validate)
