"""What every Python suite starts from: where the broker is, a name of one's own, a restart."""

import os
import subprocess
import uuid

import pytest
import requests


@pytest.fixture(scope="session")
def host():
    return os.environ.get("LEVERET_TEST_HOST", "127.0.0.1")


@pytest.fixture(scope="session")
def port():
    return int(os.environ["LEVERET_TEST_PORT"])


@pytest.fixture(scope="session")
def url(host, port):
    return f"amqp://guest:guest@{host}:{port}/%2F"


@pytest.fixture
def name():
    """A name that no other test uses, so that suites may share a broker that is in use."""
    return f"leveret-interop-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def restart():
    """Restarts the broker and returns when it listens again."""
    command = os.environ.get("LEVERET_TEST_RESTART")
    if not command:
        pytest.skip("LEVERET_TEST_RESTART names no command that restarts the broker")
    return lambda: subprocess.run([command], check=True, timeout=110)


@pytest.fixture(scope="session")
def api(host):
    """Asks the HTTP API as guest, which must succeed."""
    port = int(os.environ["LEVERET_TEST_MANAGEMENT_PORT"])
    session = requests.Session()
    session.auth = ("guest", "guest")

    def ask(method, path, body=None):
        url = f"http://{host}:{port}/api/{path}"
        answer = session.request(method, url, json=body, timeout=10)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    return ask
