"""Tasks with a time in the future hold prefetch: what that does to a task that is due at once.

A worker holds such tasks unacked until their time. To go on receiving, it raises its prefetch count
by one for each. README.md says which brokers that helps with, and why.
"""

import kombu
import pytest

pytestmark = pytest.mark.timeout(60)
PREFETCH = 2  # one process, worker_prefetch_multiplier = 2
DELAYED = 4  # more than the worker may hold
SECONDS_OF_DELAY = 4


def reported_version(celery):
    with celery.app.connection_for_read() as connection:
        connection.connect()
        properties = connection.connection.server_properties
    assert properties["product"] == "RabbitMQ"
    return tuple(int(part) for part in properties["version"].split("."))


def due_task_overtakes(celery):
    """Whether a task that is due runs before those with a time, which fill the prefetch."""
    celery.start_worker(concurrency=1)
    delayed = [
        celery.tasks.now.apply_async(countdown=SECONDS_OF_DELAY) for _ in range(DELAYED)
    ]
    due = celery.tasks.now.delay()
    assert DELAYED > PREFETCH
    return due.get(timeout=25) < min(result.get(timeout=25) for result in delayed)


def test_the_version_that_the_broker_reports_decides(new_celery):
    celery = new_celery()
    # From 4.0 on, kombu 5.7 asks for a prefetch per consumer; before 5.7 it never did.
    per_consumer = reported_version(celery) >= (4, 0) and kombu.VERSION[:2] >= (5, 7)
    assert due_task_overtakes(celery) is not per_consumer


def test_with_a_global_prefetch_a_due_task_overtakes(new_celery):
    assert due_task_overtakes(new_celery(LEVERET_TEST_QOS="global")) is True


def test_with_a_prefetch_per_consumer_a_due_task_waits(new_celery):
    assert due_task_overtakes(new_celery(LEVERET_TEST_QOS="per-consumer")) is False
