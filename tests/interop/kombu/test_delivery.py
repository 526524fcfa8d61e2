"""Declaring, getting, consuming and settling with kombu."""

import socket

import amqp
import kombu
import pytest


def publish(channel, queue, *bodies):
    producer = kombu.Producer(channel)
    for body in bodies:
        producer.publish(body, routing_key=queue.name, serializer="json")


def drain(connection, condition, seconds=5.0):
    """Lets the connection work until the condition holds or nothing comes any more."""
    while not condition():
        try:
            connection.drain_events(timeout=seconds)
        except socket.timeout:
            return


def test_the_server_says_it_is_rabbitmq(connection):
    properties = connection.connection.server_properties
    assert properties["product"] == "RabbitMQ"
    assert all(part.isdigit() for part in properties["version"].split("."))
    assert properties["capabilities"]["consumer_cancel_notify"] is True


def test_a_queue_declares_its_exchange_and_its_binding(connection, channel, name):
    exchange = kombu.Exchange(name, "topic", auto_delete=True)
    queue = kombu.Queue(name, exchange, "orders.*", exclusive=True, channel=channel)
    queue.declare()
    producer = connection.Producer(exchange=exchange)
    for key in ("orders.new", "orders", "orders.new.big"):
        producer.publish({"key": key}, routing_key=key)
    assert queue.get(no_ack=True).payload == {"key": "orders.new"}
    assert queue.get() is None
    queue.unbind_from(exchange, "orders.*")
    with pytest.raises(amqp.exceptions.NotFound):
        exchange(channel).declare(passive=True)


def test_a_queue_has_several_bindings(channel, name):
    exchange = kombu.Exchange(name, "direct", auto_delete=True)
    bindings = [kombu.binding(exchange, key) for key in ("a", "b")]
    queue = kombu.Queue(name, bindings=bindings, exclusive=True, channel=channel)
    queue.declare()
    for key in ("a", "b", "c"):
        kombu.Producer(channel, exchange).publish(key, routing_key=key)
    assert [queue.get(no_ack=True).payload for _ in range(2)] == ["a", "b"]
    assert queue.get() is None


def test_an_exchange_is_bound_to_an_exchange(channel, queue, name):
    source = kombu.Exchange(f"{name}-a", "direct", channel=channel, auto_delete=True)
    target = kombu.Exchange(f"{name}-b", "fanout", channel=channel, auto_delete=True)
    source.declare()
    target.declare()
    target.bind_to(source, routing_key="k")
    queue.bind_to(target)
    kombu.Producer(channel, source).publish("through two", routing_key="k")
    assert queue.get(no_ack=True).payload == "through two"


def test_a_simple_queue_puts_and_gets(connection, name):
    simple = connection.SimpleQueue(name, queue_opts={"durable": False, "auto_delete": True})
    simple.put({"hello": "world"})
    message = simple.get(block=True, timeout=5)
    assert message.payload == {"hello": "world"}
    message.ack()
    with pytest.raises(simple.Empty):
        simple.get(block=True, timeout=0.2)
    simple.close()


def test_a_consumer_gets_messages_in_order_and_acks_them(connection, channel, queue):
    publish(channel, queue, *range(50))
    received = []

    def on_message(body, message):
        received.append(body)
        message.ack()

    consumer = kombu.Consumer(channel, [queue], callbacks=[on_message], accept=["json"])
    with consumer:
        drain(connection, lambda: len(received) == 50)
        consumer.recover(requeue=True)
        drain(connection, lambda: len(received) > 50, 0.3)
    assert received == list(range(50))


def test_requeue_keeps_the_original_position(channel, queue):
    publish(channel, queue, 1, 2)
    queue.get().requeue()
    got = [queue.get(no_ack=True) for _ in range(2)]
    assert [(m.payload, m.delivery_info["redelivered"]) for m in got] == [(1, True), (2, False)]


def test_reject_drops_the_message(channel, queue):
    publish(channel, queue, 1, 2)
    queue.get().reject()
    assert queue.get(no_ack=True).payload == 2
    assert queue.get() is None


def test_prefetch_limits_what_a_consumer_holds(connection, channel, queue):
    publish(channel, queue, 1, 2, 3, 4)
    received = []
    consumer = kombu.Consumer(
        channel, [queue], on_message=received.append, prefetch_count=2, accept=["json"]
    )
    with consumer:
        drain(connection, lambda: len(received) > 2, 0.5)
        assert len(received) == 2
        received[0].ack()
        drain(connection, lambda: len(received) > 3, 0.5)
        assert len(received) == 3


def test_a_global_prefetch_change_reaches_a_running_consumer(connection, channel, queue):
    publish(channel, queue, 1, 2, 3)
    received = []
    consumer = kombu.Consumer(channel, [queue], on_message=received.append, accept=["json"])
    consumer.qos(prefetch_count=1, apply_global=True)
    with consumer:
        drain(connection, lambda: len(received) > 1, 0.5)
        assert len(received) == 1
        consumer.qos(prefetch_count=2, apply_global=True)
        drain(connection, lambda: len(received) > 2, 0.5)
        assert len(received) == 2


def test_a_prefetch_change_per_consumer_reaches_new_consumers_only(connection, channel, queue):
    publish(channel, queue, 1, 2, 3)
    received = []
    consumer = kombu.Consumer(channel, [queue], on_message=received.append, accept=["json"])
    consumer.qos(prefetch_count=1, apply_global=False)
    with consumer:
        drain(connection, lambda: len(received) > 1, 0.5)
        consumer.qos(prefetch_count=3, apply_global=False)
        drain(connection, lambda: len(received) > 1, 0.5)
        assert len(received) == 1


def test_a_consumer_with_a_priority_is_served_first(connection, channel, queue):
    first, second = [], []
    low = kombu.Consumer(channel, [queue], on_message=first.append, no_ack=True)
    queue.consumer_arguments = {"x-priority": 5}
    high = kombu.Consumer(channel, [queue], on_message=second.append, no_ack=True)
    with low, high:
        publish(channel, queue, 1, 2, 3)
        drain(connection, lambda: len(first) + len(second) == 3)
    assert (len(first), len(second)) == (0, 3)


def test_deleting_the_queue_cancels_its_consumer(connection, channel, queue):
    consumer = kombu.Consumer(channel, [queue], callbacks=[lambda *_: None])
    with pytest.raises(connection.connection_errors + connection.channel_errors) as raised:
        consumer.consume()
        queue(connection.channel()).delete()
        drain(connection, lambda: False)
    assert type(raised.value).__name__ == "ConsumerCancelled"


def test_unsettled_messages_come_back_on_recover(connection, channel, queue):
    publish(channel, queue, 1)
    queue.get()
    kombu.Consumer(channel, [queue]).recover(requeue=True)
    message = queue.get(no_ack=True)
    assert (message.payload, message.delivery_info["redelivered"]) == (1, True)


def test_purge_says_how_many_messages_went(channel, queue):
    publish(channel, queue, 1, 2, 3)
    assert queue.purge() == 3
