"""Where the HTTP API of the broker is, and RabbitMQ's own command for it."""

import json
import os
import subprocess
import sys

import pytest
import requests

TOOL = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", ".cache", "interop", "bin",
    "rabbitmqadmin",
)


@pytest.fixture(scope="session")
def management_port():
    return int(os.environ["LEVERET_TEST_MANAGEMENT_PORT"])


@pytest.fixture(scope="session")
def leveret_only(host, management_port):
    """A RabbitMQ has no plugins for this here, or is too old."""
    overview = f"http://{host}:{management_port}/api/overview"
    product = requests.get(overview, auth=("guest", "guest"), timeout=20).json()
    if product.get("product_name") != "Leveret":
        pytest.skip("Leveret's own, or of a newer RabbitMQ")


@pytest.fixture(scope="session")
def run_tool(host, management_port):
    """Runs rabbitmqadmin and gives what came of it, whatever that is."""

    def run(*arguments, user="guest", password="guest"):
        command = [sys.executable, TOOL, "-H", host, "-P", str(management_port), "-u", user,
                   "-p", password, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20)

    return run


@pytest.fixture(scope="session")
def tool(run_tool):
    """Runs rabbitmqadmin, which must succeed, and gives what it printed."""

    def run(*arguments, **login):
        done = run_tool(*arguments, **login)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def rows(tool):
    """A list, as values."""

    def listed(what, *columns, **login):
        return json.loads(tool("-f", "raw_json", "list", what, *columns, **login))

    return listed


@pytest.fixture
def queue(name, tool):
    """A durable queue, for one test."""
    tool("declare", "queue", f"name={name}", "durable=true")
    yield name
    tool("delete", "queue", f"name={name}")
