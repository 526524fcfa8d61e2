"""Connections and channels of kombu, over py-amqp, closed after each test."""

import kombu
import pytest


@pytest.fixture
def connect(url):
    """Opens connections, and closes those that the test left open."""
    opened = []

    def open_one(**transport_options):
        connection = kombu.Connection(
            url,
            connect_timeout=5,
            heartbeat=30,
            transport_options={"read_timeout": 8, "write_timeout": 8, **transport_options},
        )
        opened.append(connection)
        connection.connect()
        return connection

    yield open_one
    for connection in opened:
        connection.release()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()


@pytest.fixture
def queue(channel, name):
    """A declared queue, exclusive to the connection; kombu makes it auto-delete as well."""
    queue = kombu.Queue(name, channel=channel, exclusive=True)
    queue.declare()
    return queue
