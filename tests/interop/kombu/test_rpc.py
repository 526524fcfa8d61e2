"""Questions and answers, and coming back after a restart, with kombu."""

import kombu
import pytest

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"


def serve(connection, queue):
    """A consumer that answers in upper case."""
    channel = connection.channel()

    def on_message(message):
        kombu.Producer(channel).publish(
            message.payload.upper(),
            routing_key=message.properties["reply_to"],
            correlation_id=message.properties["correlation_id"],
        )

    return kombu.Consumer(channel, [queue], on_message=on_message, no_ack=True)


@pytest.mark.parametrize("reply_to", ["", DIRECT_REPLY_TO])
def test_an_answer_comes_back(connection, queue, reply_to):
    asking = connection.channel()
    if not reply_to:
        reply_to = asking.queue_declare(exclusive=True).queue
    answers = []
    asking.basic_consume(reply_to, no_ack=True, callback=answers.append)
    with serve(connection, queue):
        kombu.Producer(asking).publish(
            "hello", routing_key=queue.name, reply_to=reply_to, correlation_id="c1"
        )
        while not answers:
            connection.drain_events(timeout=5)
    (answer,) = answers
    assert (answer.body, answer.properties["correlation_id"]) == ("HELLO", "c1")


def test_a_heartbeat_is_agreed_and_kept(connection):
    assert connection.get_heartbeat_interval() == 30
    connection.heartbeat_check()


@pytest.mark.timeout(120)
def test_a_producer_connects_again_after_a_restart(connection, name, restart):
    queue = kombu.Queue(name, exclusive=True)
    producer = connection.Producer()
    failures = []
    restart()
    producer.publish(
        "after",
        routing_key=name,
        declare=[queue],
        retry=True,
        retry_policy={
            "max_retries": 20,
            "interval_start": 0.2,
            "errback": lambda error, _interval: failures.append(error),
        },
    )
    assert failures
    assert queue(connection.default_channel).get(no_ack=True).payload == "after"
