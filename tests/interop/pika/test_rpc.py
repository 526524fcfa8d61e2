"""Questions and answers, and coming back after a restart, with pika."""

import time

import pika
import pytest

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"


def answer_with_upper_case(channel, _method, properties, body):
    answer = pika.BasicProperties(correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to, body.upper(), answer)


@pytest.fixture
def ask(channel, queue, until):
    """Asks the server on `queue` and gives what comes back on the reply queue."""
    channel.basic_consume(queue, answer_with_upper_case, auto_ack=True)

    def question(asking, reply_queue, text):
        answers = []
        asking.basic_consume(reply_queue, lambda *got: answers.append(got[2:]), auto_ack=True)
        properties = pika.BasicProperties(reply_to=reply_queue, correlation_id="c1")
        asking.basic_publish("", queue, text, properties)
        until(lambda: answers)
        return [(properties.correlation_id, body) for properties, body in answers]

    return question


def test_an_answer_comes_to_a_queue_of_the_clients(connection, ask):
    asking = connection.channel()
    reply_queue = asking.queue_declare("", exclusive=True).method.queue
    assert ask(asking, reply_queue, b"hello") == [("c1", b"HELLO")]


def test_an_answer_comes_by_direct_reply_to(connection, ask):
    assert ask(connection.channel(), DIRECT_REPLY_TO, b"hello") == [("c1", b"HELLO")]


def test_the_address_for_a_direct_reply_is_made_by_the_broker(connection, channel, queue):
    asking = connection.channel()
    asking.basic_consume(DIRECT_REPLY_TO, lambda *_: None, auto_ack=True)
    asking.basic_publish("", queue, b"", pika.BasicProperties(reply_to=DIRECT_REPLY_TO))
    for _ in range(50):
        method, properties, _ = channel.basic_get(queue, auto_ack=True)
        if method:
            break
        time.sleep(0.05)
    assert properties.reply_to.startswith(f"{DIRECT_REPLY_TO}.")


def test_direct_reply_to_wants_its_consumer_first(channel, queue):
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
        channel.basic_publish("", queue, b"", pika.BasicProperties(reply_to=DIRECT_REPLY_TO))
        channel.queue_declare(queue, passive=True)
    assert raised.value.reply_code == 406
    assert "fast reply consumer does not exist" in raised.value.reply_text


@pytest.mark.timeout(120)
def test_a_client_reconnects_after_a_restart(connect, name, restart):
    before = connect()
    before.channel().queue_declare(name, exclusive=True)
    restart()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        for _ in range(50):
            before.process_data_events(time_limit=0.1)
    assert not before.is_open
    channel = connect().channel()
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"after")
    assert channel.basic_get(name, auto_ack=True)[2] == b"after"


@pytest.mark.timeout(120)
def test_an_orderly_stop_tells_the_client_why(connect, restart):
    connection = connect()
    connection.channel()
    restart()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker) as raised:
        for _ in range(50):
            connection.process_data_events(time_limit=0.1)
    assert raised.value.reply_code == 320
    assert raised.value.reply_text.startswith("CONNECTION_FORCED - ")
