"""What end-to-end tests of an installation need."""

import pytest

from devcluster import choose


@pytest.fixture(scope="session")
def operator_image(cluster):
    """The project's own image, of the sources as they are, in the cluster."""
    return choose.load_operator_image()
