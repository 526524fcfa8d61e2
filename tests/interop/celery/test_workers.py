"""What becomes of tasks when workers and brokers come and go, and chords."""

import time

import pytest
from celery import chord

pytestmark = pytest.mark.timeout(60)
SECONDS = 20


def test_a_chord_joins_its_tasks(new_celery, tmp_path):
    """rpc:// cannot count a chord's tasks, so results go to files; the tasks use the broker."""
    results = tmp_path / "results"
    results.mkdir()
    celery = new_celery(LEVERET_TEST_RESULTS=f"file://{results}")
    celery.start_worker()
    add, total = celery.tasks.add, celery.tasks.total
    assert chord([add.s(number, 1) for number in range(5)])(total.s()).get(timeout=SECONDS) == 15


def test_tasks_wait_for_a_worker(new_celery):
    celery = new_celery()
    declare(celery)
    results = [celery.tasks.add.delay(number, 0) for number in range(5)]
    celery.start_worker()
    assert [result.get(timeout=SECONDS) for result in results] == list(range(5))


def declare(celery):
    with celery.app.connection_for_write() as connection:
        celery.app.amqp.queues[celery.queue](connection.default_channel).declare()


def test_a_task_of_a_killed_worker_is_done_by_another(new_celery, worker_log):
    celery = new_celery()
    victim = celery.start_worker(concurrency=1)
    result = celery.tasks.say_whether_redelivered.delay(60)
    worker_log.wait(victim, "received", SECONDS)
    worker_log.kill(victim)
    celery.start_worker(concurrency=1)
    assert result.get(timeout=SECONDS) is True


def test_two_workers_share_a_queue(new_celery):
    celery = new_celery()
    first, second = celery.start_worker(concurrency=1), celery.start_worker(concurrency=1)
    results = [celery.tasks.add.delay(number, 0) for number in range(40)]
    assert [result.get(timeout=SECONDS) for result in results] == list(range(40))
    for worker in (first, second):
        with open(worker.log, encoding="utf-8") as log:
            assert "succeeded" in log.read()


@pytest.mark.timeout(170)
def test_a_worker_reconnects_after_a_restart(new_celery, worker_log, restart):
    celery = new_celery()
    worker = celery.start_worker()
    assert celery.tasks.add.delay(1, 1).get(timeout=SECONDS) == 2
    restart()
    worker_log.wait(worker, "Connected to amqp://", 60, count=2)
    again = celery.load()  # a client that starts after the restart
    end = time.monotonic() + 20
    while worker_log.read(worker).count("mingle: ") < 4 and time.monotonic() < end:
        time.sleep(0.1)
    assert again.add.delay(2, 2).get(timeout=SECONDS) == 4
    again.app.close()
