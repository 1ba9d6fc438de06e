"""Small pods and rosters of a set called ``foo``."""

from operators.api import keys
from operators.gamestatefulset.order import Ordinals
from operators.gamestatefulset.ordinals import members
from operators.planning.podproblems import PodProblem
from operators.planning.views import OwnerView, PodView

OWNER = OwnerView("GameStatefulSet", "foo", "uid-foo")


def pod(ordinal, revision="A", *, ready=True, phase="Running", deleting=False, problem="", **more):
    labels = {keys.REVISION_LABEL: revision, keys.ORDINAL_LABEL: str(ordinal), keys.POD_NAME_LABEL: f"foo-{ordinal}"}
    return PodView(
        namespace="default",
        name=f"foo-{ordinal}",
        uid=f"uid-{ordinal}",
        resource_version="1",
        created=0.0,
        phase=phase,
        labels={**labels, **more.pop("labels", {})},
        annotations=more.pop("annotations", {}),
        owner=OWNER,
        deleting=deleting,
        ready_since=0.0 if ready and phase == "Running" else None,
        problem=PodProblem("ContainerFailing", problem) if problem else None,
        **more,
    )


def ordinals(replicas, *pods, reserved=(), surge=0, kept=0, not_creatable=None):
    inside, beyond = members(replicas, reserved, surge)
    held = {int(p.name.rsplit("-", 1)[1]): p for p in pods}
    return Ordinals("foo", inside, beyond, held, frozenset(inside[:kept]), not_creatable or {})
