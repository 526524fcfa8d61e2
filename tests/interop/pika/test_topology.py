"""Declaring, binding, purging and deleting with pika."""

import pika
import pytest


def test_a_declared_queue_is_found_passively(channel, name):
    declared = channel.queue_declare(name, durable=True).method
    assert (declared.queue, declared.message_count, declared.consumer_count) == (name, 0, 0)
    assert channel.queue_declare(name, passive=True).method.queue == name
    channel.queue_delete(name)


def test_the_broker_names_a_queue_without_a_name(channel):
    assert channel.queue_declare("", exclusive=True).method.queue.startswith("amq.gen-")


def test_the_empty_name_means_the_last_queue_declared(channel):
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind("", "amq.direct", routing_key=queue)
    channel.basic_publish("amq.direct", queue, b"here")
    assert channel.basic_get("", auto_ack=True)[2] == b"here"


@pytest.mark.parametrize(
    ("kind", "binding", "hit", "miss"),
    [
        ("direct", "red", "red", "green"),
        ("topic", "*.red.#", "big.red.car", "red.car"),
        ("fanout", "", "whatever", None),
    ],
)
def test_an_exchange_routes_by_its_type(channel, queue, name, kind, binding, hit, miss):
    channel.exchange_declare(name, kind, auto_delete=True)
    channel.queue_bind(queue, name, binding)
    for key in (miss, hit):
        if key is not None:
            channel.basic_publish(name, key, key.encode())
    assert channel.basic_get(queue, auto_ack=True)[2] == hit.encode()
    assert channel.basic_get(queue) == (None, None, None)


def test_an_auto_delete_exchange_goes_with_its_last_binding(channel, queue, name):
    channel.exchange_declare(name, "direct", auto_delete=True)
    channel.queue_bind(queue, name, "key")
    channel.exchange_declare(name, passive=True)
    channel.queue_unbind(queue, name, "key")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.exchange_declare(name, passive=True)


def test_a_removed_binding_routes_no_more(channel, queue, name):
    channel.queue_bind(queue, "amq.topic", f"{name}.*")
    channel.basic_publish("amq.topic", f"{name}.bound", b"bound")
    channel.queue_unbind(queue, "amq.topic", f"{name}.*")
    channel.basic_publish("amq.topic", f"{name}.unbound", b"unbound")
    assert channel.basic_get(queue, auto_ack=True)[2] == b"bound"
    assert channel.basic_get(queue) == (None, None, None)


def test_a_headers_exchange_compares_headers(channel, queue, name):
    channel.exchange_declare(name, "headers", auto_delete=True)
    channel.queue_bind(queue, name, arguments={"x-match": "all", "color": "red", "size": 3})
    for headers in ({"color": "red", "size": 4}, {"color": "red", "size": 3, "more": True}):
        properties = pika.BasicProperties(headers=headers)
        channel.basic_publish(name, "", str(headers["size"]).encode(), properties)
    assert channel.basic_get(queue, auto_ack=True)[2] == b"3"
    assert channel.basic_get(queue) == (None, None, None)


def test_exchanges_bound_to_exchanges_pass_messages_on(channel, queue, name):
    source, destination = f"{name}-source", f"{name}-destination"
    channel.exchange_declare(source, "topic", auto_delete=True)
    channel.exchange_declare(destination, "fanout", auto_delete=True)
    channel.exchange_bind(destination, source, "a.#")
    channel.queue_bind(queue, destination)
    channel.basic_publish(source, "a.b", b"through two")
    assert channel.basic_get(queue, auto_ack=True)[2] == b"through two"
    channel.exchange_unbind(destination, source, "a.#")


def test_purge_and_delete_say_how_many_messages_went(channel, name):
    channel.queue_declare(name)
    for _ in range(3):
        channel.basic_publish("", name, b"x")
    assert channel.queue_purge(name).method.message_count == 3
    channel.basic_publish("", name, b"x")
    assert channel.queue_delete(name).method.message_count == 1


def test_an_auto_delete_queue_goes_with_its_last_consumer(connection, name):
    channel = connection.channel()
    channel.queue_declare(name, auto_delete=True)
    channel.basic_cancel(channel.basic_consume(name, lambda *_: None))
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.queue_declare(name, passive=True)


def test_an_exclusive_queue_goes_with_its_connection(connect, name):
    first = connect()
    first.channel().queue_declare(name, exclusive=True)
    first.close()
    declared = connect().channel().queue_declare(name, exclusive=True)
    assert declared.method.message_count == 0
