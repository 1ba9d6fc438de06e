"""GameDeployments and GameStatefulSets (docs/spec/admission.md 6 V10, V14, V19; docs/spec/gamedeployment.md 7.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from operators.planning.budgets import budget
from operators.planning.identity import InvalidIndexRange, index_range
from operators.planning.inplace.changes import ineligible_path
from webhooks.objects import Json, entries, number, part, text, texts
from webhooks.validation.labels import label_problems
from webhooks.validation.problems import Problem, warning

_STRATEGY = "spec.updateStrategy"
#: Where partition and budgets stand below updateStrategy.
_NUMBERS: Mapping[str, tuple[str, ...]] = {"GameDeployment": (), "GameStatefulSet": ("rollingUpdate",)}


def workload_problems(kind: str, workload: Json, *, hotpatch: bool) -> list[Problem]:
    """What is wrong with the object as it stands; ``hotpatch``: the nodes have a kubelet that can do it."""
    found = [*label_problems(kind, workload), *_type_problems(workload, hotpatch=hotpatch)]
    found += _ignored_numbers(kind, workload)
    if kind == "GameDeployment":
        found += _index_problems(workload, _replicas(workload))
    return found


def change_problems(old: Json, new: Json, *, strict: bool) -> list[Problem]:
    """A template that cannot be reached in place (V10): named, and refused only when ``strict``.

    The update type counts as it is after the change, because types are often switched in the same apply.
    """
    if not compares_templates(old, new):
        return []
    before, after = part(old, "spec", "template"), part(new, "spec", "template")
    path = ineligible_path(before, after)
    if path is None:
        return []
    said = (
        f"{path} cannot change in place, only images, labels and annotations can, so nothing happens to the pods: "
        "take it back, or set updateStrategy.type to RollingUpdate"
    )
    return [Problem("spec.template", said, fatal=strict)]


def compares_templates(old: Json, new: Json) -> bool:
    """Whether the templates have to be read field by field, which takes long: not where only images differ."""
    strategy = part(new, "spec", "updateStrategy")
    if text(strategy, "type") != "InplaceUpdate":
        return False
    if text(part(strategy, "inPlaceUpdateStrategy"), "onIneligible") == "Recreate":
        return False
    return not _same_but_images(part(old, "spec", "template", "spec"), part(new, "spec", "template", "spec"))


def _same_but_images(old: Json, new: Json) -> bool:
    before, after = entries(old, "containers"), entries(new, "containers")
    if len(before) != len(after) or {**old, "containers": ()} != {**new, "containers": ()}:
        return False
    return all(a == b or {**a, "image": ""} == {**b, "image": ""} for a, b in zip(before, after, strict=True))


def scale_problems(workload: Json, replicas: int) -> list[Problem]:
    """What is wrong with scaling a GameDeployment to so many pods (V14)."""
    return list(_index_problems(workload, replicas))


def _replicas(workload: Json) -> int:
    return number(part(workload, "spec"), "replicas", 1)


def _type_problems(workload: Json, *, hotpatch: bool) -> Iterator[Problem]:
    if text(part(workload, "spec", "updateStrategy"), "type") != "HotPatchUpdate":
        return
    field = f"{_STRATEGY}.type"
    if hotpatch:
        yield warning(field, "HotPatchUpdate works only on nodes with a patched kubelet")
    else:
        yield Problem(
            field,
            "HotPatchUpdate needs a patched kubelet on every node, and is switched off here: use InplaceUpdate, or "
            "have the cluster's administrator set --enable-hotpatch on the webhooks",
        )


def _ignored_numbers(kind: str, workload: Json) -> Iterator[Problem]:
    strategy = part(workload, "spec", "updateStrategy")
    numbers = part(strategy, *_NUMBERS[kind])
    where = ".".join((_STRATEGY, *_NUMBERS[kind]))
    partition = numbers.get("partition")
    if part(strategy, "canary").get("steps") and partition not in (None, 0, "0%"):
        yield warning(f"{where}.partition", f"{partition} is ignored, because canary steps are given")
    surge = numbers.get("maxSurge")
    if text(strategy, "type") == "InplaceUpdate" and surge not in (None, 0, "0%"):
        said = f"{surge} makes an in-place update create pods beyond replicas for its time; 0 avoids that"
        yield warning(f"{where}.maxSurge", said)


def _index_problems(workload: Json, replicas: int) -> Iterator[Problem]:
    name = text(part(workload, "metadata"), "name")
    field = "metadata.annotations[gamedeployment-index-range]"
    try:
        indexes = index_range(name, texts(workload, "metadata", "annotations"), replicas)
    except InvalidIndexRange as error:
        yield Problem(field, str(error))
        return
    if indexes is None:
        return
    most = replicas + _surge(part(workload, "spec", "updateStrategy"), replicas)
    width = indexes.stop - indexes.start  # which may be beyond what len() can tell
    if most > width:
        said = (
            f"has {width} indexes, and an update may need {most} pods at a time (replicas {replicas} and "
            "maxSurge): those beyond wait for a free index"
        )
        yield warning(field, said)


def _surge(strategy: Json, replicas: int) -> int:
    surge: Any = strategy.get("maxSurge", 0)
    try:
        return budget(0, surge, replicas).surge if isinstance(surge, int | str) else 0
    except ValueError:  # older than the schema, which says so itself
        return 0
