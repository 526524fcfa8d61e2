"""What the broker refuses, as pika's exceptions."""

import uuid

import pika
import pytest
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)


def refusal(action, *arguments, **options):
    with pytest.raises(ChannelClosedByBroker) as raised:
        action(*arguments, **options)
    return raised.value.reply_code, raised.value.reply_text


def test_a_missing_queue_is_404(channel, name):
    assert refusal(channel.queue_declare, name, passive=True) == (
        404,
        f"NOT_FOUND - no queue '{name}' in vhost '/'",
    )


def test_a_missing_exchange_is_404_even_for_a_publish(connection, channel, name):
    expected = 404, f"NOT_FOUND - no exchange '{name}' in vhost '/'"
    channel.basic_publish(name, "key", b"lost")
    assert refusal(channel.queue_declare, "", exclusive=True) == expected
    assert refusal(connection.channel().exchange_declare, name, passive=True) == expected


def test_anothers_exclusive_queue_is_405(connect, channel, queue):
    code, text = refusal(connect().channel().queue_declare, queue, passive=True)
    assert code == 405
    assert text.startswith(
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'"
    )


def test_another_argument_is_406(channel, queue):
    assert refusal(channel.queue_declare, queue, exclusive=True, auto_delete=True) == (
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue '{queue}' in vhost '/': "
        "received 'true' but current is 'false'",
    )


def test_an_unknown_delivery_tag_is_406(channel, queue):
    channel.basic_ack(99)
    assert refusal(channel.queue_declare, queue, passive=True) == (
        406,
        "PRECONDITION_FAILED - unknown delivery tag 99",
    )


def test_a_queue_in_use_is_not_deleted_if_unused(channel, queue):
    channel.basic_consume(queue, lambda *_: None)
    code, text = refusal(channel.queue_delete, queue, if_unused=True)
    assert (code, text) == (406, f"PRECONDITION_FAILED - queue '{queue}' in vhost '/' in use")


def test_the_broker_keeps_names_that_begin_with_amq(channel):
    code, text = refusal(channel.queue_declare, f"amq.{uuid.uuid4().hex}")
    assert code == 403
    assert text.startswith("ACCESS_REFUSED - queue name 'amq.")


def test_an_exclusive_consumer_is_alone(connection, channel, queue):
    channel.basic_consume(queue, lambda *_: None, exclusive=True)
    code, text = refusal(connection.channel().basic_consume, queue, lambda *_: None)
    assert (code, text) == (403, f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use")


def test_an_error_closes_its_channel_and_no_other(connection, channel, queue):
    broken = connection.channel()
    refusal(broken.queue_declare, f"{queue}-missing", passive=True)
    channel.basic_publish("", queue, b"still here")
    assert channel.basic_get(queue, auto_ack=True)[2] == b"still here"
    assert connection.channel().channel_number == broken.channel_number


def test_a_consumer_tag_used_twice_closes_the_connection(channel, queue, until):
    channel.basic_consume(queue, lambda *_: None, consumer_tag="twice")
    # pika refuses this by itself, so it goes past pika's checks.
    channel._impl._send_method(pika.spec.Basic.Consume(queue=queue, consumer_tag="twice"))
    with pytest.raises(ConnectionClosedByBroker) as raised:
        until(lambda: False)
    assert raised.value.reply_code == 530
    assert "attempt to reuse consumer tag 'twice'" in raised.value.reply_text


def test_a_virtual_host_that_is_not_there_is_refused(parameters):
    parameters.virtual_host = "leveret-interop-nowhere"
    with pytest.raises((ConnectionClosedByBroker, ProbableAccessDeniedError)) as raised:
        pika.BlockingConnection(parameters)
    assert "vhost leveret-interop-nowhere not found" in str(raised.value)


def test_a_wrong_password_is_refused(parameters):
    parameters.credentials = pika.PlainCredentials("guest", "wrong")
    with pytest.raises(ProbableAuthenticationError) as raised:
        pika.BlockingConnection(parameters)
    assert "ACCESS_REFUSED - Login was refused" in str(raised.value)
