"""The event exchange: what is told of what happens, key by key, with the types on the wire."""

import re
import time

import pika
import pytest

PID = re.compile(r"<.+@.+\.\d+\.\d+\.\d+>")
EVENT_EXCHANGE = "amq.rabbitmq.event"


@pytest.fixture
def events(channel, name):
    """A queue with everything that happens from now on."""
    queue = f"{name}.events"
    channel.queue_declare(queue, exclusive=True)
    channel.queue_bind(queue, EVENT_EXCHANGE, "#")
    yield queue
    channel.queue_delete(queue)


@pytest.fixture
def told(events, fetch_typed, name):
    """Fetches events with these keys, the next ones that concern the test: the headers of each."""
    unread = []

    def fetch(*keys):
        found = []
        for key in keys:
            found.append(next_of(key))
        return found

    def next_of(wanted, seconds=5.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for index, (key, headers) in enumerate(unread):
                if key == wanted:
                    del unread[index]
                    return headers
            for key, properties, body in fetch_typed(events, 1, seconds):
                assert (properties.delivery_mode, body) == (2, b"")
                headers = dict(properties.headers)
                kind, milliseconds = headers.pop("timestamp_in_ms")
                assert kind == "l" and properties.timestamp == milliseconds // 1000
                unread.append((key, headers))
        raise AssertionError((wanted, [key for key, _ in unread]))

    return fetch


def pid(headers, name):
    kind, value = headers.pop(name)
    assert kind == "S" and PID.fullmatch(value), value
    return value


def by(user):
    return {"user_who_performed_action": ("S", user)}


def test_the_exchange_is_there_and_nobody_else_publishes_to_it(channel):
    channel.exchange_declare(EVENT_EXCHANGE, passive=True)
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
        channel.basic_publish(EVENT_EXCHANGE, "x", b"")
    assert refused.value.reply_code == 403


def test_queues_exchanges_and_bindings(channel, name, told):
    told("binding.created")
    exchange, queue = f"{name}.x", f"{name}.q"
    channel.exchange_declare(exchange, "topic", arguments={"alternate-exchange": "amq.fanout"})
    channel.queue_declare(queue, arguments={"x-message-ttl": 60000, "x-max-length": 5})
    channel.queue_bind(queue, exchange, "a.b", arguments={"k": 1})
    channel.exchange_bind("amq.direct", exchange, "z")
    created, declared, bound, chained = told(
        "exchange.created", "queue.created", "binding.created", "binding.created"
    )
    assert created == {
        "name": ("S", exchange), "type": ("S", "topic"), "durable": ("t", False),
        "auto_delete": ("t", False), "internal": ("t", False), "policy": ("S", ""),
        "arguments": ("A", [("S", '{<<"alternate-exchange">>,longstr,<<"amq.fanout">>}')]),
        "vhost": ("S", "/"), **by("guest"),
    }
    arguments = ['{<<"x-message-ttl">>,signedint,60000}', '{<<"x-max-length">>,signedint,5}']
    assert declared == {
        "name": ("S", queue), "durable": ("t", False), "auto_delete": ("t", False),
        "exclusive": ("t", False), "owner_pid": ("S", ""), "vhost": ("S", "/"),
        "arguments": ("A", [("S", each) for each in arguments]), **by("guest"),
    }
    assert bound == {
        "source_name": ("S", exchange), "source_kind": ("S", "exchange"),
        "destination_name": ("S", queue), "destination_kind": ("S", "queue"),
        "routing_key": ("S", "a.b"), "arguments": ("A", [("S", '{<<"k">>,signedint,1}')]),
        "vhost": ("S", "/"), **by("guest"),
    }
    assert chained["destination_kind"] == ("S", "exchange")
    channel.queue_delete(queue)
    channel.exchange_delete(exchange)
    unbound, deleted, unchained, gone = told(
        "binding.deleted", "queue.deleted", "binding.deleted", "exchange.deleted"
    )
    assert deleted == {"name": ("S", queue), "vhost": ("S", "/"), **by("guest")}
    assert gone == {"name": ("S", exchange), "vhost": ("S", "/"), **by("guest")}
    assert {**unbound, **by("guest")} == bound
    assert {**unchained, **by("guest")} == chained


def test_a_connection_from_its_login_to_its_end(connect, told, host, port):
    told("binding.created")
    connection = connect()
    login, created = told("user.authentication.success", "connection.created")
    ends = login["connection_name"][1]
    peer_port = int(re.fullmatch(rf"127\.0\.0\.1:(\d+) -> 127\.0\.0\.1:{port}", ends)[1])
    assert login == {
        "name": ("S", "guest"), "auth_mechanism": ("S", "PLAIN"), "connection_name": ("S", ends),
        "connection_type": ("S", "network"), "host": ("S", "{127,0,0,1}"),
        "peer_host": ("S", "{127,0,0,1}"), "peer_port": ("l", peer_port),
        "protocol": ("S", "{0,9,1}"), "ssl": ("t", False),
    }
    connection_pid = pid(created, "pid")
    kind, properties = created.pop("client_properties")
    assert kind == "A" and ("S", '{<<"version">>,longstr,<<"1.4.4">>}') in properties
    kind, node = created.pop("node")
    assert created.pop("connected_at")[0] == "l" and kind == "S" and "@" in node
    none = ["peer_cert_issuer", "peer_cert_subject", "peer_cert_validity", "ssl_cipher",
            "ssl_hash", "ssl_key_exchange", "ssl_protocol"]
    assert created == {
        **{name: ("S", "") for name in none}, "ssl": ("t", False), "name": ("S", ends),
        "host": ("S", "{127,0,0,1}"), "port": ("l", port), "peer_host": ("S", "{127,0,0,1}"),
        "peer_port": ("l", peer_port), "protocol": ("S", "{0,9,1}"), "type": ("S", "network"),
        "auth_mechanism": ("S", "PLAIN"), "channel_max": ("l", 2047), "frame_max": ("l", 131072),
        "timeout": ("l", 30), "user": ("S", "guest"), "vhost": ("S", "/"), **by("guest"),
    }
    channel = connection.channel()
    opened, = told("channel.created")
    channel_pid = pid(opened, "pid")
    assert pid(opened, "connection") == connection_pid
    assert opened == {
        "name": ("S", f"{ends} (1)"), "number": ("l", 1), "user": ("S", "guest"),
        "vhost": ("S", "/"), **by("guest"),
    }
    channel.close()
    closed, = told("channel.closed")
    assert pid(closed, "pid") == channel_pid and closed == by("guest")
    connection.close()
    ended, = told("connection.closed")
    assert pid(ended, "pid") == connection_pid
    assert ended == {
        "name": ("S", ends), "node": ("S", node), "client_properties": ("A", properties),
    }


def test_a_login_that_fails(parameters, told):
    told("binding.created")
    parameters.credentials = pika.PlainCredentials("guest", "wrong")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters)
    failed, = told("user.authentication.failure")
    kind, characters = failed["error"]
    text = "".join(chr(number) for _, number in characters)
    assert kind == "A" and {kind for kind, _ in characters} == {"l"}
    assert text == "user 'guest' - invalid credentials"
    told("connection.closed")


def test_a_consumer(connect, name, told):
    told("binding.created")
    channel = connect().channel()
    queue = f"{name}.q"
    channel.queue_declare(queue, exclusive=True)
    channel.basic_qos(prefetch_count=7)
    tag = channel.basic_consume(
        queue, lambda *_: None, consumer_tag="tag", arguments={"x-priority": 3}
    )
    opened, declared, created = told("channel.created", "queue.created", "consumer.created")
    assert pid(declared, "owner_pid") == pid(opened, "connection")
    channel_pid = pid(opened, "pid")
    assert pid(created, "channel") == channel_pid
    assert created == {
        "consumer_tag": ("S", "tag"), "queue": ("S", queue), "vhost": ("S", "/"),
        "exclusive": ("t", False), "ack_required": ("t", True), "prefetch_count": ("l", 7),
        "arguments": ("A", [("S", '{<<"x-priority">>,signedint,3}')]), **by("guest"),
    }
    channel.basic_cancel(tag)
    deleted, = told("consumer.deleted")
    expected = {"consumer_tag": ("S", "tag"), "queue": ("S", queue), "vhost": ("S", "/")}
    assert pid(deleted, "channel") == channel_pid and deleted == {**expected, **by("guest")}
    channel.basic_consume(queue, lambda *_: None, consumer_tag="tag")
    channel.close()
    deleted, = told("consumer.deleted")
    pid(deleted, "channel")
    assert deleted == {**expected, **by("guest")}
    channel.connection.close()
    gone, = told("queue.deleted")
    assert gone == {"name": ("S", queue), "vhost": ("S", "/"), **by("rmq-internal")}


def without_user(headers):
    """Over HTTP guest asks for everything."""
    assert headers.pop("user_who_performed_action") == ("S", "guest")
    return headers


def test_what_operators_declare(name, told, api):
    told("binding.created")
    host = name
    api("PUT", f"vhosts/{host}", {"description": "d", "tags": "a,b"})
    created, = told("vhost.created")
    kind, state = created.pop("cluster_state")
    assert kind == "F" and list(state.values()) == [("S", "running")]
    assert created.pop("default_queue_type")[0] == "S"
    assert without_user(created) == {
        "name": ("S", host), "description": ("S", "d"), "tags": ("A", [("S", "a"), ("S", "b")]),
        "metadata": ("S", '#{description => <<"d">>,tags => [a,b]}'), "tracing": ("t", False),
    }
    told("permission.created")
    api("PUT", f"users/{name}", {"password": "p", "tags": "management"})
    user, tags = told("user.created", "user.tags.set")
    assert without_user(user) == {"name": ("S", name)}
    assert without_user(tags) == {"name": ("S", name), "tags": ("A", [("S", "management")])}
    api("PUT", f"users/{name}", {"password": "other", "tags": "monitoring"})
    changed, _ = told("user.password.changed", "user.tags.set")
    assert without_user(changed) == {"name": ("S", name)}
    api("PUT", f"permissions/{host}/{name}", {"configure": "c", "write": "w", "read": "r"})
    permission, = told("permission.created")
    assert without_user(permission) == {
        "user": ("S", name), "vhost": ("S", host), "configure": ("S", "c"), "write": ("S", "w"),
        "read": ("S", "r"),
    }
    topic = {"exchange": "amq.topic", "write": "w", "read": "r"}
    api("PUT", f"topic-permissions/{host}/{name}", topic)
    permission, = told("topic.permission.created")
    assert without_user(permission) == {
        "user": ("S", name), "vhost": ("S", host), "exchange": ("S", "amq.topic"),
        "write": ("S", "w"), "read": ("S", "r"),
    }
    api("DELETE", f"topic-permissions/{host}/{name}")
    api("DELETE", f"permissions/{host}/{name}")
    for key in ("topic.permission.deleted", "permission.deleted"):
        gone, = told(key)
        assert without_user(gone) == {"user": ("S", name), "vhost": ("S", host)}
    api("DELETE", f"users/{name}")
    deleted, = told("user.deleted")
    assert without_user(deleted) == {"name": ("S", name)}
    api("PUT", f"exchanges/{host}/x", {"type": "topic"})
    exchanges = [told("exchange.created")[0] for _ in range(8)]
    names = {without_user(exchange)["name"][1]: exchange for exchange in exchanges}
    system = {"direct": "direct", "fanout": "fanout", "headers": "headers", "match": "headers",
              "topic": "topic", "rabbitmq.trace": "topic"}
    types = {"": "direct", "x": "topic", **{f"amq.{each}": kind for each, kind in system.items()}}
    assert {each: exchange["type"][1] for each, exchange in names.items()} == types
    assert names["amq.rabbitmq.trace"] == {
        "name": ("S", "amq.rabbitmq.trace"), "type": ("S", "topic"), "durable": ("t", True),
        "auto_delete": ("t", False), "internal": ("t", True), "policy": ("S", ""),
        "arguments": ("A", []), "vhost": ("S", host),
    }
    for each in ("x", "amq.topic"):
        shown = api("GET", f"exchanges/{host}/{each}")
        assert shown["user_who_performed_action"] == "guest"
    api("DELETE", f"vhosts/{host}")
    deleted, down = told("vhost.deleted", "vhost.down")
    assert without_user(deleted) == {"name": ("S", host)}
    assert down.pop("node")[0] == "S" and down == {"name": ("S", host), **by("rmq-internal")}
    gone = {told("exchange.deleted")[0]["name"][1] for _ in range(8)}
    assert gone == set(types)


def test_policies_and_parameters(channel, name, told, api):
    told("binding.created")
    policy = {"pattern": "^x-nobody", "definition": {"max-length": 10, "dead-letter-exchange": "x"},
              "priority": 3, "apply-to": "queues"}
    api("PUT", f"policies/%2F/{name}", policy)
    told_policy, = told("policy.set")
    definition = {"max-length": ("l", 10), "dead-letter-exchange": ("S", "x")}
    body = {
        "pattern": ("S", "^x-nobody"), "apply-to": ("S", "queues"), "priority": ("l", 3),
        "definition": ("F", definition),
    }
    assert without_user(told_policy) == {"name": ("S", name), "vhost": ("S", "/"), **body}
    api("DELETE", f"policies/%2F/{name}")
    cleared, = told("policy.cleared")
    assert without_user(cleared) == {"name": ("S", name), "vhost": ("S", "/")}
    channel.queue_declare(name, exclusive=True)
    value = {"pattern": f"^{re.escape(name)}$", "definition": {"max-length": 5}, "priority": 4}
    api("PUT", f"policies/%2F/{name}", {**value, "apply-to": "queues"})
    queue = {"name": ("S", name), "vhost": ("S", "/"), "type": ("S", "rabbit_classic_queue")}
    updated, _ = told("queue.policy.updated", "policy.set")
    assert without_user(updated) == {
        **queue, "pattern": ("S", value["pattern"]), "apply-to": ("S", "queues"),
        "priority": ("l", 4), "definition": ("F", {"max-length": ("l", 5)}),
    }
    api("DELETE", f"policies/%2F/{name}")
    cleared, _ = told("queue.policy.cleared", "policy.cleared")
    assert without_user(cleared) == queue
    policy["definition"] = {"max-length": 10}
    body["definition"] = ("F", {"max-length": ("l", 10)})
    api("PUT", f"operator-policies/%2F/{name}", policy)
    parameter, _ = told("parameter.set", "policy.set")
    assert without_user(parameter) == {
        "component": ("S", "operator_policy"), "name": ("S", name), "vhost": ("S", "/"),
        "value": ("F", body),
    }
    api("DELETE", f"operator-policies/%2F/{name}")
    told("parameter.cleared", "operator.policy.cleared")
    value = {"a": 1, "b": [True, None, "x", 1.5]}
    api("PUT", f"global-parameters/{name}", {"value": value})
    parameter, = told("parameter.set")
    kind, listed = parameter["value"][1]["b"]
    # pika reads no floats as they are.
    assert kind == "A" and listed.pop()[0] == "f"
    assert without_user(parameter) == {
        "component": ("S", "global"), "name": ("S", name),
        "value": ("F", {"a": ("l", 1), "b": ("A", [("t", True), ("S", "null"), ("S", "x")])}),
    }
    api("DELETE", f"global-parameters/{name}")


def test_limits(name, told, api):
    told("binding.created")
    api("PUT", f"vhosts/{name}", {})
    api("PUT", f"vhost-limits/{name}/max-queues", {"value": 5})
    parameter, limits = told("parameter.set", "vhost.limits.set")
    assert without_user(parameter) == {
        "component": ("S", "vhost-limits"), "name": ("S", "limits"), "vhost": ("S", name),
        "value": ("F", {"max-queues": ("l", 5)}),
    }
    assert without_user(limits) == {"name": ("S", "limits"), "max-queues": ("l", 5)}
    api("PUT", f"users/{name}", {"password": "p", "tags": ""})
    api("PUT", f"user-limits/{name}/max-channels", {"value": 5})
    limits, = told("user.limits.set")
    assert without_user(limits) == {
        "name": ("S", "limits"), "username": ("S", name), "max-channels": ("l", 5),
    }
    api("DELETE", f"users/{name}")
    api("DELETE", f"vhosts/{name}")
    told("vhost.deleted")
