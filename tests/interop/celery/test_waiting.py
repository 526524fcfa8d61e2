"""Tasks that wait in the broker: with a countdown on a queue of quorum type, and by priority."""

import time

import kombu.pools
import pytest

pytestmark = pytest.mark.timeout(60)
SECONDS = 20


@pytest.fixture
def files(tmp_path):
    """Results in files, which outlive a restart of the broker."""
    results = tmp_path / "results"
    results.mkdir()
    return f"file://{results}"


def test_a_countdown_waits_in_the_broker(new_celery, worker_log, files):
    celery = new_celery(LEVERET_TEST_QUEUE_TYPE="quorum", LEVERET_TEST_RESULTS=files)
    worker = celery.start_worker()
    begin = time.time()
    result = celery.tasks.now.apply_async(countdown=3)
    time.sleep(1)
    assert "received" not in worker_log.read(worker), "the worker does not hold it"
    executed = result.get(timeout=SECONDS)
    assert 2 < executed - begin < 8


@pytest.mark.timeout(170)
def test_a_countdown_outlives_the_worker_and_the_broker(new_celery, worker_log, files, restart):
    celery = new_celery(LEVERET_TEST_QUEUE_TYPE="quorum", LEVERET_TEST_RESULTS=files)
    worker = celery.start_worker()
    begin = time.time()
    result = celery.tasks.now.apply_async(countdown=6)
    worker_log.kill(worker)
    restart()
    celery.start_worker()
    executed = result.get(timeout=60)
    assert executed - begin > 5
    # The connections of before are no good to tests that follow.
    kombu.pools.reset()


def test_the_most_urgent_task_is_next(new_celery, files):
    celery = new_celery(LEVERET_TEST_PRIORITY="9", LEVERET_TEST_RESULTS=files)
    work = celery.tasks.work
    with celery.app.connection_for_write() as connection:
        celery.app.amqp.queues[celery.queue](connection.default_channel).declare()
    low = [work.apply_async((0.2,), priority=1) for _ in range(5)]
    high = [work.apply_async((0.2,), priority=8) for _ in range(3)]
    celery.start_worker(concurrency=1)
    last_high = max(result.get(timeout=SECONDS) for result in high)
    assert all(result.get(timeout=SECONDS) > last_high for result in low)
