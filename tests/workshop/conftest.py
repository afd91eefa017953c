"""A room for the tests that want one. It is set up once, and tidy when a test begins."""

import pytest

from tests.workshop.room import Room


@pytest.fixture(scope="session")
def one_room(tmp_path_factory):
    return Room(tmp_path_factory.mktemp("house"))


@pytest.fixture
def room(one_room):
    one_room.tidy()
    return one_room
