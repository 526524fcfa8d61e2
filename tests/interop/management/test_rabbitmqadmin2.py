"""What operators do with rabbitmqadmin 2, RabbitMQ's own tool of today: it looks for the fields
that it knows in every answer, and fails where one is missing."""

import json
import os
import subprocess

import pytest

TOOL = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", ".cache", "interop",
    "rabbitmqadmin2", "bin", "rabbitmqadmin",
)


@pytest.fixture(scope="module")
def admin(host, management_port, leveret_only):
    """Runs it, which must succeed, and gives the lines that it printed."""

    def run(*arguments, vhost="/", login=("guest", "guest"), fails=False):
        command = [
            TOOL, "--host", host, "--port", str(management_port), "--username", login[0],
            "--password", login[1], "--vhost", vhost, "--non-interactive", *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert (done.returncode != 0) == fails, (arguments, done.stdout, done.stderr)
        return [line.split() for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def vhost(admin, name):
    """A virtual host for one test."""
    admin("declare", "vhost", "--name", name, "--default-queue-type", "classic")
    yield name
    admin("delete", "vhost", "--name", name)


@pytest.fixture(scope="module")
def node(admin):
    return admin("list", "nodes")[0][0]


@pytest.mark.parametrize("what", [
    ["show", "overview"],
    ["show", "churn"],
    ["list", "nodes"],
    ["list", "users"],
    ["list", "vhosts"],
    ["list", "permissions"],
    ["list", "exchanges"],
    ["list", "feature_flags"],
    ["list", "deprecated_features"],
    ["plugins", "list_all"],
    ["passwords", "salt_and_hash", "secret"],
    ["health_check", "local_alarms"],
    ["health_check", "cluster_wide_alarms"],
    ["health_check", "node_is_quorum_critical"],
])
def test_there_is_something_to_look_at(admin, what):
    assert admin(*what)


@pytest.mark.parametrize("what", [
    ["list", "deprecated_features_in_use"],
    ["list", "connections"],
    ["list", "channels"],
    ["list", "consumers"],
    ["list", "vhost_limits"],
    ["list", "user_limits"],
    ["parameters", "list_all"],
    ["global_parameters", "list"],
    ["shovels", "list_all"],
    ["federation", "list_all_links"],
    ["federation", "list_all_upstreams"],
    ["rebalance", "queues"],
])
def test_lists_are_there_and_may_be_empty(admin, what):
    admin(*what)


def test_the_node_is_looked_into(admin, node):
    rows = admin("show", "memory_breakdown_in_bytes", "--node", node)
    assert any("Binary" in row for row in rows), rows
    assert admin("show", "memory_breakdown_in_percent", "--node", node)
    rows = admin("auth_attempts", "stats", "--node", node)
    assert {row[0].lower() for row in rows} >= {"http"}


def test_messages_go_through_what_was_declared(admin, vhost):
    def here(*arguments, **more):
        return admin(*arguments, vhost=vhost, **more)

    here("declare", "exchange", "--name", "x", "--type", "topic", "--durable", "true")
    here("declare", "queue", "--name", "q", "--type", "quorum", "--durable", "true",
         "--arguments", '{"x-max-length": 100}')
    here("declare", "binding", "--source", "x", "--destination-type", "queue", "--destination", "q",
         "--routing-key", "a.#")
    assert ["x", vhost] == [row[:2] for row in here("list", "exchanges") if row[0] == "x"][0]
    assert any(row[0] == "q" and "quorum" in row for row in here("list", "queues"))
    assert any("a.#" in row for row in here("list", "bindings"))
    here("publish", "message", "--exchange", "x", "--routing-key", "a.b", "--payload", "hello")
    got = here("get", "messages", "--queue", "q", "--count", "2", "--ack-mode", "ack_requeue_false")
    assert any("hello" in row for row in got), got
    here("publish", "message", "--exchange", "x", "--routing-key", "a.b", "--payload", "gone")
    here("purge", "queue", "--name", "q")
    got = here("get", "messages", "--queue", "q", "--ack-mode", "ack_requeue_false")
    assert not any("gone" in row for row in got), got
    here("delete", "binding", "--source", "x", "--destination-type", "queue", "--destination", "q",
         "--routing-key", "a.#")
    here("delete", "queue", "--name", "q")
    here("delete", "queue", "--name", "q", fails=True)
    here("delete", "queue", "--name", "q", "--idempotently")
    here("delete", "exchange", "--name", "x")


def test_users_have_permissions_and_limits(admin, vhost, name):
    admin("declare", "user", "--name", name, "--password", "secret", "--tags", "management")
    admin("declare", "permissions", "--username", name, "--configure", ".*", "--read", ".*",
          "--write", "", vhost=vhost)
    assert any(row[:2] == [name, vhost] for row in admin("list", "permissions"))
    admin("declare", "user_limit", "--user", name, "--name", "max-channels", "--value", "7")
    assert any(row[0] == name for row in admin("list", "user_limits"))
    admin("declare", "vhost_limit", "--name", "max-queues", "--value", "3", vhost=vhost)
    assert any(row[0] == vhost for row in admin("list", "vhost_limits", vhost=vhost))
    own = (name, "secret")
    admin("declare", "queue", "--name", "own", "--type", "classic", "--durable", "true",
          vhost=vhost, login=own)
    admin("publish", "message", "--routing-key", "own", vhost=vhost, login=own, fails=True)
    admin("list", "users", login=own, fails=True)
    admin("delete", "permissions", "--username", name, vhost=vhost)
    admin("delete", "user", "--name", name)


def test_policies_and_operator_policies(admin, vhost):
    for kind, lists in (("policy", "policies"), ("operator_policy", "operator_policies")):
        admin("declare", kind, "--name", "p", "--pattern", "^q", "--apply-to", "queues",
              "--priority", "3", "--definition", '{"max-length": 10}', vhost=vhost)
        assert any(row[:2] == ["p", vhost] for row in admin("list", lists)), lists
        admin("delete", kind, "--name", "p", vhost=vhost)


def test_shovels_and_upstreams_are_kept(admin, vhost):
    admin("shovels", "declare_amqp091", "--name", "s", "--source-uri", "amqp://one",
          "--destination-uri", "amqp://two", "--source-queue", "a", "--destination-queue", "b",
          vhost=vhost)
    admin("federation", "declare_upstream", "--name", "u", "--uri", "amqp://one", vhost=vhost)
    assert any("u" in row for row in admin("federation", "list_all_upstreams"))
    components = [row for row in admin("parameters", "list_all") if vhost in row]
    assert any("shovel" in row for row in components), components
    admin("parameters", "clear", "--component", "shovel", "--name", "s", vhost=vhost)
    admin("federation", "delete_upstream", "--name", "u", vhost=vhost)


def test_a_virtual_host_is_protected(admin, vhost):
    admin("vhosts", "enable_deletion_protection", "--name", vhost)
    admin("delete", "vhost", "--name", vhost, fails=True)
    admin("vhosts", "disable_deletion_protection", "--name", vhost)


def test_definitions_go_out_and_in(admin, vhost, tmp_path):
    admin("declare", "queue", "--name", "q", "--type", "classic", "--durable", "true", vhost=vhost)
    file = tmp_path / "definitions.json"
    admin("definitions", "export", "--file", str(file))
    queues = json.loads(file.read_text())["queues"]
    assert [queue["name"] for queue in queues if queue["vhost"] == vhost] == ["q"]
    admin("delete", "queue", "--name", "q", vhost=vhost)
    admin("definitions", "import", "--file", str(file))
    assert any(row[0] == "q" for row in admin("list", "queues", vhost=vhost))
