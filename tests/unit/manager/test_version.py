"""The version that the metric shows."""

import pytest

from operators.manager.version import image_version


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        ("hub/bcs/operator:v1.27.0", "v1.27.0"),
        ("registry:5000/ns/img", ""),
        ("registry:5000/ns/img:1", "1"),
        ("img@sha256:abc", "sha256:abc"),
        ("registry:5000/img:1@sha256:abc", "1"),
        ("img", ""),
        ("", ""),
    ],
)
def test_pkg_20_any_image_reference_gives_a_version(reference, version):
    assert image_version(reference) == version
