"""What the broker refuses, as py-amqp's exceptions."""

import kombu
import pytest
from amqp.exceptions import (
    AccessRefused,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    ResourceLocked,
)


def test_a_missing_queue_is_not_found(channel, name):
    with pytest.raises(NotFound) as raised:
        kombu.Queue(name, channel=channel).queue_declare(passive=True)
    assert raised.value.reply_code == 404
    assert f"no queue '{name}' in vhost '/'" in raised.value.reply_text


def test_a_publish_to_a_missing_exchange_is_not_found(connect, name):
    channel = connect(confirm_publish=True).channel()
    with pytest.raises(NotFound, match=f"no exchange '{name}' in vhost '/'"):
        kombu.Producer(channel).publish("lost", exchange=name, routing_key="key")


def test_anothers_exclusive_queue_is_locked(connect, queue):
    with pytest.raises(ResourceLocked, match="cannot obtain exclusive access to locked queue"):
        queue(connect().channel()).queue_declare(passive=True)


def test_another_argument_is_a_failed_precondition(channel, name):
    kombu.Queue(name, channel=channel, exclusive=True, expires=60).declare()
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'x-expires' for queue"):
        kombu.Queue(name, channel=channel, exclusive=True, expires=30).declare()


def test_another_exchange_type_is_a_failed_precondition(connection, name):
    exchange = kombu.Exchange(name, "direct", durable=False)
    exchange(connection.channel()).declare()
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'type' for exchange"):
        kombu.Exchange(name, "fanout", durable=False)(connection.channel()).declare()
    exchange(connection.channel()).delete()


def test_an_unknown_delivery_tag_is_a_failed_precondition(channel, queue):
    channel.basic_ack(99)
    with pytest.raises(PreconditionFailed, match="unknown delivery tag 99"):
        queue.queue_declare(passive=True)


def test_the_default_exchange_cannot_be_bound(channel, queue):
    with pytest.raises(AccessRefused, match="operation not permitted on the default exchange"):
        channel.queue_bind(queue.name, "", "key")


def test_an_error_leaves_the_connection_open(connection, name):
    with pytest.raises(NotFound):
        kombu.Queue(name, channel=connection.channel()).queue_declare(passive=True)
    assert connection.connected
    kombu.Queue(name, channel=connection.channel(), exclusive=True).declare()


def test_a_virtual_host_that_is_not_there_is_refused(host, port):
    with pytest.raises(NotAllowed, match="vhost nowhere-here not found"):
        with kombu.Connection(f"amqp://guest:guest@{host}:{port}/nowhere-here") as connection:
            connection.connect()


def test_a_wrong_password_is_refused(host, port):
    with pytest.raises(AccessRefused, match="Login was refused"):
        with kombu.Connection(f"amqp://guest:wrong@{host}:{port}/") as connection:
            connection.connect()
