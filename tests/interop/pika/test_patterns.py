"""The patterns people use most, with pika: what the queue features are for."""

import socket
import time

import pika
import pytest

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def bodies(received):
    return [body for _, _, body in received]


def publish(channel, key, *texts, exchange="", **properties):
    for text in texts:
        channel.basic_publish(exchange, key, text, pika.BasicProperties(**properties))


@pytest.fixture
def declare(channel, name):
    """Declares queues of this test, and deletes them after it."""
    declared = []

    def declare(suffix, **arguments):
        queue = f"{name}.{suffix}"
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        channel.queue_declare(queue, durable=True, arguments=arguments)
        declared.append(queue)
        return queue

    yield declare
    for queue in declared:
        channel.queue_delete(queue)


def work(condition, *channels, seconds=8.0):
    """Lets connections work until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        for channel in channels:
            channel.connection.process_data_events(time_limit=0.05)


def consume(channel, queue, count=0):
    """The list of deliveries, which goes on growing; once so many are in it."""
    received = []
    channel.basic_consume(queue, lambda *delivery: received.append(delivery[1:]))
    work(lambda: len(received) >= count, channel)
    return received


def deaths(properties):
    return [
        (death["queue"].rsplit(".", 1)[1], death["reason"], death["count"])
        for death in properties.headers["x-death"]
    ]


def test_a_ladder_of_waits_tries_again_later_and_later_and_then_parks(channel, declare, name):
    queue = declare("work", x_dead_letter_exchange="", x_dead_letter_routing_key=f"{name}.wait1")
    for step, (wait, after) in enumerate([(50, "work"), (150, "work")], 1):
        declare(
            f"wait{step}",
            x_message_ttl=wait,
            x_dead_letter_exchange="",
            x_dead_letter_routing_key=f"{name}.{after}",
        )
    parked = declare("parked")
    publish(channel, queue, b"job", delivery_mode=2)
    received = consume(channel, queue, 1)
    channel.basic_nack(received[0][0].delivery_tag, requeue=False)
    work(lambda: len(received) == 2, channel)
    method, properties, body = received[1]
    assert deaths(properties) == [("wait1", "expired", 1), ("work", "rejected", 1)]
    # The second step, as programs do it: published on by hand, with the history it has.
    channel.basic_publish("", f"{name}.wait2", body, properties)
    channel.basic_ack(method.delivery_tag)
    work(lambda: len(received) == 3, channel)
    method, properties, body = received[2]
    assert deaths(properties)[0] == ("wait2", "expired", 1)
    channel.basic_publish("", parked, body, properties)
    channel.basic_ack(method.delivery_tag)
    left = consume(channel, parked, 1)
    assert bodies(left) == [b"job"]


def test_a_single_active_consumer_works_in_order_and_the_next_goes_on(
    parameters, connect, declare
):
    first, second = pika.BlockingConnection(parameters).channel(), connect().channel()
    queue = declare("ordered", x_single_active_consumer=True)
    publish(first, queue, *[str(number).encode() for number in range(6)])
    for channel in (first, second):
        channel.basic_qos(prefetch_count=2)
    of_first = consume(first, queue, 2)
    of_second = consume(second, queue)
    for method, _, _ in of_first[:2]:
        first.basic_ack(method.delivery_tag)
    work(lambda: len(of_first) == 4, first, second)
    assert of_second == []
    # Its process dies: closing it in order would cancel the consumer before the messages are back.
    first.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
    work(lambda: len(of_second) == 2, second)
    redelivered = [(body, method.redelivered) for method, _, body in of_second]
    assert redelivered == [(b"2", True), (b"3", True)]


def test_a_request_that_nobody_serves_in_time_is_gone_and_its_reply_queue_with_it(channel, declare):
    requests = declare("requests")
    replies = channel.queue_declare("", arguments={"x-expires": 300}).method.queue
    publish(channel, requests, b"too late", expiration="100", reply_to=replies)
    time.sleep(0.2)
    assert channel.basic_get(requests) == (None, None, None)
    channel.queue_declare(replies, passive=True)
    time.sleep(0.6)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        channel.connection.channel().queue_declare(replies, passive=True)
    assert refused.value.reply_code == 404


def test_a_full_work_queue_refuses_and_the_publisher_tries_again(connect, declare):
    channel = connect().channel()
    queue = declare("bounded", x_max_length=2, x_overflow="reject-publish")
    channel.confirm_delivery()
    for body in (b"1", b"2"):
        channel.basic_publish("", queue, body, PERSISTENT)
    with pytest.raises(pika.exceptions.NackError):
        channel.basic_publish("", queue, b"3", PERSISTENT)
    channel.basic_get(queue, auto_ack=True)
    channel.basic_publish("", queue, b"3", PERSISTENT)
    got = [channel.basic_get(queue, auto_ack=True)[2] for _ in range(3)]
    assert got == [b"2", b"3", None]


def test_what_is_scheduled_comes_in_its_time_and_order_also_over_a_restart(
    connect, name, restart
):
    channel = connect().channel()
    exchange, queue = f"{name}.later", f"{name}.due"
    channel.exchange_declare(
        exchange, "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"}
    )
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, "due")
    channel.confirm_delivery()
    begin = time.monotonic()
    for text, delay in ((b"second", 1500), (b"third", 3000), (b"first", 200)):
        properties = pika.BasicProperties(delivery_mode=2, headers={"x-delay": delay})
        channel.basic_publish(exchange, "due", text, properties, mandatory=True)
    channel.connection.close()
    restart()
    channel = connect().channel()
    received = consume(channel, queue, 3)
    assert bodies(received) == [b"first", b"second", b"third"]
    assert [properties.headers["x-delay"] for _, properties, _ in received] == [-200, -1500, -3000]
    assert time.monotonic() - begin >= 3
    channel.queue_delete(queue)
    channel.exchange_delete(exchange)


def test_what_fails_waits_longer_each_time(channel, declare):
    queue = declare(
        "backoff",
        x_delayed_retry_type="failed",
        x_delayed_retry_min=100,
        x_delayed_retry_max=250,
        x_delivery_limit=10,
    )
    publish(channel, queue, b"job")
    received = consume(channel, queue, 1)
    times = [time.monotonic()]
    for attempt in range(2, 5):
        channel.basic_reject(received[-1][0].delivery_tag, requeue=True)
        work(lambda: len(received) == attempt, channel)
        times.append(time.monotonic())
    waits = [after - before for before, after in zip(times, times[1:])]
    assert all(wait >= least for wait, least in zip(waits, (0.1, 0.2, 0.25))), waits
    assert received[-1][1].headers["x-delivery-count"] == 3
    channel.basic_nack(received[-1][0].delivery_tag, requeue=True)
    work(lambda: len(received) == 5, channel)
    headers = received[-1][1].headers
    assert (headers["x-delivery-count"], headers["x-acquired-count"]) == (3, 4)
    channel.basic_ack(received[-1][0].delivery_tag)


def test_a_consumer_that_hangs_loses_what_it_has_to_another(connect, declare):
    hung, other = connect().channel(), connect().channel()
    queue = declare("hung", x_consumer_timeout=300)
    publish(hung, queue, b"job")
    received = consume(hung, queue, 1)
    assert bodies(received) == [b"job"]
    of_other = []
    other.basic_consume(queue, lambda *delivery: of_other.append(delivery[1:]))
    work(lambda: of_other, other)
    method, _, body = of_other[0]
    assert (body, method.redelivered) == (b"job", True)
    other.basic_ack(method.delivery_tag)


def test_what_is_published_twice_comes_once_by_its_message_id(connect, name, restart):
    channel = connect().channel()
    exchange, queue = f"{name}.once", f"{name}.orders"
    size = {"x-cache-size": 1000}
    channel.exchange_declare(exchange, "x-message-deduplication", durable=True, arguments=size)
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange)
    channel.confirm_delivery()

    def order(channel, number):
        properties = pika.BasicProperties(
            delivery_mode=2,
            message_id=f"order-{number}",
            headers={"x-deduplication-header": f"order-{number}"},
        )
        channel.basic_publish(exchange, "", str(number).encode(), properties)

    order(channel, 1)
    order(channel, 1)
    channel.connection.close()
    restart()
    channel = connect().channel()
    channel.confirm_delivery()
    order(channel, 1)
    order(channel, 2)
    got = [channel.basic_get(queue, auto_ack=True) for _ in range(3)]
    assert [body for _, _, body in got] == [b"1", b"2", None]
    channel.queue_delete(queue)
    channel.exchange_delete(exchange)
