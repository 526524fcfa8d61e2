"""Starts what the suites need around them: brokers, a Redis for Celery's results.

Whatever is started here is stopped by `stop_all`, also when the run is broken off. Ports are taken
between 7600 and 7699, away from those that systems hand out by themselves and from 5672.
"""

import atexit
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import places

RABBITMQ = places.CHECKOUT / "tests" / "peers" / "rabbitmq"
START_SECONDS = 60
STOP_SECONDS = 10

started_pids = []
temporary_folders = []
ports = itertools.cycle(range(7650, 7700))
ports_lock = threading.Lock()


def free_port():
    with ports_lock:
        for port in itertools.islice(ports, 50):
            with socket.socket() as probe:
                # A server before us may have left connections in TIME_WAIT, which do no harm.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
    raise OSError("no free port between 7650 and 7699")


def wait_for_port(port):
    for _ in range(START_SECONDS * 10):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise OSError(f"nothing listens on port {port} after {START_SECONDS} s")


def temporary_folder(purpose):
    folder = tempfile.mkdtemp(prefix=f"leveret-suites-{purpose}-")
    temporary_folders.append(folder)
    return folder


def start_leveret(binary, name):
    """Starts the broker on a port of its own choice and gives its address."""
    data = temporary_folder("data")
    output = places.LOGS / f"{name}.out"
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", data]
    with open(output, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    started_pids.append(process.pid)
    for _ in range(START_SECONDS * 10):
        address = re.search(r"127\.0\.0\.1:[1-9][0-9]*", output.read_text())
        if address:
            return address[0]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise OSError(f"the broker did not start: {output.read_text()[-500:]}")


def can_start_rabbitmq():
    installed = shutil.which("rabbitmq-server") or Path("/usr/sbin/rabbitmq-server").exists()
    return bool(installed) and os.access(RABBITMQ, os.X_OK)


class RabbitMQ:
    """One RabbitMQ, started when it is first asked for, with a virtual host for each place.

    Starting it takes seconds of both cores, so there is one, and what Leveret gets by several
    instances it gets by virtual hosts.
    """

    VIRTUAL_HOSTS = 16
    ADD = """[begin
        rabbit_vhost:add(V, <<"suites">>),
        rabbit_auth_backend_internal:set_permissions(
            <<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"suites">>)
      end || N <- lists:seq(1, %d), V <- [integer_to_binary(N)]]."""

    def __init__(self):
        self.lock = threading.Lock()
        self.started = None

    def address(self):
        with self.lock:
            if not self.started:
                self.started = self.start()
            return self.started

    def virtual_host(self, index):
        return str(index) if index else "/"

    def start(self):
        port, folder = free_port(), temporary_folder("rabbitmq")
        command = [RABBITMQ, str(port), folder]
        started = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        started_pids.append(int(started.stdout.split()[-1]))
        control = shutil.which("rabbitmqctl") or "/usr/sbin/rabbitmqctl"
        node = ["-q", "-n", f"leveret-peer-{port}@localhost"]
        subprocess.run([control, *node, "eval", self.ADD % self.VIRTUAL_HOSTS], check=True,
                       stdout=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
        return f"127.0.0.1:{port}"


def start_redis(name):
    """Starts a Redis that keeps nothing, and gives its port."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    command = [*places.redis(), *options, "--dir", temporary_folder("redis")]
    with open(places.LOGS / f"{name}.redis.out", "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    started_pids.append(process.pid)
    wait_for_port(port)
    return port


def server_version(address):
    """The `version` in the server-properties of connection.start."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        answer = connection.recv(4096)
    version = re.search(rb"\x07versionS\x00\x00\x00(.)", answer, re.DOTALL)
    if not version:
        return "unknown"
    return answer[version.end() : version.end() + version[1][0]].decode()


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def is_running(pid):
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        # RabbitMQ's process is not a child of ours.
        return send(pid, 0)


@atexit.register
def stop_all():
    stopping = [pid for pid in started_pids if send(pid, signal.SIGTERM)]
    started_pids.clear()
    for _ in range(STOP_SECONDS * 10):
        stopping = [pid for pid in stopping if is_running(pid)]
        if not stopping:
            break
        time.sleep(0.1)
    for pid in stopping:
        send(pid, signal.SIGKILL)
    while temporary_folders:
        shutil.rmtree(temporary_folders.pop(), ignore_errors=True)
