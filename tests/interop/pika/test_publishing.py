"""Confirms, returns, transactions and all that a message carries, with pika."""

import datetime
import decimal

import pika
import pytest


def test_a_publish_is_confirmed(channel, queue):
    channel.confirm_delivery()
    for number in range(20):
        channel.basic_publish("", queue, str(number).encode())
    assert channel.queue_declare(queue, passive=True).method.message_count == 20


def test_an_unroutable_mandatory_message_comes_back_before_the_confirm(channel, name):
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError) as raised:
        channel.basic_publish("", name, b"back", mandatory=True)
    (returned,) = raised.value.messages
    assert (returned.method.reply_code, returned.method.reply_text) == (312, "NO_ROUTE")
    assert (returned.method.routing_key, returned.body) == (name, b"back")


def test_an_unroutable_mandatory_message_comes_back_without_confirms(channel, name, until):
    returned = []
    channel.add_on_return_callback(lambda *message: returned.append(message[1:]))
    properties = pika.BasicProperties(message_id="m1", headers={"a": 1})
    channel.basic_publish("", name, b"back", properties, mandatory=True)
    channel.basic_publish("", name, b"gone")
    until(lambda: returned)
    ((method, properties, body),) = returned
    assert (method.reply_code, method.exchange, body) == (312, "", b"back")
    assert (properties.message_id, properties.headers) == ("m1", {"a": 1})


def test_a_transaction_publishes_on_commit_and_forgets_on_rollback(channel, queue, connection):
    other = connection.channel()
    channel.tx_select()
    channel.basic_publish("", queue, b"kept")
    assert other.basic_get(queue) == (None, None, None)
    channel.tx_commit()
    channel.basic_publish("", queue, b"dropped")
    channel.tx_rollback()
    assert other.basic_get(queue, auto_ack=True)[2] == b"kept"
    assert other.basic_get(queue) == (None, None, None)


def test_a_rolled_back_ack_leaves_the_message_with_the_client(channel, queue, connection):
    channel.basic_publish("", queue, b"x")
    channel.tx_select()
    tag = channel.basic_get(queue)[0].delivery_tag
    channel.basic_ack(tag)
    channel.tx_rollback()
    channel.basic_ack(tag)
    channel.tx_commit()
    channel.close()
    assert connection.channel().basic_get(queue) == (None, None, None)


def test_headers_of_every_type_come_back_as_they_went(channel, queue):
    """Every type that pika knows: it has no floats."""
    headers = {
        "boolean": True,
        "integer": -123456,
        "long": 2**40,
        "smallest": -(2**63),
        "decimal": decimal.Decimal("12.345"),
        "text": "Grüße",
        "bytes": b"\x00\xff",
        "time": datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "nothing": None,
        "array": [1, "two", None, [3, {"deep": True}]],
        "table": {"inner": {"innermost": [1, 2]}, "empty": {}},
    }
    channel.basic_publish("", queue, b"", pika.BasicProperties(headers=headers))
    received = channel.basic_get(queue, auto_ack=True)[1].headers
    assert received == headers
    assert list(received) == list(headers)


def test_all_properties_come_back_as_they_went(channel, queue):
    sent = pika.BasicProperties(
        content_type="text/plain",
        content_encoding="utf-8",
        headers={"h": "v"},
        delivery_mode=2,
        priority=7,
        correlation_id="correlation",
        reply_to="reply",
        expiration="60000",
        message_id="message",
        timestamp=1700000000,
        type="kind",
        user_id="guest",
        app_id="app",
        cluster_id="cluster",
    )
    channel.basic_publish("", queue, b"", sent)
    assert channel.basic_get(queue, auto_ack=True)[1] == sent


@pytest.mark.parametrize("size", [0, 1, 131064, 131065, 3_000_000])
def test_a_body_of_any_size_comes_back_whole(channel, queue, size):
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    channel.confirm_delivery()
    channel.basic_publish("", queue, body)
    assert channel.basic_get(queue, auto_ack=True)[2] == body
