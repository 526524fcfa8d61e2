#!/usr/bin/env python3
"""Starts a broker for a test command, and starts it again when a test asks for that.

    tests/interop/broker.py BROKER COMMAND...

BROKER is the path of a leveret binary, or the word `rabbitmq` for Debian's. COMMAND finds in its
environment where the broker listens, and what restarts it on the same port with the same data:

    LEVERET_TEST_HOST  LEVERET_TEST_PORT  LEVERET_TEST_MANAGEMENT_PORT
    LEVERET_TEST_METRICS_PORT  LEVERET_TEST_RESTART
    LEVERET_TEST_TLS_PORT  LEVERET_TEST_CERTIFICATES
    LEVERET_TEST_BROKER  which is BROKER again, for tests that need one of their own

The exit code is that of COMMAND, or 1 when the broker ended by itself. Nothing is left behind.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import certificates as secure

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = "127.0.0.1"
SECONDS_TO_START = 15
SECONDS_TO_STOP = 20
SECONDS_TO_START_RABBITMQ = 90
# Ports below those that systems hand out by themselves; RabbitMQ takes the one 20000 above as well.
PORTS_OF_RABBITMQ = range(7700, 7900)
MANAGEMENT_PORTS_OF_RABBITMQ = range(7900, 7950)
METRICS_PORTS_OF_RABBITMQ = range(7950, 8000)
TLS_PORTS_OF_RABBITMQ = range(7600, 7700)
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
START = b"\x00\x0a\x00\x0a"  # the class and the method of connection.start


class BrokerError(Exception):
    """The broker did not do what a broker under test has to do: start, stay, stop."""


def speaks_amqp(host, port, seconds=5):
    """Whether something there answers a protocol header with all of connection.start."""
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            connection.sendall(PROTOCOL_HEADER)
            with connection.makefile("rb") as answer:
                kind, channel, size = struct.unpack(">BHI", answer.read(7))
                payload = answer.read(size + 1)
        return (kind, channel) == (1, 0) and payload.startswith(START) and len(payload) > size
    except (OSError, struct.error):
        return False


def _wait(seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    return condition()


class Leveret:
    """The real binary, with these keys set. The first start takes a free port, later ones the same."""

    def __init__(self, binary, folder, keys=(), certificates=None, has_metrics=True):
        self.binary = os.path.abspath(binary)
        self.has_metrics = has_metrics
        self.keys = keys
        self.certificates = certificates
        self.output = os.path.join(folder, "output")
        self.data = os.path.join(folder, "data")
        self.port = 0
        self.management_port = 0
        self.tls_port = 0
        self.metrics_port = 0
        self.process = None

    def start(self):
        keys = list(self.keys)
        if self.has_metrics:
            keys += [f"prometheus.tcp.port={self.metrics_port}", f"prometheus.tcp.ip={HOST}"]
        if self.certificates:
            keys += secure.keys(self.certificates, f"{HOST}:{self.tls_port}")
        command = [
            self.binary, "serve", "--listen", f"{HOST}:{self.port}", "--data-dir", self.data,
            "--set", f"management.tcp.port={self.management_port}",
            "--set", f"management.tcp.ip={HOST}",
            *(part for key in keys for part in ("--set", key)),
        ]
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        _wait(SECONDS_TO_START, lambda: self._listening() or self.ended())
        if self.ended() or not self.port or not speaks_amqp(HOST, self.port):
            raise BrokerError(f"the broker did not start\n{self.log()}")

    def _listening(self):
        """Learns the ports from the line that the broker prints when it is ready."""
        with open(self.output, encoding="utf-8", errors="replace") as output:
            found = re.findall(re.escape(HOST) + r":([1-9]\d*)", output.read())
        names = ["port", "tls_port", "management_port", "metrics_port"]
        if not self.certificates:
            names.remove("tls_port")
        if not self.has_metrics:
            names.remove("metrics_port")
        if len(found) < len(names):
            return False
        for name, port in zip(names, found):
            setattr(self, name, int(port))
        return True

    def ended(self):
        return self.process is not None and self.process.poll() is not None

    def stop(self):
        if self.process is None:
            return
        if self.ended():
            code = self.process.returncode
            raise BrokerError(f"the broker ended by itself with code {code}\n{self.log()}")
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BrokerError(f"the broker did not stop on SIGTERM\n{self.log()}") from None
        finally:
            self.process = None

    def log(self):
        with open(self.output, encoding="utf-8", errors="replace") as output:
            return "".join(output.readlines()[-20:])


class RabbitMq:
    """Debian's RabbitMQ, by way of the script that the other comparisons use as well."""

    def __init__(
        self, folder, plugins=("rabbitmq_management", "rabbitmq_prometheus"), certificates=None,
        keys=()
    ):
        self.folder = os.path.join(folder, "rabbitmq")
        self.plugins = ",".join(plugins)
        self.port = _free_port(PORTS_OF_RABBITMQ, also=20000)
        self.management_port = _free_port(MANAGEMENT_PORTS_OF_RABBITMQ)
        self.metrics_port = _free_port(METRICS_PORTS_OF_RABBITMQ)
        self.tls_port, self.keys = 0, list(keys)
        if certificates:
            self.plugins += ",rabbitmq_auth_mechanism_ssl"
            self.tls_port = _free_port(TLS_PORTS_OF_RABBITMQ)
            self.keys += secure.keys(certificates, f"{HOST}:{self.tls_port}")
        self.pid = None

    def start(self):
        script = os.path.join(TESTS, "peers", "rabbitmq")
        try:
            answer = subprocess.run(
                [script, str(self.port), self.folder, self.plugins,
                 f"management.tcp.port = {self.management_port}",
                 f"management.tcp.ip = {HOST}", *self._keys_of_metrics(), *self.keys],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=SECONDS_TO_START_RABBITMQ,
            )
        except subprocess.TimeoutExpired:
            raise BrokerError("RabbitMQ did not start in time") from None
        if answer.returncode != 0:
            raise BrokerError("RabbitMQ did not start")
        self.pid = int(answer.stdout)

    def _keys_of_metrics(self):
        """A key of a plugin that is off stops the start."""
        if "rabbitmq_prometheus" not in self.plugins:
            return []
        return [f"prometheus.tcp.port = {self.metrics_port}", f"prometheus.tcp.ip = {HOST}"]

    def _runs(self):
        """Whether the process is there and not a zombie, which some first processes leave."""
        try:
            os.kill(self.pid, 0)
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except (ProcessLookupError, FileNotFoundError):
            return False

    def stop(self):
        if self.pid is None:
            return
        if not self._runs():
            raise BrokerError("RabbitMQ ended by itself")
        os.kill(self.pid, signal.SIGTERM)
        if not _wait(SECONDS_TO_STOP, lambda: not self._runs()):
            os.kill(self.pid, signal.SIGKILL)
        self.pid = None


def _free_port(ports, also=None):
    for port in ports:
        try:
            for needed in [port] + ([port + also] if also else []):
                with socket.socket() as attempt:
                    attempt.bind((HOST, needed))
            return port
        except OSError:
            continue
    raise BrokerError("no free port for RabbitMQ")


class RestartDoor:
    """A socket on which a test asks for a restart; the process that started the broker does it."""

    def __init__(self, broker, folder):
        self.broker = broker
        self.path = os.path.join(folder, "restart.socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()
        self.command = os.path.join(folder, "restart")
        with open(self.command, "w", encoding="utf-8") as script:
            here = os.path.abspath(__file__)
            script.write(f'#!/bin/sh\nexec "{sys.executable}" "{here}" --restart "{self.path}"\n')
        os.chmod(self.command, 0o755)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.broker.stop()
                    self.broker.start()
                    answer = "restarted"
                except BrokerError as error:
                    answer = str(error)
                connection.sendall(answer.encode())

    def close(self):
        self.listener.close()


def ask_for_restart(path):
    """What LEVERET_TEST_RESTART runs."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS_TO_STOP + SECONDS_TO_START_RABBITMQ)
        connection.connect(path)
        answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    if answer != "restarted":
        sys.exit(f"no restart: {answer}")


class running:
    """`with running("target/release/leveret") as environment:` gives what a test command needs."""

    def __init__(self, broker):
        self.name = broker

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="leveret-test-")
        os.chmod(self.folder, 0o755)  # RabbitMQ runs as another user below it
        self.door = None
        try:
            certificates = secure.make(self.folder)
            if self.name == "rabbitmq":
                plugins = ("rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_event_exchange")
                self.broker = RabbitMq(self.folder, plugins, certificates)
            else:
                keys = ("event_exchange.enabled=true",)
                self.broker = Leveret(self.name, self.folder, keys, certificates)
            self.broker.start()
            self.door = RestartDoor(self.broker, self.folder)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return {
            "LEVERET_TEST_HOST": HOST,
            "LEVERET_TEST_PORT": str(self.broker.port),
            "LEVERET_TEST_MANAGEMENT_PORT": str(self.broker.management_port),
            "LEVERET_TEST_TLS_PORT": str(self.broker.tls_port),
            "LEVERET_TEST_CERTIFICATES": certificates,
            "LEVERET_TEST_METRICS_PORT": str(self.broker.metrics_port),
            "LEVERET_TEST_RESTART": self.door.command,
            "LEVERET_TEST_BROKER": self.name,
        }

    def __exit__(self, kind, *_):
        try:
            if self.door:
                self.door.close()
            if getattr(self, "broker", None):
                self.broker.stop()
        except BrokerError:
            if kind is None:
                raise
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--restart":
        ask_for_restart(arguments[1])
        return 0
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with running(arguments[0]) as environment:
            return subprocess.run(arguments[1:], env={**os.environ, **environment}).returncode
    except (BrokerError, OSError) as error:
        print(f"broker.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
