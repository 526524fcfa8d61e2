"""What operators do with rabbitmqadmin, the command that RabbitMQ 3.x brings."""

import json
import time

import pika
import pytest


def one(found, **wanted):
    """The only row with these values."""
    rows = [row for row in found if all(row.get(key) == value for key, value in wanted.items())]
    assert len(rows) == 1, (wanted, found)
    return rows[0]


def becomes(value, look):
    """RabbitMQ gathers what it tells of queues every five seconds."""
    end = time.monotonic() + 12
    while look() != value and time.monotonic() < end:
        time.sleep(0.1)
    return look() == value


def test_a_queue_is_declared_listed_emptied_and_deleted(name, tool, rows):
    arguments = json.dumps({"x-max-length": 5})
    tool("declare", "queue", f"name={name}", "durable=true", f"arguments={arguments}")
    queue = one(rows("queues"), name=name)
    assert (queue["vhost"], queue["durable"], queue["type"]) == ("/", True, "classic")
    assert queue["arguments"] == {"x-max-length": 5}
    tool("publish", f"routing_key={name}", "payload=one")
    assert becomes(1, lambda: one(rows("queues"), name=name).get("messages"))
    assert tool("purge", "queue", f"name={name}") == "queue purged"
    assert tool("delete", "queue", f"name={name}") == "queue deleted"
    assert not [row for row in rows("queues") if row["name"] == name]


def test_what_is_declared_otherwise_is_refused_with_the_reason(queue, run_tool):
    done = run_tool("declare", "queue", f"name={queue}", "durable=false")
    assert done.returncode != 0
    assert f"inequivalent arg 'durable' for queue '{queue}' in vhost '/'" in done.stderr
    done = run_tool("delete", "queue", "name=leveret-interop-nobody")
    assert done.returncode != 0 and "Not found" in done.stderr


def test_messages_go_by_exchanges_and_bindings(name, queue, tool, rows):
    tool("declare", "exchange", f"name={name}", "type=topic")
    tool("declare", "binding", f"source={name}", f"destination={queue}", "routing_key=orders.#")
    binding = one(rows("bindings"), source=name, destination=queue)
    assert (binding["destination_type"], binding["routing_key"]) == ("queue", "orders.#")
    sent = tool("publish", f"exchange={name}", "routing_key=orders.new", "payload=seven")
    assert sent == "Message published"
    sent = tool("publish", f"exchange={name}", "routing_key=other", "payload=seven")
    assert sent == "Message published but NOT routed"
    got = json.loads(tool("-f", "raw_json", "get", f"queue={queue}", "ackmode=ack_requeue_false"))
    assert [message["payload"] for message in got] == ["seven"]
    assert (got[0]["exchange"], got[0]["routing_key"]) == (name, "orders.new")
    assert (got[0]["redelivered"], got[0]["message_count"]) == (False, 0)
    tool("delete", "binding", f"source={name}", "destination_type=queue", f"destination={queue}",
         f"properties_key={binding['properties_key']}")
    assert not [row for row in rows("bindings") if row["source"] == name]
    tool("delete", "exchange", f"name={name}")


def test_what_a_client_published_is_seen_and_got(queue, url, tool, rows):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    properties = pika.BasicProperties(content_type="text/plain", headers={"n": 1}, delivery_mode=2)
    channel.basic_publish("", queue, b"body", properties)
    got = json.loads(tool("-f", "raw_json", "get", f"queue={queue}"))
    assert (got[0]["payload"], got[0]["payload_bytes"]) == ("body", 4)
    assert got[0]["properties"]["headers"] == {"n": 1}
    assert got[0]["properties"]["content_type"] == "text/plain"
    method, _, body = channel.basic_get(queue, auto_ack=True)
    assert (method.redelivered, body) == (True, b"body"), "it was given back"
    connection.close()


def test_a_user_may_do_what_the_permissions_say(name, host, port, tool, run_tool, rows):
    tool("declare", "vhost", f"name={name}")
    tool("declare", "user", f"name={name}", "password=secret", "tags=management")
    tool("declare", "permission", f"vhost={name}", f"user={name}", "configure=^mine", "write=.*",
         "read=.*")
    user = one(rows("users"), name=name)
    assert user["hashing_algorithm"] == "rabbit_password_hashing_sha256"
    permission = one(rows("permissions"), user=name, vhost=name)
    assert (permission["configure"], permission["write"]) == ("^mine", ".*")
    login = {"user": name, "password": "secret"}
    tool("-V", name, "declare", "queue", "name=mine", "durable=true", **login)
    refused = run_tool("-V", name, "declare", "queue", "name=theirs", "durable=true", **login)
    assert refused.returncode != 0 and "Access refused" in refused.stderr
    assert run_tool("list", "users", **login).returncode != 0
    credentials = pika.PlainCredentials(name, "secret")
    parameters = pika.ConnectionParameters(host, port, name, credentials)
    connection = pika.BlockingConnection(parameters)
    assert connection.channel().queue_declare("mine", passive=True).method.message_count == 0
    connection.close()
    tool("delete", "user", f"name={name}")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters)
    tool("delete", "vhost", f"name={name}")
    assert name not in [row["name"] for row in rows("vhosts")]


def test_a_policy_holds_while_it_is_there(name, queue, tool, rows):
    definition = json.dumps({"max-length": 1})
    tool("declare", "policy", f"name={name}", f"pattern=^{queue}$", f"definition={definition}",
         "apply-to=queues")
    assert one(rows("policies"), name=name)["definition"] == {"max-length": 1}
    for text in ("one", "two"):
        tool("publish", f"routing_key={queue}", f"payload={text}")
    got = json.loads(tool("-f", "raw_json", "get", f"queue={queue}"))
    assert [message["payload"] for message in got] == ["two"]
    assert becomes(name, lambda: one(rows("queues"), name=queue).get("policy"))
    tool("delete", "policy", f"name={name}")
    assert not [row for row in rows("policies") if row["name"] == name]


def test_definitions_come_back_as_they_were_exported(name, tool, rows, tmp_path):
    tool("declare", "vhost", f"name={name}")
    tool("declare", "permission", f"vhost={name}", "user=guest", "configure=.*", "write=.*",
         "read=.*")
    tool("-V", name, "declare", "queue", "name=q", "durable=true")
    tool("-V", name, "declare", "exchange", "name=x", "type=fanout")
    tool("-V", name, "declare", "binding", "source=x", "destination=q")
    tool("-V", name, "declare", "vhost_limit", f"vhost={name}", "name=max-queues", "value=7")
    file = str(tmp_path / "definitions.json")
    tool("export", file)
    tool("delete", "vhost", f"name={name}")
    tool("import", file)
    queue = one(rows("queues"), name="q", vhost=name)
    assert queue["durable"]
    one(rows("bindings"), vhost=name, source="x", destination="q")
    assert one(rows("vhost_limits"), vhost=name)["value"] == {"max-queues": 7}
    tool("delete", "vhost", f"name={name}")


def test_a_wrong_password_is_refused(run_tool):
    done = run_tool("list", "queues", password="wrong")
    assert done.returncode != 0 and "Access refused" in done.stderr
