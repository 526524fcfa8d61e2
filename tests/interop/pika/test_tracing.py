"""The firehose: what is told of each message, key by key, with the types that it has on the wire."""

import re

import pika
import pytest

ENDS = re.compile(r"127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+")


def texts(*values):
    return ("A", [("S", value) for value in values])


@pytest.fixture
def copies(channel, name, api):
    """A queue with a copy of everything, as long as the test lasts."""
    queue = f"{name}.copies"
    channel.queue_declare(queue, exclusive=True)
    channel.queue_bind(queue, "amq.rabbitmq.trace", "#")
    api("PUT", "vhosts/%2F", {"tracing": True})
    yield queue
    api("PUT", "vhosts/%2F", {"tracing": False})


@pytest.fixture
def told(copies, fetch_typed):
    """Fetches copies: the key and the headers of each, without those that differ by broker."""

    def fetch(count):
        found = []
        for key, properties, body in fetch_typed(copies, count):
            headers = dict(properties.headers)
            properties.headers = None
            assert properties == pika.BasicProperties(), "copies have headers and nothing else"
            kind, node = headers.pop("node")
            assert kind == "S" and "@" in node
            kind, connection = headers.pop("connection")
            assert kind == "S" and ENDS.fullmatch(connection), connection
            found.append((key, headers, body))
        return found

    return fetch


def test_a_published_message_with_all_properties(channel, queue, told):
    properties = pika.BasicProperties(
        content_type="text/plain", content_encoding="utf-8", headers={"a": 1, "b": [True, "x"]},
        delivery_mode=2, priority=3, correlation_id="c", reply_to="r", expiration="60000",
        message_id="m", timestamp=1_700_000_000, type="t", user_id="guest", app_id="a",
        cluster_id="d",
    )
    channel.basic_publish("", queue, b"body", properties)
    key, headers, body = told(1)[0]
    assert (key, body) == ("publish.", b"body")
    expected = {
        "content_type": ("S", "text/plain"), "content_encoding": ("S", "utf-8"),
        "headers": ("F", {"a": ("I", 1), "b": ("A", [("t", True), ("S", "x")])}),
        "delivery_mode": ("I", 2), "priority": ("I", 3), "correlation_id": ("S", "c"),
        "reply_to": ("S", "r"), "expiration": ("S", "60000"), "message_id": ("S", "m"),
        "timestamp": ("I", 1_700_000_000), "type": ("S", "t"), "user_id": ("S", "guest"),
        "app_id": ("S", "a"), "cluster_id": ("S", "d"),
    }
    assert headers == {
        "exchange_name": ("S", ""), "routing_keys": texts(queue), "properties": ("F", expected),
        "vhost": ("S", "/"), "channel": ("I", 1), "user": ("S", "guest"),
        "routed_queues": texts(queue),
    }


def test_further_keys_of_the_sender(channel, queue, told):
    properties = pika.BasicProperties(headers={"CC": [queue], "BCC": ["hidden"]})
    channel.basic_publish("amq.direct", "nowhere", b"", properties)
    channel.queue_bind(queue, "amq.direct", queue)
    channel.basic_publish("amq.direct", "nowhere", b"", properties)
    (_, in_vain, _), (key, headers, _) = told(2)
    assert key == "publish.amq.direct"
    assert headers["routing_keys"] == texts("nowhere", queue, "hidden")
    assert headers["properties"] == ("F", {"headers": ("F", {"CC": texts(queue)})})
    assert (in_vain["routed_queues"], headers["routed_queues"]) == (texts(), texts(queue))


def test_a_message_that_goes_out_twice(channel, queue, told, take):
    channel.basic_publish("", queue, b"body", pika.BasicProperties(priority=1))
    method, _, _ = channel.basic_get(queue)
    channel.basic_reject(method.delivery_tag, requeue=True)
    take(channel, queue, 1, auto_ack=True)
    _, first, second = told(3)
    expected = {
        "exchange_name": ("S", ""), "routing_keys": texts(queue),
        "properties": ("F", {"priority": ("I", 1)}), "redelivered": ("I", 0),
        "vhost": ("S", "/"), "channel": ("I", 1), "user": ("S", "guest"),
    }
    assert first == (f"deliver.{queue}", expected, b"body")
    expected["redelivered"] = ("I", 1)
    assert second == (f"deliver.{queue}", expected, b"body")


def test_a_transaction_is_told_when_it_is_published(connection, queue, told):
    channel = connection.channel()
    channel.tx_select()
    channel.basic_publish("", queue, b"committed")
    channel.tx_commit()
    channel.basic_publish("", queue, b"rolled back")
    channel.tx_rollback()
    copied = told(2)
    assert [body for _, _, body in copied] == [b"committed", b"rolled back"]
    assert copied[0][1]["channel"] == ("I", channel.channel_number)


def test_a_dead_letter_is_told_when_it_is_delivered(channel, queue, name, told):
    dying = f"{name}.dying"
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}
    channel.queue_declare(dying, exclusive=True, arguments=arguments)
    channel.basic_publish("", dying, b"body")
    method, _, _ = channel.basic_get(dying)
    channel.basic_reject(method.delivery_tag, requeue=False)
    while channel.basic_get(queue, auto_ack=True)[0] is None:
        pass
    copied = told(3)
    assert [key for key, _, _ in copied] == ["publish.", f"deliver.{dying}", f"deliver.{queue}"]
    assert copied[2][1]["routing_keys"] == texts(queue)
    assert "x-death" in copied[2][1]["properties"][1]["headers"][1]


def test_messages_over_http(channel, name, copies, api, fetch_typed):
    queue = f"{name}.shared"
    channel.queue_declare(queue, auto_delete=True)
    message = {
        "properties": {}, "routing_key": queue, "payload": "x", "payload_encoding": "string",
    }
    api("POST", "exchanges/%2F/amq.default/publish", message)
    wish = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    api("POST", f"queues/%2F/{queue}/get", wish)
    found = fetch_typed(copies, 2)
    assert [key for key, _, _ in found] == ["publish.", f"deliver.{queue}"]
    for _, properties, body in found:
        assert body == b"x" and properties.headers["user"] == ("S", "guest")
        kind, connection = properties.headers["connection"]
        assert kind == "S" and re.fullmatch(r"<.+@.+\.\d+\.\d+\.0>", connection), connection
    channel.queue_delete(queue)


def test_copies_are_not_copied(channel, queue, copies, told, until):
    channel.basic_publish("", queue, b"")
    told(1)
    assert channel.basic_get(copies)[0] is None
