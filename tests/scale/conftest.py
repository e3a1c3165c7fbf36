import pytest


@pytest.fixture
def small(digits):
    """Settings of a training of a fraction of a second."""
    return {"steps": 20, "batch_size": 50, "validate_every": 5, "precision": "float32"}
