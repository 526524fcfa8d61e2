"""The requests that show a state of a broker: every GET of the API at least once, as the endpoints
that tools know (src/management/tests/endpoints.txt) name them."""

import os
from urllib.parse import quote

from same_state import VHOST

ENDPOINTS = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "src", "management", "tests",
    "endpoints.txt",
)


def requests(api):
    """The paths of all requests that show something, as the broker's own names need them."""
    connection = quote(api.get("connections")[0]["name"], safe="")
    channel = quote(api.get(f"vhosts/{VHOST}/channels")[0]["name"], safe="")
    node = api.get("overview")["node"]
    paths = """
        overview cluster-name nodes nodes/{node} nodes/{node}/memory nodes/{node}/memory/relative
        nodes/{node}/memory/ets nodes/{node}/memory/ets/management
        version whoami extensions config/effective
        auth auth/attempts/{node} auth/attempts/{node}/source auth/hash_password/secret
        definitions definitions/{vhost}
        parameters parameters/vhost-limits parameters/vhost-limits/{vhost}
        parameters/vhost-limits/{vhost}/limits parameters/operator_policy/{vhost}
        parameters/operator_policy/{vhost}/lower
        global-parameters global-parameters/owner
        policies policies/{vhost} policies/{vhost}/limits
        operator-policies operator-policies/{vhost} operator-policies/{vhost}/lower
        vhost-limits vhost-limits/{vhost} user-limits user-limits/ann
        connections vhosts/{vhost}/connections connections/username/guest
        connections/{connection} connections/{connection}/channels
        connections/{connection}/sessions
        channels vhosts/{vhost}/channels channels/{channel}
        consumers consumers/{vhost}
        exchanges exchanges/{vhost} exchanges/{vhost}/amq.default exchanges/{vhost}/direct
        exchanges/{vhost}/topic exchanges/{vhost}/hash
        exchanges/{vhost}/direct/bindings/source exchanges/{vhost}/internal/bindings/destination
        queues queues/{vhost} queues/{vhost}/plain queues/{vhost}/lazy queues/{vhost}/single
        queues/{vhost}/quorum queues/{vhost}/governed queues/{vhost}/own queues/{vhost}/bounded
        queues/{vhost}/plain/bindings queues/detailed queues/quorum/{vhost}/quorum/status
        queues/{vhost}/plain?msg_rates_age=60&msg_rates_incr=5&lengths_age=60&lengths_incr=5
        queues?page=1&page_size=3&name=l&columns=name,vhost
        queues/{vhost}?disable_stats=true&enable_queue_totals=true
        bindings bindings/{vhost} bindings/{vhost}/e/direct/q/plain
        bindings/{vhost}/e/fanout/e/internal
        bindings/{vhost}/e/direct/q/plain/k
        vhosts vhosts/{vhost} vhosts/empty vhosts/{vhost}/permissions
        vhosts/{vhost}/topic-permissions
        users users/without-permissions users/ann users/bob users/ann/permissions
        users/ann/topic-permissions
        permissions permissions/{vhost}/ann topic-permissions topic-permissions/{vhost}/ann
        topic-permissions/{vhost}/ann/topic
        feature-flags deprecated-features deprecated-features/used
        aliveness-test/{vhost} healthchecks/node healthchecks/node/{node}
        health/checks/alarms health/checks/local-alarms health/checks/virtual-hosts
        health/checks/port-listener/{port} health/checks/protocol-listener/amqp091
        health/checks/node-is-quorum-critical health/checks/node-is-mirror-sync-critical
        health/checks/certificate-expiration/1/weeks
        health/checks/quorum-queues-without-elected-leaders/all-vhosts
        health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/q
        health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}
        health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/q
        health/checks/metadata-store/initialized health/checks/metadata-store/initialized/with-data
        health/checks/is-in-service health/checks/below-node-connection-limit
        health/checks/ready-to-serve-clients health/checks/reached-target-cluster-size
        shovels shovels/{vhost} shovels/vhost/{vhost}/nope
        federation-links federation-links/{vhost}
        federation-links/state/down federation-links/{vhost}/state/down
        stream/connections stream/connections/{vhost} stream/connections/{vhost}/nope
        stream/connections/{vhost}/nope/consumers stream/connections/{vhost}/nope/publishers
        stream/publishers stream/publishers/{vhost} stream/publishers/{vhost}/nope
        stream/consumers stream/consumers/{vhost} stream/{vhost}/nope/tracking
        traces traces/node/{node} traces/node/{node}/{vhost} traces/node/{node}/{vhost}/nope
        trace-files trace-files/node/{node} trace-files/node/{node}/nope
        top/{node} top/ets-tables/{node}
        nope queues/nope queues/{vhost}/nope exchanges/{vhost}/nope bindings/{vhost}/e/nope/q/plain
        users/nope vhosts/nope connections/nope channels/nope policies/{vhost}/nope
        permissions/{vhost}/nope parameters/nope global-parameters/nope nodes/nope
        health/checks/port-listener/1 queues?page=99 queues?page=0 queues?page=1&page_size=501
    """.split()
    port = api.get("overview")["listeners"][0]["port"]
    names = {"vhost": VHOST, "connection": connection, "channel": channel, "node": node,
             "port": port}
    return {path: path.format(**names) for path in paths}


def endpoints():
    """The paths that tools know, of what can be looked at."""
    with open(ENDPOINTS, encoding="utf-8") as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    return [path.strip("/") for methods, path in rows if "GET" in methods.split(",")]


def endpoint_of(request, known):
    """The endpoint that answers a request: of those that fit the one that says most."""
    parts = request.split("?")[0].split("/")

    def said(endpoint):
        names = endpoint.split("/")
        fits = len(names) == len(parts) and all(
            name.startswith("{") or name == part for name, part in zip(names, parts))
        return sum(not name.startswith("{") for name in names) if fits else -1

    best = max(known, key=said)
    return best if said(best) >= 0 else None
