"""Lets generated requests hit something now and then: names that are there stand among random ones.

Read by schemathesis itself, not by pytest.
"""

import random

import schemathesis

KNOWN = {
    "vhost": ["fuzz", "fuzz", "none"],
    "queue": ["queue", "quorum"],
    "exchange": ["exchange", "amq.topic", "amq.default"],
    "source": ["exchange", "amq.topic"],
    "destination": ["queue", "exchange"],
    "kind": ["q", "e"],
    "props": ["key", "~"],
    "user": ["fuzz-user"],
    "component": ["shovel", "federation-upstream", "operator_policy", "vhost-limits"],
    "limit": ["max-queues", "max-connections", "max-channels"],
    "name": ["name", "limits"],
    "unit": ["days", "weeks"],
}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Two of three names are ones that may be there."""
    for name in path_parameters or {}:
        if name in KNOWN and random.random() < 0.66:
            path_parameters[name] = random.choice(KNOWN[name])
    return path_parameters
