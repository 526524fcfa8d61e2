"""One state of a broker, made by the same steps whatever broker it is: virtual hosts, users, what
is declared in all its kinds, clients that are there and messages in every place. What is asked of
it stands in same_state_requests.py."""

import base64
import json
import time
import urllib.error
import urllib.request

import pika

VHOST = "state"
CLIENT = "same state"
PASSWORD_HASH = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"  # of RabbitMQ's documentation


class Api:
    """The HTTP API of one broker."""

    def __init__(self, host, port):
        self.url = f"http://{host}:{port}"
        self.login = "Basic " + base64.b64encode(b"guest:guest").decode()

    def ask(self, method, path, body=None):
        """The status, the headers and the text of an answer, whatever it is."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self.login, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, dict(refused.headers), refused.read().decode()

    def get(self, path):
        status, _, text = self.ask("GET", path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    def set(self, path, body):
        status, _, text = self.ask("PUT", path, body)
        assert status in (201, 204), (path, status, text)

    def add(self, path, body):
        status, _, text = self.ask("POST", path, body)
        assert status in (200, 201, 204), (path, status, text)
        return text


EXCHANGES = {
    "direct": ("direct", {}),
    "fanout": ("fanout", {"durable": False}),
    "topic": ("topic", {"arguments": {"alternate-exchange": "fanout"}}),
    "headers": ("headers", {"auto_delete": True}),
    "internal": ("fanout", {"internal": True}),
    "hash": ("x-consistent-hash", {"arguments": {"hash-header": "h"}}),
    "random": ("x-random", {}),
    "recent": ("x-recent-history", {"arguments": {"x-recent-history-length": 2}}),
}

QUEUES = {
    "plain": {"durable": True},
    "transient": {"durable": False},
    "bounded": {"durable": True, "arguments": {
        "x-max-length": 3, "x-max-length-bytes": 1000, "x-overflow": "reject-publish",
    }},
    "dying": {"durable": True, "arguments": {
        "x-message-ttl": 3600000, "x-expires": 7200000, "x-dead-letter-exchange": "direct",
        "x-dead-letter-routing-key": "dead",
    }},
    "prior": {"durable": True, "arguments": {"x-max-priority": 5}},
    "single": {"durable": True, "arguments": {"x-single-active-consumer": True}},
    "lazy": {"durable": True, "arguments": {"x-queue-mode": "lazy", "x-queue-type": "classic"}},
    "leaving": {"durable": True, "auto_delete": True},
    "quorum": {"durable": True, "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 3}},
    "governed": {"durable": True},
}

BINDINGS = [
    ("direct", "q", "plain", {"routing_key": "k"}),
    ("direct", "q", "plain", {"routing_key": "dead"}),
    ("topic", "q", "plain", {"routing_key": "a.*.#"}),
    ("headers", "q", "plain", {"arguments": {"x-match": "any", "n": 1, "s": "t", "b": True}}),
    ("hash", "q", "transient", {"routing_key": "2"}),
    ("fanout", "q", "transient", {"routing_key": "with / and é"}),
    ("fanout", "e", "internal", {}),
    ("recent", "q", "prior", {}),
]


def declare(api):
    """All that lasts."""
    api.set(f"vhosts/{VHOST}", {"description": "for all to see", "tags": "a,b"})
    api.set("vhosts/empty", {})
    for user in ("guest", "ann"):
        if user == "ann":
            api.set("users/ann", {"password_hash": PASSWORD_HASH, "tags": "monitoring,own",
                                  "hashing_algorithm": "rabbit_password_hashing_sha256"})
        permission = {"configure": ".*", "write": ".*", "read": ".*"}
        api.set(f"permissions/{VHOST}/{user}", permission)
    api.set("users/bob", {"password_hash": "", "tags": ""})
    api.set("permissions/empty/bob", {"configure": "^$", "write": "^b", "read": ""})
    api.set(f"topic-permissions/{VHOST}/ann", {"exchange": "topic", "write": "^a", "read": ".*"})
    for name, (kind, more) in EXCHANGES.items():
        body = {"type": kind, "durable": True, "auto_delete": False, "internal": False,
                "arguments": {}, **more}
        api.set(f"exchanges/{VHOST}/{name}", body)
    for name, body in QUEUES.items():
        api.set(f"queues/{VHOST}/{name}", {"auto_delete": False, "arguments": {}, **body})
    for source, kind, destination, body in BINDINGS:
        api.add(f"bindings/{VHOST}/e/{source}/{kind}/{destination}",
                {"routing_key": "", "arguments": {}, **body})
    api.set(f"policies/{VHOST}/limits", {
        "pattern": "^governed$", "priority": 3, "apply-to": "queues",
        "definition": {"max-length": 10, "message-ttl": 100000},
    })
    api.set(f"policies/{VHOST}/exchanges", {
        "pattern": "^direct$", "apply-to": "exchanges",
        "definition": {"alternate-exchange": "fanout"},
    })
    api.set(f"operator-policies/{VHOST}/lower", {
        "pattern": "^governed$", "apply-to": "queues", "definition": {"max-length": 5},
    })
    api.set(f"vhost-limits/{VHOST}/max-connections", {"value": 50})
    api.set(f"vhost-limits/{VHOST}/max-queues", {"value": 500})
    api.set("user-limits/ann/max-channels", {"value": 20})
    api.set("global-parameters/owner", {"value": {"team": "one", "people": [1, 2]}})


def _message(**more):
    properties = {
        "content_type": "text/plain", "content_encoding": "utf-8", "delivery_mode": 2,
        "priority": 1, "correlation_id": "c", "reply_to": "r", "message_id": "m",
        "timestamp": 1700000000, "type": "t", "user_id": "guest", "app_id": "a",
        "headers": {"n": 1, "text": "é", "list": [1, "two"], "table": {"k": True}, "none": None},
    }
    return pika.BasicProperties(**{**properties, **more})


class Clients:
    """A connection with channels in every condition. It must be kept, and looked after."""

    def __init__(self, host, port):
        self.connection = pika.BlockingConnection(pika.ConnectionParameters(
            host, port, VHOST, heartbeat=0, client_properties={"connection_name": CLIENT},
        ))
        self._publish()
        self._consume()
        self._transact()
        self.run(0.5)

    def run(self, seconds):
        self.connection.process_data_events(seconds)

    def _publish(self):
        channel = self.connection.channel()
        channel.confirm_delivery()
        for at in range(6):
            channel.basic_publish("direct", "k", b"body %d" % at, _message())
        for mode in (1, 2, 1):
            channel.basic_publish("", "lazy", b"lazy", pika.BasicProperties(delivery_mode=mode))
        channel.basic_publish("", "quorum", b"four", _message())
        channel.basic_publish("", "quorum", b"five!", _message())
        channel.basic_publish("recent", "", b"one", pika.BasicProperties(priority=4))
        channel.basic_publish("topic", "nobody.listens", b"x")
        channel.basic_publish("direct", "nowhere", b"x")
        channel.queue_declare("own", exclusive=True)

    def _consume(self):
        channel = self.connection.channel()
        channel.basic_qos(prefetch_count=2)
        channel.basic_qos(prefetch_count=7, global_qos=True)
        channel.basic_consume("plain", lambda *_: None, consumer_tag="two",
                              arguments={"x-priority": 3})
        channel.basic_consume("single", lambda *_: None, consumer_tag="active")
        channel.basic_consume("single", lambda *_: None, consumer_tag="waiting")
        channel.basic_consume("own", lambda *_: None, consumer_tag="mine", exclusive=True,
                              auto_ack=True)
        self.run(0.5)
        channel.basic_ack(1)
        got, _, _ = channel.basic_get("quorum")
        channel.basic_nack(got.delivery_tag, requeue=True)
        channel.basic_get("lazy", auto_ack=True)
        channel.basic_get("bounded")
        self.run(0.5)

    def _transact(self):
        channel = self.connection.channel()
        channel.tx_select()
        got, _, _ = channel.basic_get("lazy")
        channel.basic_publish("", "plain", b"not yet")
        channel.basic_ack(got.delivery_tag)

    def close(self):
        self.connection.close()


def settle(api, clients):
    """Waits until what is told has settled: RabbitMQ tells some of it seconds later."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        clients.run(1)
        queues = {row["name"]: row for row in api.get(f"queues/{VHOST}")}
        channels = api.get(f"vhosts/{VHOST}/channels")
        if (len(channels) == 3 and all("messages" in row for row in queues.values())
                and queues["plain"].get("message_stats", {}).get("ack") == 1
                and any(row.get("acks_uncommitted") for row in channels)
                and api.get("overview").get("message_stats", {}).get("ack")):
            clients.run(6)
            return
    raise AssertionError("the broker does not tell what there is")
