"""Epochs of so few gradient steps that many fits take little time."""

import pytest

from tests.steady import short_epochs


@pytest.fixture
def tiny_epochs():
    with short_epochs():
        yield
