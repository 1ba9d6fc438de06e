"""Small pods and rosters of a set called ``foo``."""

from operators.api import keys
from operators.gamestatefulset.order import Roster
from operators.gamestatefulset.ordinals import members
from operators.planning.podproblems import Trouble
from operators.planning.views import OwnerView, PodView

OWNER = OwnerView("GameStatefulSet", "foo", "uid-foo")


def pod(ordinal, revision="A", *, ready=True, phase="Running", deleting=False, trouble="", **more):
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
        trouble=Trouble("ContainerFailing", trouble) if trouble else None,
        **more,
    )


def roster(replicas, *pods, reserved=(), surge=0, kept=0, hindered=None):
    inside, beyond = members(replicas, reserved, surge)
    held = {int(p.name.rsplit("-", 1)[1]): p for p in pods}
    return Roster("foo", inside, beyond, held, frozenset(inside[:kept]), hindered or {})
