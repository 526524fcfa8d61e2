"""What programs do with pyrabbit2, a client of the HTTP API from the Python package index."""

import pytest
from pyrabbit2.api import Client
from pyrabbit2.http import HTTPError


@pytest.fixture
def client(host, management_port):
    return Client(f"{host}:{management_port}", "guest", "guest")


@pytest.fixture
def vhost(client, name):
    """A virtual host in which guest may do everything, for one test."""
    client.create_vhost(name)
    client.set_vhost_permissions(name, "guest", ".*", ".*", ".*")
    yield name
    client.delete_vhost(name)


def test_virtual_hosts_and_users_come_and_go(client, vhost, name):
    assert vhost in client.get_vhost_names()
    client.create_user(name, "secret", tags="monitoring")
    client.set_vhost_permissions(vhost, name, "^a", "^b", "^c")
    permissions = client.get_user_permissions(name)
    assert [(row["vhost"], row["configure"]) for row in permissions] == [(vhost, "^a")]
    client.delete_permission(vhost, name)
    assert client.get_user_permissions(name) == []
    client.delete_user(name)
    assert name not in [user["name"] for user in client.get_users()]


def test_messages_go_through_what_was_declared(client, vhost):
    client.create_exchange(vhost, "x", "direct", durable=True)
    client.create_queue(vhost, "q", durable=True)
    client.create_binding(vhost, "x", "q", "key")
    assert client.publish(vhost, "x", "key", "hello")
    assert not client.publish(vhost, "x", "other", "hello")
    got = client.get_messages(vhost, "q", count=5, requeue=False)
    assert [message["payload"] for message in got] == ["hello"]
    assert [row["routing_key"] for row in client.get_queue_bindings(vhost, "q")
            if row["source"] == "x"] == ["key"]
    client.delete_binding(vhost, "x", "q", "key")
    client.purge_queue(vhost, "q")
    client.delete_queue(vhost, "q")
    client.delete_exchange(vhost, "x")
    assert client.get_queues(vhost) == []


def test_what_is_not_there_is_told_so(client, vhost):
    with pytest.raises(HTTPError) as refused:
        client.get_queue(vhost, "nobody")
    assert refused.value.status == 404
