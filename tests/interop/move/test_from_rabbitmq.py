"""The move from RabbitMQ, as docs/from-rabbitmq.md has it: definitions, messages, clients, and the
way back. It has a RabbitMQ and a broker of its own, whatever the other suites run against."""

import base64
import json
import os
import sys
import time
import urllib.request

import pika
import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import broker as brokers  # noqa: E402

MESSAGES = 500
VHOST = "shop"
USER, PASSWORD = "orders", "s3cret/with+signs"
PLUGINS = ("rabbitmq_management", "rabbitmq_shovel", "rabbitmq_shovel_management")
# Starting RabbitMQ takes its time.
pytestmark = pytest.mark.timeout(120)


class Side:
    """One of the two brokers, as an operator and a program reach it."""

    def __init__(self, broker):
        self.port, self.management_port = broker.port, broker.management_port

    def api(self, method, path, body=None):
        """What the HTTP API answers to guest."""
        request = urllib.request.Request(
            f"http://{brokers.HOST}:{self.management_port}/api/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(),
                     "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def connect(self):
        """A connection of the program's, with the login that it has always had."""
        return pika.BlockingConnection(pika.ConnectionParameters(
            brokers.HOST, self.port, VHOST, pika.PlainCredentials(USER, PASSWORD)))

    def url(self):
        return f"amqp://{USER}:{PASSWORD.replace('/', '%2F').replace('+', '%2B')}@" \
               f"{brokers.HOST}:{self.port}/{VHOST}"


def publish(side, first, count):
    with side.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(first, first + count):
            channel.basic_publish("events", "order.new", str(number).encode(),
                                  pika.BasicProperties(delivery_mode=2, message_id=str(number),
                                                       headers={"number": number}))


def drain(side, queue, count):
    """So many messages, in the order in which they come."""
    got = []
    with side.connect() as connection:
        channel = connection.channel()
        for method, properties, body in channel.consume(queue, inactivity_timeout=10):
            assert method is not None, f"{queue} gave {len(got)} of {count}"
            assert properties.headers["number"] == int(body) == int(properties.message_id)
            got.append((int(body), method.routing_key))
            channel.basic_ack(method.delivery_tag)
            if len(got) == count:
                break
        channel.cancel()
    return got


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("move")
    # RabbitMQ runs as another user below it.
    for part in (folder, *folder.parents[:2]):
        os.chmod(part, 0o755)
    return folder


@pytest.fixture(scope="module")
def rabbitmq(folder):
    """A RabbitMQ that a program has used for a while."""
    process = brokers.RabbitMq(str(folder), PLUGINS)
    try:
        process.start()
    except FileNotFoundError:
        pytest.skip("no RabbitMQ here")
    side = Side(process)
    side.api("PUT", f"vhosts/{VHOST}", {})
    side.api("PUT", f"users/{USER}", {"password": PASSWORD, "tags": "management"})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    for user in (USER, "guest"):
        side.api("PUT", f"permissions/{VHOST}/{user}", everything)
    side.api("PUT", f"policies/{VHOST}/limits",
             {"pattern": "^orders", "definition": {"max-length": 100000}, "apply-to": "queues"})
    with side.connect() as connection:
        channel = connection.channel()
        channel.exchange_declare("events", "topic", durable=True)
        channel.queue_declare("orders", durable=True)
        channel.queue_declare("mails", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind("orders", "events", "order.*")
        channel.queue_bind("mails", "events", "#")
    publish(side, 0, MESSAGES)
    yield side
    process.stop()


@pytest.fixture(scope="module")
def leveret(folder, rabbitmq):
    """A Leveret that starts with what RabbitMQ exported."""
    binary = os.environ.get("LEVERET_TEST_BROKER", "")
    if "/" not in binary:
        pytest.skip("a binary of Leveret is needed")
    export = folder / "definitions.json"
    export.write_text(json.dumps(rabbitmq.api("GET", "definitions")))
    process = brokers.Leveret(binary, str(folder), [f"load_definitions={export}"])
    process.start()
    yield Side(process)
    process.stop()


def shovel(rabbitmq, queue, source, target, more):
    """One that runs in RabbitMQ; each queue has an exchange here that leads to it alone."""
    exchange = f"move.{queue}"
    with target.connect() as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange, "fanout", durable=True)
        channel.queue_bind(queue, exchange)
    value = {"src-protocol": "amqp091", "src-uri": source.url(), "src-queue": queue,
             "dest-protocol": "amqp091", "dest-uri": target.url(), "dest-exchange": exchange,
             "ack-mode": "on-confirm", **more}
    rabbitmq.api("PUT", f"parameters/shovel/{VHOST}/move-{queue}", {"value": value})


def end_move(rabbitmq, target, queue):
    rabbitmq.api("DELETE", f"parameters/shovel/{VHOST}/move-{queue}")
    with target.connect() as connection:
        connection.channel().exchange_delete(f"move.{queue}")


def wait_for(what):
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.2)


def test_the_export_brings_everything_and_the_same_login_works(rabbitmq, leveret):
    assert not missing(rabbitmq.api("GET", "definitions"), leveret.api("GET", "definitions"))
    assert leveret.api("GET", f"queues/{VHOST}/orders")["policy"] == "limits"
    leveret.connect().close()


def missing(theirs, ours):
    """What is in one export and not in the other. Keys that only we have are well, and each
    cluster has an id of its own."""
    lists = [key for key in theirs if isinstance(theirs[key], list)]
    return [
        (key, item) for key in lists for item in theirs[key]
        if item.get("name") != "internal_cluster_id" and not any(item.items() <= other.items() for other in ours[key])
    ]


def test_messages_move_while_programs_change_over_one_by_one(rabbitmq, leveret):
    for queue in ("orders", "mails"):
        shovel(rabbitmq, queue, rabbitmq, leveret, {})
    # Consumers go first: what is still published to RabbitMQ reaches them here.
    in_order = [(number, "order.new") for number in range(MESSAGES)]
    assert drain(leveret, "orders", MESSAGES) == in_order
    publish(rabbitmq, MESSAGES, 10)
    assert [number for number, _ in drain(leveret, "orders", 10)] == [*range(MESSAGES, MESSAGES + 10)]
    # Then publishers.
    publish(leveret, MESSAGES + 10, 10)
    assert len(drain(leveret, "mails", MESSAGES + 20)) == MESSAGES + 20
    for queue in ("orders", "mails"):
        end_move(rabbitmq, leveret, queue)


def test_the_way_back_is_the_same(rabbitmq, leveret):
    publish(leveret, 0, 50)
    rabbitmq.api("POST", "definitions", leveret.api("GET", "definitions"))
    shovel(rabbitmq, "mails", leveret, rabbitmq, {"src-delete-after": "queue-length"})
    assert [number for number, _ in drain(rabbitmq, "mails", 50)] == [*range(50)]
    wait_for(lambda: leveret.api("GET", f"queues/{VHOST}/mails")["messages"] == 0)
