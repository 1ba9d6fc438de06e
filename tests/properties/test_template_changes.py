"""What a change of a template costs a pod agrees with what the planner may do in place, by two independent measures."""

from __future__ import annotations

import copy
import random

import pytest

from operators.planning.inplace.changes import ineligible_path, template_changes
from operators.planning.inplace.update import images_of
from operators.planning.templates import template_digest
from tests.properties.podtemplates import ABSENT, filled, put, spots

#: Where images and names stand, and what holds them: changed on purpose only.
_KEPT = ("image", "name", "imagePullPolicy", "containers")


def template(chance):
    """A template of up to three containers, with many fields set."""
    spec = filled(chance, share=0.15)
    spec["containers"] = [
        {**filled(chance, 0.1, "Container"), "name": f"c{n}", "image": f"game:{chance.randint(1, 3)}"}
        for n in range(chance.randint(1, 3))
    ]
    for container in spec["containers"]:
        container.pop("imagePullPolicy", None)
    return {"metadata": {"labels": {"app": "game", "tier": chance.choice("ab")}}, "spec": spec}


def changed(chance, old):
    """The same with some changes of images, labels and anything else."""
    new = copy.deepcopy(old)
    for container in new["spec"]["containers"]:
        if chance.random() < 0.5:
            container["image"] = f"game:{chance.randint(1, 9)}"
    if chance.random() < 0.3:
        new["metadata"]["labels"]["tier"] = "c"
    if chance.random() < 0.5:
        fields = [p for p in spots(new) if p[0] == "spec" and isinstance(p[-1], str) and p[-1] not in _KEPT]
        path = chance.choice([p for p in fields if len(p) > 1])
        new = put(new, path, other(chance, new, path))
    return new


def other(chance, holder, path):
    """Another value of the same type, or none at all."""
    value = holder
    for step in path:
        value = value[step]
    if chance.random() < 0.5 or value is None or isinstance(value, dict | list):
        return ABSENT
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}x"


def with_images_of(old, new):
    """The new pod spec with the images of the old one: what is left differs in more than images."""
    left = copy.deepcopy(new["spec"])
    images = images_of(old)
    for container in left.get("containers") or ():
        if isinstance(container, dict) and container.get("name") in images:
            container["image"] = images[container["name"]]
    return {"spec": left}


@pytest.mark.parametrize("seed", range(1000))
def test_ux_24_costs_agree_with_what_can_go_in_place(seed):
    chance = random.Random(seed)
    old = template(chance)
    new = changed(chance, old)
    found = template_changes(old, new)
    replaced = [c.path for c in found if c.cost == "new pod"]
    assert ineligible_path(old, new) == (replaced[0] if replaced else None)
    same = template_digest({"spec": old["spec"]}) == template_digest(with_images_of(old, new))
    assert bool(replaced) == (not same), found
    restarts = {c.container for c in found if c.cost == "restart"}
    if not replaced:
        before, after = images_of(old), images_of(new)
        assert restarts == {name for name in after if before[name] != after[name]}
    labels = {c.path.rsplit("/", 1)[1] for c in found if c.cost == "nothing"}
    assert labels == ({"tier"} if old["metadata"]["labels"]["tier"] != new["metadata"]["labels"]["tier"] else set())


def test_each_cost_is_met_among_these_pairs():
    met = {"nothing": 0, "restart": 0, "new pod": 0}
    for seed in range(300):
        chance = random.Random(seed)
        old = template(chance)
        for one in template_changes(old, changed(chance, old)):
            met[one.cost] += 1
    assert min(met.values()) > 30
