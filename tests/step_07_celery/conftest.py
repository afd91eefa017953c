"""Step 7's app talks to a broker inside this process."""

import pytest

from tests.harness.celery_broker import ENVIRONMENT
from tests.harness.celery_site import CelerySite


@pytest.fixture
def kind_of_site(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return CelerySite
