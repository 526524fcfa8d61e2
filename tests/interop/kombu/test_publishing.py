"""Confirms, returns, transactions and all that a message carries, with kombu."""

import datetime
import decimal

import kombu
import pytest


def test_a_publish_waits_for_its_confirm(connect, name):
    channel = connect(confirm_publish=True).channel()
    queue = kombu.Queue(name, channel=channel, exclusive=True)
    queue.declare()
    for number in range(20):
        kombu.Producer(channel).publish(number, routing_key=name)
    assert queue.queue_declare(passive=True).message_count == 20


def test_an_unroutable_mandatory_message_comes_back(connection, channel, name):
    returned = []
    producer = kombu.Producer(channel, on_return=lambda *message: returned.append(message))
    producer.publish("back", routing_key=name, mandatory=True)
    connection.drain_events(timeout=5)
    ((error, exchange, routing_key, message),) = returned
    assert (error.reply_code, exchange, routing_key) == (312, "", name)
    assert message.body == "back"


def test_a_transaction_publishes_on_commit_and_forgets_on_rollback(connection, queue):
    channel = connection.channel()
    channel.tx_select()
    producer = kombu.Producer(channel)
    producer.publish("dropped", routing_key=queue.name)
    channel.tx_rollback()
    producer.publish("kept", routing_key=queue.name)
    assert queue.get() is None
    channel.tx_commit()
    assert queue.get(no_ack=True).payload == "kept"
    assert queue.get() is None


def test_headers_of_every_type_come_back_as_they_went(channel, queue):
    headers = {
        "boolean": True,
        "integer": -123456,
        "long": 2**40,
        "double": 0.1,
        "decimal": decimal.Decimal("12.345"),
        "text": "Grüße",
        "time": datetime.datetime(2030, 1, 2, 3, 4, 5),
        "nothing": None,
        "array": [1, "two", None, [3.5, {"deep": True}]],
        "table": {"inner": {"innermost": [1, 2]}, "empty": {}},
    }
    kombu.Producer(channel).publish("", routing_key=queue.name, headers=headers)
    received = queue.get(no_ack=True).headers
    assert received == headers
    assert list(received) == list(headers)


def test_bytes_in_headers_come_back(channel, queue):
    headers = {"bytes": b"\x00\xff"}
    kombu.Producer(channel).publish("", routing_key=queue.name, headers=headers)
    assert queue.get(no_ack=True).headers == headers


def test_all_properties_come_back_as_they_went(channel, queue):
    properties = {
        "delivery_mode": 2,
        "priority": 7,
        "correlation_id": "correlation",
        "reply_to": "reply",
        "expiration": "60000",
        "message_id": "message",
        "type": "kind",
        "user_id": "guest",
        "app_id": "app",
        "cluster_id": "cluster",
    }
    sent = {**properties, "expiration": 60}  # kombu takes seconds
    kombu.Producer(channel).publish({}, routing_key=queue.name, **sent)
    received = queue.get(no_ack=True)
    assert {key: received.properties.get(key) for key in properties} == properties
    assert (received.content_type, received.content_encoding) == ("application/json", "utf-8")


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_large_body_comes_back_whole(channel, queue, compression):
    body = {"text": "0123456789abcdef" * 100_000}
    kombu.Producer(channel).publish(body, routing_key=queue.name, compression=compression)
    assert queue.get(no_ack=True).payload == body
