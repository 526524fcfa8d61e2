"""The shapes of the HTTP API are RabbitMQ's: one state is built on a RabbitMQ and on the broker
under test, and all that both tell of it is compared key by key: which keys there are, the types of
their values, and the values. What differs and why stands in same_state_exceptions.json; an entry
that excepts nothing fails as well."""

import fnmatch
import json
import os
import re
import shutil
import sys
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import broker as brokers  # noqa: E402
from same_state import VHOST, Api, Clients, declare, settle  # noqa: E402
from same_state_requests import endpoint_of, endpoints, requests  # noqa: E402

pytestmark = pytest.mark.timeout(150)
EXCEPTIONS = os.path.join(HERE, "same_state_exceptions.json")
PLUGINS = (
    "rabbitmq_management", "rabbitmq_consistent_hash_exchange", "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange", "rabbitmq_shovel_management",
    "rabbitmq_federation_management", "rabbitmq_stream_management", "rabbitmq_tracing",
    "rabbitmq_top",
)


class Built:
    """A broker in the state, and what it told."""

    def __init__(self, host, port, management_port):
        self.api = Api(host, management_port)
        declare(self.api)
        self.clients = Clients(host, port)
        settle(self.api, self.clients)
        self.requests = requests(self.api)
        self.names = self._names(port, management_port)
        self.answers = {path: self._told(request) for path, request in self.requests.items()}

    def _names(self, port, management_port):
        """What is another for every broker, and how it is compared."""
        overview = self.api.get("overview")
        connection = self.api.get("connections")[0]
        return [
            (re.escape(connection["name"]), "CLIENT"), (re.escape(overview["node"]), "NODE"),
            (f'"{re.escape(overview["cluster_name"])}"', '"CLUSTER"'),
            (re.escape(overview["rabbitmq_version"]), "VERSION"),
            (f'"peer_port":{connection["peer_port"]}', '"peer_port":1'),
            (rf"\b{management_port}\b", "2"), (rf"\b{port}\b", "1"),
        ]

    def _told(self, request):
        self.clients.run(0)
        status, headers, text = self.api.ask("GET", request)
        for own, common in self.names:
            text = re.sub(own, common, text)
        kind = headers.get("content-type") or headers.get("Content-Type")
        body = json.loads(text) if text else None
        return {"status": status, "content-type": kind, "body": body}

    def close(self):
        self.clients.close()
        for vhost in (VHOST, "empty"):
            self.api.ask("DELETE", f"vhosts/{vhost}")
        for user in ("ann", "bob"):
            self.api.ask("DELETE", f"users/{user}")
        self.api.ask("DELETE", "global-parameters/owner")


@pytest.fixture(scope="module")
def rabbitmq():
    """A RabbitMQ in the state."""
    if not (shutil.which("rabbitmq-server") or os.path.exists("/usr/sbin/rabbitmq-server")):
        pytest.skip("there is no rabbitmq-server to compare with")
    folder = tempfile.mkdtemp(prefix="leveret-same-state-")
    os.chmod(folder, 0o755)
    keys = ["collect_statistics_interval = 1000", "stream.listeners.tcp = none"]
    peer = brokers.RabbitMq(folder, PLUGINS, keys=keys)
    peer.start()
    try:
        time.sleep(1)
        built = Built(brokers.HOST, peer.port, peer.management_port)
        yield built
        built.close()
    finally:
        peer.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def tested(host, port, management_port):
    """The broker under test, in the same state. A binary is started anew: other suites leave theirs
    behind in the one that they share."""
    binary = os.environ.get("LEVERET_TEST_BROKER", "")
    if "/" not in binary:
        built = Built(host, port, management_port)
        yield built
        built.close()
        return
    with tempfile.TemporaryDirectory(prefix="leveret-same-state-") as folder:
        broker = brokers.Leveret(binary, folder, has_metrics=False)
        broker.start()
        try:
            built = Built(brokers.HOST, broker.port, broker.management_port)
            yield built
            built.close()
        finally:
            broker.stop()


def kind_of(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "text", dict: "object", list: "list", type(None): "null"}[type(value)]


def order_of(value):
    """Lists have no order of their own, but for those that were asked for one."""
    if not isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    known = ("vhost", "name", "user", "component", "source", "destination_type", "destination",
             "routing_key", "properties_key", "consumer_tag", "protocol", "ip_address", "timestamp")
    return json.dumps([value.get(name) for name in known], sort_keys=True)


def differences(theirs, ours, at=""):
    """Where two values differ: the key, what kind of difference, and both sides."""
    if kind_of(theirs) != kind_of(ours):
        yield at, "type", theirs, ours
    elif isinstance(theirs, dict):
        for name in sorted(theirs.keys() | ours.keys()):
            key = f"{at}.{name}" if at else name
            if name not in ours:
                yield key, "missing", theirs[name], None
            elif name not in theirs:
                yield key, "extra", None, ours[name]
            else:
                yield from differences(theirs[name], ours[name], key)
    elif isinstance(theirs, list):
        if len(theirs) != len(ours):
            yield f"{at}[]", "length", theirs, ours
            return
        for left, right in zip(sorted(theirs, key=order_of), sorted(ours, key=order_of)):
            yield from differences(left, right, f"{at}[]")
    elif theirs != ours:
        yield at, "value", theirs, ours


class Exceptions:
    """What may differ, and which of that did."""

    def __init__(self):
        with open(EXCEPTIONS, encoding="utf-8") as file:
            self.entries = json.load(file)
        self.used = set()

    def permits(self, path, key, kind):
        permitted = False
        for at, entry in enumerate(self.entries):
            paths = entry.get("paths") or [entry.get("path", "*")]
            if (any(fnmatch.fnmatchcase(path, known) for known in paths)
                    and any(fnmatch.fnmatchcase(key, pattern.replace("[]", "[[]]"))
                            for pattern in entry["keys"])
                    and kind in entry["kinds"]):
                self.used.add(at)
                permitted = True
        return permitted

    def idle(self):
        return [entry for at, entry in enumerate(self.entries)
                if at not in self.used and not entry.get("sometimes")]


def test_all_that_is_told_of_a_state_is_as_rabbitmq_tells_it(rabbitmq, tested):
    exceptions, found = Exceptions(), []
    for path in rabbitmq.requests:
        theirs, ours = rabbitmq.answers[path], tested.answers[path]
        for key, kind, left, right in differences(theirs, ours):
            if not exceptions.permits(path, key, kind):
                found.append(f"{path}: {key}: {kind}: {shown(left)} | {shown(right)}")
    idle = [f"excepts nothing: {entry}" for entry in exceptions.idle()]
    assert not found + idle, "\n" + "\n".join(found + idle)


def test_every_endpoint_that_shows_something_is_compared(tested):
    known = endpoints()
    compared = {endpoint_of(request, known) for request in tested.requests.values()}
    assert set(known) - compared == set()


def shown(value):
    return json.dumps(value)[:160]


def imported(api, definitions, vhost=None):
    status, _, text = api.ask("POST", f"definitions/{vhost}" if vhost else "definitions",
                              definitions)
    assert status in (200, 201, 204), (status, text)


def test_definitions_of_rabbitmq_are_imported_and_given_back(rabbitmq, tested):
    theirs = rabbitmq.api.get("definitions")
    imported(tested.api, theirs)
    ours = tested.api.get("definitions")
    for what in ("vhosts", "users", "permissions", "topic_permissions", "exchanges", "queues",
                 "bindings", "policies"):
        known = {order_of(row): row for row in ours[what]}
        for row in theirs[what]:
            # As in RabbitMQ 4 what is internal is in no file.
            if row.get("name") != "guest" and "internal" not in (row.get("name"),
                                                                 row.get("destination")):
                given_back = known[order_of(row)]
                assert {key: given_back.get(key) for key in row} == row, what


def test_definitions_of_ours_are_imported_by_rabbitmq(rabbitmq, tested):
    ours = tested.api.get("definitions")
    ours["users"] = [user for user in ours["users"] if user["name"] != "guest"]
    ours["global_parameters"] = [row for row in ours["global_parameters"]
                                 if row["name"] == "owner"]
    imported(rabbitmq.api, ours)
    of_host = tested.api.get(f"definitions/{VHOST}")
    imported(rabbitmq.api, of_host, VHOST)
    assert {row["name"] for row in of_host["queues"]} <= {
        row["name"] for row in rabbitmq.api.get(f"queues/{VHOST}")}


@pytest.mark.parametrize("method, path", [
    ("POST", "overview"), ("DELETE", "queues"), ("PATCH", "queues/%2F/q"), ("PUT", "whoami"),
    ("GET", "queues/%2F/q/contents"), ("GET", "queues/%2F/q/get"), ("PUT", "definitions"),
    ("GET", "exchanges/%2F/x/publish"), ("OPTIONS", "overview"), ("HEAD", "overview"),
    ("GET", "overview/"), ("GET", "nope"),
])
def test_what_cannot_be_asked_is_refused_alike(rabbitmq, tested, method, path):
    def asked(built):
        status, headers, _ = built.api.ask(method, path)
        headers = {name.lower(): value for name, value in headers.items()}
        return status, headers.get("allow")
    assert asked(tested) == asked(rabbitmq)


def test_a_body_that_is_too_large_is_refused_before_it_comes(rabbitmq, tested):
    import socket
    host, port = tested.api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(
            f"POST /api/definitions HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: {tested.api.login}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100000000\r\n\r\n".encode())
        answer = connection.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 400 "), answer
    assert "Exceeded HTTP request body size limit" in answer
