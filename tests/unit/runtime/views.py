"""A view as small as can be, and raw objects of it."""

from dataclasses import dataclass

from operators.kube.resources import Resource

THINGS = Resource("games.test", "v1", "things", "Thing")
SPACE = "default"


@dataclass(frozen=True, slots=True)
class Thing:
    namespace: str
    name: str
    uid: str
    resource_version: str
    colour: str = ""
    deleting: bool = False


def thing(name, version, *, uid=None, colour="", namespace=SPACE):
    return Thing(namespace, name, uid or f"uid-{name}", str(version), colour)


def raw(name, version, *, uid=None, colour="", namespace=SPACE):
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
    }
    return {"metadata": metadata, "spec": {"colour": colour}}


def decode(body):
    metadata = body["metadata"]
    colour = body["spec"]["colour"]
    return Thing(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        metadata["resourceVersion"],
        colour,
        bool(metadata.get("deletionTimestamp")),
    )
