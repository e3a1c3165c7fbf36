"""Workers that the tests of a module share, since starting them takes seconds."""

import pytest

from autoencode.scale.cluster import connected


@pytest.fixture(scope="module")
def cluster():
    """A client of two workers of this computer."""
    with connected(None, 2) as client:
        yield client
