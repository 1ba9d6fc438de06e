"""What runs, as a metric (docs/spec/packaging.md 5.4)."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge


def operator_version(
    registry: CollectorRegistry, component: str, name: str, image: str, build: Mapping[str, str], **crds: str
) -> None:
    """The gauge ``bkbcs_<component>_operator_version``, always 1.

    Args:
        registry: Where to register.
        component: ``gamedeployment``, ``hook``.
        name: Value of the label ``name``.
        image: Reference of the image that runs, as far as known.
        build: Values of git_version, git_commit and build_date.
        **crds: Label by label the version of a CRD, "" when it is not known.
    """
    values = {
        "name": name,
        "image_version": image_version(image),
        **{label: f"v1-{version}" for label, version in crds.items()},
        **{label: build.get(label, "") for label in ("git_version", "git_commit", "build_date")},
    }
    metric = f"bkbcs_{component}_operator_version"
    Gauge(metric, "What runs.", tuple(values), registry=registry).labels(**values).set(1)


def image_version(reference: str) -> str:
    """Tag of an image reference, else its digest, else "" (a registry's port is no tag)."""
    name, _, digest = reference.partition("@")
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    return tag or digest
