"""A laptop for the tests that need one. It is set up once, and tidy when a test begins."""

import pytest

from tests.laptop import Laptop


@pytest.fixture(scope="session")
def one_laptop(tmp_path_factory):
    return Laptop(tmp_path_factory.mktemp("laptop"))


@pytest.fixture
def laptop(one_laptop):
    one_laptop.tidy()
    return one_laptop
