"""The HTTP API keeps what its own description says: schemathesis makes requests of it, good and
bad ones, and looks whether each answer has a status, a content type and a shape that is described,
and none is a failure of the broker's own. It asks as an administrator and leaves nothing as it was:
only a broker that is thrown away is asked."""

import os
import subprocess
import uuid

import pytest
import requests

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(HERE, "..", "..", "..", ".cache", "interop", "schemathesis")
TOOL = os.path.join(CACHE, "bin", "schemathesis")
SECONDS = 75
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)
# Wrong passwords are answered later each time, and a broker that was stopped not at all. Streams
# have no end, and a broker that lets nobody in is not in service.
LEFT_OUT = [
    "/login", "/leveret/authenticate-user", "/leveret/shutdown", "/leveret/events",
    "/leveret/log-stream", "/leveret/drain", "/leveret/suspend-listeners",
]
THINGS = [
    ("PUT", "vhosts/fuzz", {}),
    ("PUT", "users/fuzz-user", {"password": "secret", "tags": "management"}),
    ("PUT", "permissions/fuzz/fuzz-user", {"configure": ".*", "write": ".*", "read": ".*"}),
    ("PUT", "exchanges/fuzz/exchange", {"type": "direct"}),
    ("PUT", "queues/fuzz/queue", {"durable": True}),
    ("PUT", "queues/fuzz/quorum", {"durable": True, "arguments": {"x-queue-type": "quorum"}}),
    ("POST", "bindings/fuzz/e/exchange/q/queue", {"routing_key": "key"}),
    ("PUT", "policies/fuzz/name", {"pattern": "^q", "definition": {"max-length": 1000}}),
    ("PUT", "parameters/shovel/fuzz/name", {"value": {"src-uri": "amqp://"}}),
]


def test_somebody_answers(host):
    """With RabbitMQ, too, which has no such description."""
    root = f"http://{host}:{os.environ['LEVERET_TEST_MANAGEMENT_PORT']}/api"
    answer = requests.get(f"{root}/whoami", auth=("guest", "guest"), timeout=20)
    assert answer.json()["name"] == "guest"


@pytest.fixture
def administrator(host, port):
    """The address of the API, and a user whose name nobody guesses."""
    if not os.environ.get("LEVERET_TEST_RESTART"):
        pytest.skip("the broker is somebody's own")
    root = f"http://{host}:{os.environ['LEVERET_TEST_MANAGEMENT_PORT']}/api"
    guest = ("guest", "guest")
    if requests.get(f"{root}/overview", auth=guest, timeout=20).json()["product_name"] != "Leveret":
        pytest.skip("RabbitMQ has no such description")
    user = (uuid.uuid4().hex, uuid.uuid4().hex)
    body = {"password": user[1], "tags": "administrator"}
    assert requests.put(f"{root}/users/{user[0]}", json=body, auth=guest, timeout=20).ok
    for method, path, body in THINGS:
        assert requests.request(method, f"{root}/{path}", json=body, auth=user, timeout=20).ok, path
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    assert requests.put(f"{root}/permissions/%2F/{user[0]}", json=rights, auth=user, timeout=20).ok
    return root, user


@pytest.mark.timeout(SECONDS * 2)
def test_answers_are_as_the_description_says(administrator):
    root, (name, password) = administrator
    # One worker: hypothesis sets the recursion limit of all threads, which Python 3.11 may trip
    # over.
    command = [
        TOOL, "--config-file", os.path.join(HERE, "schemathesis.toml"), "--no-color",
        "run", f"{root}/openapi.json", "--url", root, "--auth", f"{name}:{password}",
        "--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS), "--workers", "1",
        "--checks", CHECKS, "--request-timeout", "10", "--max-failures", "20",
        "--warnings", "off",
        *[part for path in LEFT_OUT for part in ("--exclude-path", path)],
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE}
    done = subprocess.run(
        command, cwd=CACHE, env=environment, capture_output=True, text=True, timeout=SECONDS * 1.8
    )
    print(done.stdout[-20000:], done.stderr[-2000:])
    assert done.returncode == 0
    # Among what was asked for are alarms.
    service = requests.get(f"{root}/health/checks/is-in-service", auth=(name, password), timeout=20)
    assert service.status_code == 200, service.text
