"""The requests that Terraform's provider for RabbitMQ makes (by way of rabbit-hole), one resource
after the other: each is made, read back, changed, and deleted, after which it is not there."""

from urllib.parse import quote, unquote

import pytest
import requests


class Api:
    """Requests below /api, with the parts of a path encoded as rabbit-hole does."""

    def __init__(self, host, port):
        self.root = f"http://{host}:{port}/api"

    def ask(self, method, *parts, body=None):
        path = "/".join(quote(part, safe="") for part in parts)
        return requests.request(
            method, f"{self.root}/{path}", json=body, auth=("guest", "guest"), timeout=20
        )

    def read(self, *parts):
        answer = self.ask("GET", *parts)
        assert answer.status_code == 200, (parts, answer.status_code, answer.text)
        return answer.json()

    def put(self, *parts, body):
        """201 where it is new, 204 where it was there."""
        answer = self.ask("PUT", *parts, body=body)
        assert answer.status_code in (201, 204), (parts, answer.status_code, answer.text)
        return answer.status_code

    def delete(self, *parts):
        answer = self.ask("DELETE", *parts)
        assert answer.status_code == 204, (parts, answer.status_code, answer.text)
        assert self.ask("GET", *parts).status_code == 404, parts


@pytest.fixture(scope="module")
def api(host, management_port):
    return Api(host, management_port)


@pytest.fixture
def vhost(api, name):
    api.put("vhosts", name, body={"description": "", "tags": "", "tracing": False})
    yield name
    api.delete("vhosts", name)


@pytest.fixture
def user(api, name):
    api.put("users", name, body={"name": name, "password": "secret", "tags": "management"})
    yield name
    api.delete("users", name)


def test_a_virtual_host_is_made_and_changed(api, name):
    assert api.put("vhosts", name, body={"description": "one", "tags": "a,b"}) == 201
    found = api.read("vhosts", name)
    assert (found["name"], found["description"], found["tags"]) == (name, "one", ["a", "b"])
    changed = {"description": "two", "default_queue_type": "quorum"}
    assert api.put("vhosts", name, body=changed) == 204
    found = api.read("vhosts", name)
    # RabbitMQ 3.10 has no types of its own there.
    assert found["default_queue_type"] in ("quorum", "undefined")
    assert found["description"] == "two"
    api.delete("vhosts", name)


def test_a_user_is_made_and_changed(api, name):
    assert api.put("users", name, body={"password": "one", "tags": ["management"]}) == 201
    before = api.read("users", name)
    assert (before["name"], before["tags"]) == (name, ["management"])
    assert api.put("users", name, body={"password": "two", "tags": "policymaker,monitoring"}) == 204
    after = api.read("users", name)
    assert after["tags"] == ["policymaker", "monitoring"]
    assert after["password_hash"] != before["password_hash"]
    api.delete("users", name)


def test_permissions_are_set_and_taken_away(api, vhost, user):
    rights = {"configure": "^a", "write": "^b", "read": ".*"}
    assert api.put("permissions", vhost, user, body=rights) == 201
    assert api.read("permissions", vhost, user) == {"user": user, "vhost": vhost, **rights}
    assert api.put("permissions", vhost, user, body={**rights, "read": ""}) == 204
    assert api.read("permissions", vhost, user)["read"] == ""
    api.delete("permissions", vhost, user)


def test_topic_permissions_are_set_and_taken_away_exchange_by_exchange(api, vhost, user):
    for exchange in ("amq.topic", "other"):
        rights = {"exchange": exchange, "write": "^a", "read": ".*"}
        assert api.ask("PUT", "topic-permissions", vhost, user, body=rights).ok
    found = api.read("topic-permissions", vhost, user)
    assert sorted(row["exchange"] for row in found) == ["amq.topic", "other"]
    answer = api.ask("DELETE", "topic-permissions", vhost, user, "other")
    assert answer.status_code == 204
    assert [row["exchange"] for row in api.read("topic-permissions", vhost, user)] == ["amq.topic"]
    api.delete("topic-permissions", vhost, user)


def test_an_exchange_is_made_and_another_one_is_refused(api, vhost):
    settings = {"type": "topic", "durable": True, "auto_delete": False,
                "arguments": {"alternate-exchange": "other"}}
    assert api.put("exchanges", vhost, "x/1", body=settings) == 201
    found = api.read("exchanges", vhost, "x/1")
    assert {key: found[key] for key in settings} == settings
    answer = api.ask("PUT", "exchanges", vhost, "x/1", body={**settings, "type": "fanout"})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert "inequivalent arg 'type'" in answer.json()["reason"]
    api.delete("exchanges", vhost, "x/1")


def test_a_queue_is_made_and_another_one_is_refused(api, vhost):
    settings = {"durable": True, "auto_delete": False,
                "arguments": {"x-queue-type": "quorum", "x-max-length": 1000}}
    assert api.put("queues", vhost, "q 1", body=settings) == 201
    found = api.read("queues", vhost, "q 1")
    assert {key: found[key] for key in settings} == settings
    other = {**settings, "arguments": {"x-queue-type": "quorum", "x-max-length": 1}}
    answer = api.ask("PUT", "queues", vhost, "q 1", body=other)
    assert answer.status_code == 400
    assert "inequivalent arg 'x-max-length'" in answer.json()["reason"]
    api.delete("queues", vhost, "q 1")


@pytest.mark.parametrize("routing_key,arguments", [
    ("", {}),
    ("a.*.#", {}),
    ("with space/slash", {}),
    ("key", {"x-match": "all", "n": 1}),
])
def test_a_binding_is_found_by_the_key_that_its_location_has(api, vhost, routing_key, arguments):
    api.put("exchanges", vhost, "x", body={"type": "topic", "durable": True})
    api.put("queues", vhost, "q", body={"durable": True})
    place = ("bindings", vhost, "e", "x", "q", "q")
    body = {"source": "x", "vhost": vhost, "destination": "q", "destination_type": "queue",
            "routing_key": routing_key, "arguments": arguments}
    answer = api.ask("POST", *place, body=body)
    assert answer.status_code == 201, answer.text
    key = answer.headers["Location"].split("/")[-1]
    found = [row for row in api.read("bindings", vhost) if row["source"] == "x"]
    assert [(row["routing_key"], row["arguments"]) for row in found] == [(routing_key, arguments)]
    assert found[0]["properties_key"] == unquote(key)
    assert api.read(*place, found[0]["properties_key"])["routing_key"] == routing_key
    api.delete(*place, found[0]["properties_key"])


@pytest.mark.parametrize("resource", ["policies", "operator-policies"])
def test_a_policy_is_made_and_changed(api, vhost, resource):
    policy = {"vhost": vhost, "name": "p", "pattern": "^q", "apply-to": "queues", "priority": 1,
              "definition": {"max-length": 10, "expires": 60000}}
    assert api.put(resource, vhost, "p", body=policy) == 201
    assert api.read(resource, vhost, "p") == policy
    assert api.put(resource, vhost, "p", body={**policy, "priority": 2}) == 204
    assert [row["priority"] for row in api.read(resource, vhost)] == [2]
    api.delete(resource, vhost, "p")


@pytest.mark.parametrize("component,value", [
    ("shovel", {"src-uri": "amqp:///%2f", "src-queue": "a", "dest-uri": "amqp://other",
                "dest-queue": "b", "ack-mode": "on-confirm", "reconnect-delay": 5}),
    ("federation-upstream", {"uri": "amqp://other", "expires": 3600000, "prefetch-count": 1000}),
])
def test_shovels_and_upstreams_are_parameters(api, vhost, component, value, leveret_only):
    body = {"component": component, "vhost": vhost, "name": "one", "value": value}
    assert api.put("parameters", component, vhost, "one", body=body) == 201
    assert api.read("parameters", component, vhost, "one") == body
    assert api.read("parameters", component, vhost) == [body]
    changed = {**value, "prefetch-count": 5}
    assert api.put("parameters", component, vhost, "one", body={"value": changed}) == 204
    assert api.read("parameters", component, vhost, "one")["value"] == changed
    api.delete("parameters", component, vhost, "one")
