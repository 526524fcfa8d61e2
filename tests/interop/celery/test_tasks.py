"""Tasks, workflows and control of a worker, with results over rpc://."""

import socket
import time

import pytest
from celery import chain, group
from celery.result import GroupResult

pytestmark = pytest.mark.timeout(60)
SECONDS = 15


def test_a_task_answers(celery):
    assert celery.tasks.add.delay(2, 3).get(timeout=SECONDS) == 5


def test_many_tasks_answer_each_for_itself(celery):
    results = [celery.tasks.add.delay(number, 1) for number in range(100)]
    assert [result.get(timeout=SECONDS) for result in results] == list(range(1, 101))


def test_an_exception_comes_back(celery):
    with pytest.raises(ValueError, match="on purpose"):
        celery.tasks.fail.delay("on purpose").get(timeout=SECONDS)


def test_a_task_retries_until_it_succeeds(celery):
    assert celery.tasks.succeed_at_the_third_try.delay().get(timeout=SECONDS) == 2


def test_a_chain_hands_results_on(celery):
    add = celery.tasks.add
    assert chain(add.s(1, 2), add.s(10), add.s(100))().get(timeout=SECONDS) == 113


def test_a_group_collects_results_in_order(celery):
    add = celery.tasks.add
    result = group(add.s(number, number) for number in range(10))()
    assert isinstance(result, GroupResult)
    assert result.get(timeout=SECONDS) == [2 * number for number in range(10)]


def test_a_starmap_runs_as_one_task(celery):
    assert celery.tasks.add.starmap([(1, 2), (3, 4)]).delay().get(timeout=SECONDS) == [3, 7]


def test_a_chunked_call_runs_as_several_tasks(celery):
    chunks = celery.tasks.add.chunks(zip(range(6), range(6)), 2)
    assert chunks.group()().get(timeout=SECONDS) == [[0, 2], [4, 6], [8, 10]]


def test_a_countdown_delays_a_task(celery):
    begin = time.time()
    executed = celery.tasks.now.apply_async(countdown=1).get(timeout=SECONDS)
    assert 1 <= executed - begin < 6


def test_an_expired_task_is_not_run(celery):
    result = celery.tasks.now.apply_async(countdown=1, expires=0.5)
    with pytest.raises(Exception, match="expired"):
        result.get(timeout=SECONDS)


def test_a_compressed_task_with_a_priority_answers(celery):
    result = celery.tasks.add.apply_async((1, 1), compression="gzip", priority=3)
    assert result.get(timeout=SECONDS) == 2


def test_the_worker_answers_a_ping(celery):
    (answer,) = celery.app.control.ping(timeout=2)
    assert list(answer.values()) == [{"ok": "pong"}]


def test_the_worker_can_be_inspected(celery):
    (queues,) = celery.app.control.inspect(timeout=2).active_queues().values()
    assert [queue["name"] for queue in queues] == [celery.queue]


def test_a_revoked_task_is_not_run(celery):
    result = celery.tasks.now.apply_async(countdown=2)
    celery.app.control.revoke(result.id)
    with pytest.raises(Exception, match="revoked"):
        result.get(timeout=SECONDS)


def test_a_worker_stops_and_resumes_consuming_on_demand(celery):
    celery.app.control.cancel_consumer(celery.queue, reply=True, timeout=2)
    result = celery.tasks.add.delay(1, 1)
    time.sleep(0.5)
    assert not result.ready()
    celery.app.control.add_consumer(celery.queue, reply=True, timeout=2)
    assert result.get(timeout=SECONDS) == 2


def test_events_tell_what_the_worker_does(celery):
    seen = []
    with celery.app.connection_for_read() as connection:
        receiver = celery.app.events.Receiver(connection, handlers={"*": seen.append})
        with receiver.consumer_context() as (receiving, _, _):
            result = celery.tasks.add.delay(1, 1)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and "task-succeeded" not in kinds(seen, result.id):
                try:
                    receiving.drain_events(timeout=1)
                except socket.timeout:
                    pass
    assert kinds(seen, result.id) == ["task-received", "task-started", "task-succeeded"]


def kinds(events, task):
    return [event["type"] for event in events if event.get("uuid") == task]
