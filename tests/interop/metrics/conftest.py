"""A Prometheus of our own, which scrapes the broker under test, and the tool that checks answers."""

import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pika
import pytest

BIN = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", ".cache", "interop", "bin",
)
SECONDS_TO_START = 15
# RabbitMQ gathers what it tells of clients and queues every five seconds.
SECONDS_TO_SEE = 15
PATHS = {
    "aggregated": "/metrics",
    "per-object": "/metrics/per-object",
    "detailed": "/metrics/detailed",
}
FAMILIES = [
    "queue_coarse_metrics", "queue_metrics", "channel_metrics", "connection_metrics",
    "connection_coarse_metrics", "connection_churn_metrics", "exchange_bindings", "vhost_status",
]


@pytest.fixture(scope="session")
def metrics_port():
    port = os.environ.get("LEVERET_TEST_METRICS_PORT")
    if not port:
        pytest.skip("LEVERET_TEST_METRICS_PORT does not say where the broker tells its metrics")
    return int(port)


@pytest.fixture(scope="session")
def scrape(host, metrics_port):
    """What the broker answers on a path."""

    def answer(path):
        with urllib.request.urlopen(f"http://{host}:{metrics_port}{path}", timeout=10) as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return response.read().decode()

    return answer


@pytest.fixture(scope="session")
def is_leveret(scrape):
    return 'product_name="Leveret"' in scrape("/metrics")


@pytest.fixture(scope="session")
def lint():
    """What promtool has to say against an answer."""

    def check(text):
        tool = os.path.join(BIN, "promtool")
        done = subprocess.run(
            [tool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=20
        )
        complaints = (done.stdout + done.stderr).strip()
        assert (done.returncode == 0) == (complaints == ""), (done.returncode, complaints)
        return complaints

    return check


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _config(target):
    """JSON is YAML."""
    jobs = [
        {
            "job_name": job,
            "metrics_path": path,
            "params": {"family": FAMILIES} if job == "detailed" else {},
            "static_configs": [{"targets": [target]}],
        }
        for job, path in PATHS.items()
    ]
    return json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs})


class Prometheus:
    """The API of a running one."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path):
        with urllib.request.urlopen(self.base + path, timeout=10) as response:
            return response.read()

    def is_ready(self):
        try:
            return bool(self.get("/-/ready"))
        except OSError:
            return False

    def targets(self):
        """The health of each job, with its last error."""
        answer = json.loads(self.get("/api/v1/targets"))
        active = answer["data"]["activeTargets"]
        return {one["labels"]["job"]: (one["health"], one["lastError"]) for one in active}

    def series(self, expression):
        """What an expression comes to now: labels and value of each series."""
        query = urllib.parse.urlencode({"query": expression})
        answer = json.loads(self.get(f"/api/v1/query?{query}"))
        assert answer["status"] == "success", answer
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def becomes(self, expression, is_right):
        """The series of an expression, once they are as they should be."""
        end = time.monotonic() + SECONDS_TO_SEE
        found = self.series(expression)
        while not is_right(found) and time.monotonic() < end:
            time.sleep(0.2)
            found = self.series(expression)
        assert is_right(found), (expression, found)
        return found


@pytest.fixture(scope="session")
def prometheus(host, metrics_port, tmp_path_factory):
    """One that scrapes the broker on all its paths, each by a job of its own."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(_config(f"{host}:{metrics_port}"))
    port = _free_port()
    command = [
        os.path.join(BIN, "prometheus"), f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        running = Prometheus(port)
        end = time.monotonic() + SECONDS_TO_START
        while not running.is_ready():
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def traffic(url):
    """Something of everything that the dashboard draws, and clients that stay."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    name = f"leveret-interop-metrics-{time.monotonic_ns()}"
    channel.queue_declare(name, durable=True)
    channel.confirm_delivery()
    for size in (10, 500, 5000):
        channel.basic_publish("", name, b"x" * size, pika.BasicProperties(delivery_mode=2))
    channel.basic_publish("", "nobody-" + name, b"dropped")
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "nobody-" + name, b"returned", mandatory=True)
    held = channel.basic_get(name)[0]
    assert channel.basic_get(name, auto_ack=True)[0]
    channel.basic_nack(held.delivery_tag, requeue=True)
    assert channel.basic_get("" + name, auto_ack=True)[0].redelivered
    other = connection.channel()
    other.basic_qos(prefetch_count=7)
    taken = []
    other.basic_consume(name, lambda _c, method, _p, _b: taken.append(method.delivery_tag))
    while not taken:
        connection.process_data_events(0.1)
    other.basic_ack(taken[0])
    channel.basic_publish("", name, b"stays out")
    while len(taken) < 2:
        connection.process_data_events(0.1)
    channel.queue_declare(name + "-gone")
    channel.queue_delete(name + "-gone")
    empty = channel.queue_declare(name + "-empty").method.queue
    assert channel.basic_get(empty)[0] is None
    yield name
    channel.queue_delete(name)
    channel.queue_delete(empty)
    connection.close()
