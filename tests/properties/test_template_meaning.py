"""Templates are the same exactly when Kubernetes makes the same pod of them: by its own defaulting and its own types.

`devcluster.podtypes` runs the API server's code for pods; `tests/integration/planning` asks a real API server.
"""

from __future__ import annotations

import json
import os
import random

import pytest

from devcluster import podtypes
from operators.planning.imagenames import default_pull_policy
from operators.planning.templates import produces, template_digest
from tests.properties.podtemplates import ABSENT, filled, kind_of, paths, put, spots, types, variants

EXAMPLES = max(60, int(os.environ.get("GAME_OPERATORS_EXAMPLES", "2000")) // 10)
#: Changes of each template of many fields.
_CHANGES = 8


def key(pod):
    """A pod as text, with the service account that admission gives to every pod that names none."""
    spec = {"serviceAccountName": "default", **pod["spec"]}
    return json.dumps({**pod, "spec": {**spec, "serviceAccount": spec["serviceAccountName"]}}, sort_keys=True)


def readable(templates, answers):
    return [(t, a) for t, a in zip(templates, answers, strict=True) if "error" not in a]


def test_the_fields_on_record_are_those_of_the_kubernetes_in_use():
    assert podtypes.FIELDS.read_text() == podtypes.fields(), "python -m devcluster.podtypes writes them anew"


@pytest.fixture(scope="module")
def single():
    """For each field the templates that differ in it alone, with the pods that Kubernetes makes of them."""
    groups = list(variants())
    answers = iter(podtypes.pods(t for _, group in groups for t in group))
    return [(".".join(map(str, path)), readable(group, [next(answers) for _ in group])) for path, group in groups]


def test_every_field_says_as_much_as_it_does_to_kubernetes(single):
    wrong = []
    for path, group in single:
        assert len(group) > 1, path
        for number, (one, pod) in enumerate(group):
            for other, other_pod in group[:number]:
                if (template_digest(one) == template_digest(other)) != (key(pod) == key(other_pod)):
                    wrong.append((path, one, other))
    assert wrong == []


def test_every_field_is_tried_with_values_that_differ(single):
    alike = {path for path, group in single if len({key(pod) for _, pod in group}) == 1}
    kinds = {".".join(map(str, path)): kind_of(found) for path, found in paths()}
    assert {kinds[path] for path in alike} <= {"any", *types()}, "only an empty object may say nothing at all"
    assert len(alike) < 20
    assert len(single) == len(list(paths())) + 3 > 1000


def test_what_kubernetes_writes_back_is_the_same_template(single):
    templates = [t for _, group in single for t, _ in group]
    typed = podtypes.typed(templates)
    assert [t for t, back in zip(templates, typed, strict=True) if template_digest(t) != template_digest(back)] == []
    made = [(t, pod) for _, group in single for t, pod in group]
    assert [t for t, pod in made if template_digest(t) != template_digest(pod)] == []


def names(path):
    """The fields of a path; values are moved between those with the last three in common, which are of one type."""
    return [step for step in path if isinstance(step, str)]


def changed(chance, template):
    """The template with one value anywhere replaced by another that is found anywhere, or taken away."""
    where = [path for path in spots(template) if len(path) > 1]
    path = chance.choice(where)
    if isinstance(path[-1], int):
        return put(template, path, None)
    others = [p for p in where if names(p)[-3:] == names(path)[-3:]]
    source = chance.choice(others)
    value = template
    for step in source:
        value = value[step]
    return put(template, path, chance.choice((ABSENT, None, value, {}, [], "", 0, False, value)))


@pytest.fixture(scope="module")
def many():
    """Templates of many fields, each with changes of it, and the pods."""
    chance = random.Random(20)
    groups = []
    for number in range(EXAMPLES // 4):
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {**filled(chance, 0.15 + number % 5 * 0.1), "containers": [filled(chance, 0.3, "Container")]},
        }
        groups.append([template, *(changed(chance, template) for _ in range(_CHANGES))])
    answers = iter(podtypes.pods(t for group in groups for t in group))
    return [readable(group, [next(answers) for _ in group]) for group in groups]


def test_templates_of_many_fields_are_the_same_when_their_pods_are(many):
    wrong, same, different = [], 0, 0
    for group in many:
        for number, (one, pod) in enumerate(group):
            for other, other_pod in group[:number]:
                alike = key(pod) == key(other_pod)
                same, different = same + alike, different + (not alike)
                if (template_digest(one) == template_digest(other)) != alike:
                    wrong.append((one, other))
    assert wrong == []
    assert min(same, different) > EXAMPLES / 2, (same, different)


def test_a_template_of_many_fields_survives_its_way_through_kubernetes(many):
    pairs = [pair for group in many for pair in group]
    typed = podtypes.typed(t for t, _ in pairs)
    assert [t for (t, _), back in zip(pairs, typed, strict=True) if template_digest(t) != template_digest(back)] == []
    assert [t for t, pod in pairs if template_digest(t) != template_digest(pod)] == []


def test_a_pod_is_known_by_the_template_it_was_made_from(many):
    for template, pod in (pair for group in many for pair in group):
        metadata = pod["metadata"]
        assert produces(template, metadata.get("labels", {}), metadata.get("annotations", {}), pod["spec"])


def test_amounts_are_as_much_as_kubernetes_reads():
    chance = random.Random(20)
    # Kubernetes itself reads back 1 from what it writes for amounts from 1e21 on.
    suffixes = ["n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-3", "e+2"]
    numbers = ["0", "1", "1.5", "1024", "0.001", "100000", ".5", "5.", "9.999999999", "1.0000000001", "77", "9", "8"]
    texts = {
        chance.choice(("", "+", "-", "")) + chance.choice(numbers) + chance.choice(("", *suffixes))
        for _ in range(EXAMPLES)
    } - {f"{sign}100000{large}" for sign in ("", "+", "-") for large in "PE"}
    for spec in (
        lambda text: {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": text}}]},
        lambda text: {"containers": [{"name": "a", "resources": {"limits": {"cpu": text}}}]},
    ):
        templates = [{"spec": spec(text)} for text in sorted(texts)]
        digests: dict[str, set[str]] = {}
        for template, pod in readable(templates, podtypes.pods(templates)):
            digests.setdefault(key(pod), set()).add(template_digest(template))
        assert len(digests) > 20
        assert all(len(found) == 1 for found in digests.values())
        assert len({d for found in digests.values() for d in found}) == len(digests)


def test_images_are_pulled_as_kubernetes_says():
    chance = random.Random(20)
    hosts = [
        "game/",
        "registry.example/",
        "registry:5000/",
        "localhost/",
        "Registry/",
        "[::1]:5000/",
        "-a/",
        "docker.io/",
    ]
    names = ["game", "team/game", "Game", "game--x", "game__x", "game_.x", "", "a" * 64, "0", "g/../h", "game/"]
    whole = "@sha256:" + "a" * 64
    tags = ["", ":latest", ":1", ":Latest", ":", ":la test", whole, f":latest{whole}", f":1{whole}", "@sha256:ab"]
    images = {chance.choice(("", *hosts)) + chance.choice(names) + chance.choice(tags) for _ in range(EXAMPLES)}
    containers = [[{"name": "a", "image": image}] for image in sorted(images)]
    pods = podtypes.pods({"spec": {"containers": c}} for c in containers)
    told = {
        c[0]["image"]: pod["spec"]["containers"][0]["imagePullPolicy"] for c, pod in zip(containers, pods, strict=True)
    }
    assert {image: default_pull_policy(image) for image in told} == told
