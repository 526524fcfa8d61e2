"""A pytest plugin for Celery's tests: the worker that they share is there from the start.

Some tests rely on an earlier one having started it, which does not hold when a test runs alone or
when the tests are shared out.
"""

import pytest


@pytest.fixture(scope="session", autouse=True)
def worker_from_the_start(celery_session_worker):
    return celery_session_worker
