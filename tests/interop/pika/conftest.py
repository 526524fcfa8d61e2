"""A connection, a channel and a queue of pika's, closed after each test."""

import contextlib
import time

import pika
import pika.data
import pytest


@pytest.fixture
def parameters(host, port):
    return pika.ConnectionParameters(
        host, port, heartbeat=30, socket_timeout=5, stack_timeout=8, blocked_connection_timeout=8
    )


@pytest.fixture
def connect(parameters):
    """Opens connections, and closes those that the test left open."""
    opened = []

    def open_one(parameters=parameters):
        opened.append(pika.BlockingConnection(parameters))
        return opened[-1]

    yield open_one
    for connection in opened:
        if connection.is_open:
            connection.close()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()


@pytest.fixture
def queue(channel, name):
    channel.queue_declare(name, exclusive=True)
    return name


@pytest.fixture
def until(connection):
    """Lets the connection work until the condition holds, or the time is over."""

    def process(condition, seconds=5.0):
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            connection.process_data_events(time_limit=0.1)
        return condition()

    return process


@pytest.fixture
def take(until):
    """Consumes, and waits for COUNT messages: the consumer's tag, and the list that goes on."""

    def receive(channel, queue, count, seconds=5.0, **options):
        received = []
        tag = channel.basic_consume(
            queue, lambda *delivery: received.append(delivery[1:]), **options
        )
        until(lambda: len(received) >= count, seconds)
        return tag, received

    return receive


@contextlib.contextmanager
def types_kept():
    """Within it, pika gives each value of a table with the letter of its type, which it forgets."""
    decode = pika.data.decode_value

    def typed(encoded, offset):
        value, end = decode(encoded, offset)
        return (encoded[offset:offset + 1].decode("latin-1"), value), end

    pika.data.decode_value = typed
    try:
        yield
    finally:
        pika.data.decode_value = decode


@pytest.fixture
def fetch_typed(channel, until):
    """Fetches COUNT messages: key, properties with typed headers, and body of each."""

    def fetch(queue, count, seconds=5.0):
        found = []

        def is_done():
            if len(found) >= count:
                return True
            with types_kept():
                method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is not None:
                found.append((method.routing_key, properties, body))
            return len(found) >= count

        until(is_done, seconds)
        assert len(found) == count, [key for key, _, _ in found]
        return found

    return fetch
