"""Every label, annotation, condition and name that stands on an object of the API server.

Objects written by the Go operators carry the same keys, so none may change (docs/spec/gamedeployment.md 1.4,
docs/spec/hooks.md 6.1).
"""

from typing import Final

GROUP: Final = "tkex.tencent.com"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

# Pods and revisions
REVISION_LABEL: Final = "controller-revision-hash"
REVISION_HASH_LABEL: Final = "controller.kubernetes.io/hash"
INSTANCE_LABEL: Final = "tkex.bkbcs.tencent.com/gamedeployment-instance-id"
ORDINAL_LABEL: Final = "gamestatefulset.kubernetes.io/pod-ordinal"
POD_NAME_LABEL: Final = "gamestatefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"
OUT_OF_SERVICE_TAINT: Final = "node.kubernetes.io/out-of-service"
NODE_LOST_ANNOTATION: Final = "pod.gamestatefulset.bkbcs.tencent.com/node-lost-force-delete"
INPLACE_STATE_ANNOTATION: Final = "inplace-update-state"
INPLACE_GRACE_ANNOTATION: Final = "inplace-update-grace"
POD_DELETING_ANNOTATION: Final = "io.tencent.bcs.dev/game-pod-deleting"
INPLACE_READY_GATE: Final = "InPlaceUpdateReady"
INPLACE_START_REASON: Final = "StartInPlaceUpdate"

# Beside updateStrategy.paused while a canary step has set it
CANARY_PAUSE_ANNOTATION: Final = f"{GROUP}/canary-pause"
# A person's command to a canary, obeyed once
CANARY_COMMAND_ANNOTATION: Final = f"{GROUP}/canary-command"

# Order of scale-in
POD_COST_ANNOTATION: Final = "controller.kubernetes.io/pod-deletion-cost"
LEGACY_POD_COST_ANNOTATION: Final = "io.tencent.bcs.dev/pod-deletion-cost"
NODE_COST_ANNOTATION: Final = "io.tencent.bcs.dev/node-deletion-cost"
COST_SORT_ANNOTATION: Final = "io.tencent.bcs.dev/pod-deletion-cost-sort-method"

# Index injection: the white paper prints the prefix without its "s"; both are read, the first is written.
INDEX_PREFIXES: Final = ("tkex.bkbcs.tencent.com/", "tkex.bkbc.tencent.com/")
INDEX_ON: Final = "gamedeployment-index-on"
INDEX_RANGE: Final = "gamedeployment-index-range"
INDEX_ID: Final = "gamedeployment-index-id"
INDEX_ID_ANNOTATION: Final = INDEX_PREFIXES[0] + INDEX_ID
INDEX_ENV: Final = "POD_INDEX"

# HookRuns
#: Kinds whose annotations hooks may read and write.
HOOK_TARGET_KINDS: Final = ("Pod", "GameDeployment", "GameStatefulSet")
HOOK_TYPE_LABEL: Final = "hookrun-type"
HOOK_REVISION_LABEL: Final = "workload-revision"
HOOK_INSTANCE_LABEL: Final = "instance-id"
HOOK_POD_UID_LABEL: Final = "pod-uid"
HOOK_STEP_LABEL: Final = "canary-step-index"
#: The version of the HookTemplate that a run was made of.
HOOK_TEMPLATE_ANNOTATION: Final = f"{GROUP}/hooktemplate-version"

# Deletion protection
DELETION_ALLOW_LABEL: Final = "io.tencent.bcs.dev/deletion-allow"
DELETION_ALWAYS: Final = "Always"
# On a namespace whose deletion is refused; every value but "false" protects
PROTECTED_NAMESPACE_LABEL: Final = f"{GROUP}/protected"
