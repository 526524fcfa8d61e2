"""The Celery application that the workers run and the tests call.

Its environment says where the broker is (LEVERET_TEST_HOST, LEVERET_TEST_PORT), which queue it
works on (LEVERET_TEST_QUEUE) and of which type it is, `quorum` or, without being told, classic with
priorities up to LEVERET_TEST_PRIORITY (LEVERET_TEST_QUEUE_TYPE), where results go
(LEVERET_TEST_RESULTS) and whether kombu is to ask for a prefetch that is `global` or `per-consumer`
instead of judging by the version that the broker reports (LEVERET_TEST_QOS).
"""

import os
import time

from celery import Celery
from kombu import Exchange, Queue
from kombu.transport.pyamqp import Transport

queue = os.environ.get("LEVERET_TEST_QUEUE", "leveret-interop-celery")
host = os.environ.get("LEVERET_TEST_HOST", "127.0.0.1")
port = os.environ.get("LEVERET_TEST_PORT", "5672")

app = Celery(
    "interop",
    broker=f"amqp://guest:guest@{host}:{port}//",
    backend=os.environ.get("LEVERET_TEST_RESULTS", "rpc://"),
)
app.conf.update(
    task_default_queue=queue,
    control_exchange=f"{queue}-control",
    event_exchange=f"{queue}-events",
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    result_expires=60,
    worker_prefetch_multiplier=2,
    worker_cancel_long_running_tasks_on_connection_loss=True,
)

if os.environ.get("LEVERET_TEST_QUEUE_TYPE") == "quorum":
    # Tasks with a countdown wait in the broker, in queues with times and dead letters.
    exchange = Exchange(queue, type="topic")
    arguments = {"x-queue-type": "quorum"}
    app.conf.update(
        task_queues=[Queue(queue, exchange, routing_key=queue, queue_arguments=arguments)],
        task_default_exchange=queue,
        task_default_exchange_type="topic",
        task_default_routing_key=queue,
        broker_native_delayed_delivery_queue_type="quorum",
    )

priority = os.environ.get("LEVERET_TEST_PRIORITY")
if priority:
    app.conf.update(task_queue_max_priority=int(priority), worker_prefetch_multiplier=1)

forced = os.environ.get("LEVERET_TEST_QOS")
if forced:
    Transport.qos_semantics_matches_spec = lambda self, connection: forced == "per-consumer"


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=5)
def succeed_at_the_third_try(self):
    """Publishes itself again with the count of tries in its headers."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def now():
    return time.time()


@app.task(acks_late=True)
def work(seconds):
    time.sleep(seconds)
    return time.time()


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def say_whether_redelivered(self, seconds):
    """Takes its time when it is delivered first, so that its worker can be killed meanwhile."""
    redelivered = self.request.delivery_info["redelivered"]
    if not redelivered:
        time.sleep(seconds)
    return redelivered
