"""What the tests of the API share."""

import pytest

from tests.integration.kubectl import api_of_our_own


@pytest.fixture(scope="module")
def api(cluster, crds):
    """One namespace for all tests of a module."""
    with api_of_our_own(cluster) as found:
        yield found
