"""The suites: how each is pointed at a broker, and how its tests are run and told apart.

A suite gives back outcomes, one per test: passed, failed or skipped, with the reason in the
suite's own words. Which outcomes are good enough is not decided here.
"""

import atexit
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import brokers
import places

TEST_SECONDS = 40
# One of amqp091-go's opens and closes channels for 23 s on RabbitMQ.
BINARY_TEST_SECONDS = 90
# What a pytest process may take beyond a test's own time before it is taken to be stuck: set-up and
# tear-down, in which Celery starts and stops a worker.
GRACE_SECONDS = 45
running = set()
DIED = "the process ended, or hung, in this test"


@dataclass
class Outcome:
    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class Place:
    """A broker to run against, and where the traces of the run go."""

    name: str
    address: str
    virtual_host: str = "/"
    redis_port: int = 0

    @property
    def host(self):
        return self.address.rsplit(":", 1)[0]

    @property
    def port(self):
        return self.address.rsplit(":", 1)[1]

    @property
    def url(self):
        return f"amqp://guest:guest@{self.address}/%2f"


@dataclass(eq=False)
class PytestSuite:
    """Tests of a Python client, in its source package, run by pytest with our plugin."""

    name: str
    package: str
    files: list
    environment: object
    arguments: list = field(default_factory=list)
    not_broker: list = field(default_factory=list)
    needs_redis: bool = False
    # Over how many places its tests are shared out. They use the same names, so each place is a
    # broker of its own, or a virtual host; the tests mostly wait, so there may be many.
    shares: int = 1
    # Tests that take long, by a part of their id, and about how many seconds.
    slow: dict = field(default_factory=dict)

    def version(self):
        return places.python_version(self.package)

    def missing(self):
        if not places.VENV_STAMP.exists() or not places.python_source(self.package).exists():
            return "not installed"
        if self.needs_redis and not places.redis():
            return "no Redis server here"
        return ""

    def run(self, place, share=(0, 1), only=None):
        """Runs pytest, again without the stuck test when one takes the process with it."""
        outcomes, left = {}, only
        while True:
            collected, ended, stuck = self.run_once(place, share, left)
            outcomes.update(ended)
            if stuck:
                outcomes[stuck] = Outcome("failed", DIED, TEST_SECONDS)
            left = [test for test in collected if test not in outcomes]
            share = (0, 1)
            if not left or not (ended or stuck):
                break
        outcomes.update({test: Outcome("failed", "was never run") for test in left})
        return outcomes

    def run_once(self, place, share, only):
        source = places.python_source(self.package)
        with tempfile.TemporaryDirectory() as folder:
            report = f"{folder}/report"
            environment = self.environment_of(place, report, share)
            if only is not None:
                environment["LEVERET_ONLY"] = f"{folder}/only"
                with open(environment["LEVERET_ONLY"], "w") as file:
                    file.write("\n".join(only))
            ignored = [f"--deselect=t/integration/{test}" for test in self.not_broker]
            files = [f"t/integration/{file}" for file in self.files]
            pytest = [places.VENV / "bin/python", "-m", "pytest", "-p", "leveret_report"]
            quiet = ["-p", "no:cacheprovider", "-q", "--disable-warnings", "--tb=short"]
            command = [*pytest, *quiet, *self.arguments, *ignored, *files]
            log = places.LOGS / f"{place.name}.{self.name}.log"
            with open(log, "a") as file:
                process = start_group(command, cwd=source, env=environment, stdout=file,
                                      stderr=file)
                watch(process, report, max([TEST_SECONDS, *(2 * s for s in self.slow.values())]))
            return read_report(report)

    def environment_of(self, place, report, share):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {
            **environment,
            "PATH": f"{places.VENV / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(places.HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LEVERET_REPORT": report,
            "LEVERET_SHARE": f"{share[0]}/{share[1]}",
            "LEVERET_TEST_SECONDS": str(TEST_SECONDS),
            "LEVERET_SLOW": json.dumps(self.slow),
            **self.environment(place),
        }


def watch(process, report, seconds):
    """Waits for pytest to end, and ends it when it has reported nothing for too long."""
    size, changed = -1, time.monotonic()
    while True:
        try:
            process.wait(timeout=1)
            break
        except subprocess.TimeoutExpired:
            pass
        now = os.path.getsize(report) if os.path.exists(report) else 0
        if now != size:
            size, changed = now, time.monotonic()
        elif time.monotonic() - changed > seconds + GRACE_SECONDS:
            break
    # The workers that a test started may outlive it.
    end_group(process)


def start_group(command, **options):
    """Starts a process whose children end with it, or with the run."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    running.add(process)
    return process


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    running.discard(process)


@atexit.register
def end_all():
    for process in list(running):
        end_group(process)


def read_report(path):
    """The tests collected, the outcomes of those that ended, and the one that did not."""
    collected, ended, running = [], {}, None
    if not os.path.exists(path):
        return collected, ended, running
    with open(path) as file:
        for line in map(json.loads, file):
            collected = line.get("collected", collected)
            running = line.get("begins", running)
            if "ends" in line:
                running = None
                ended[line["ends"]] = Outcome(line["outcome"], line["reason"], line["seconds"])
    return collected, ended, running


@dataclass(eq=False)
class BinarySuite:
    """Tests built into executables; each test is run in a process of its own, with its own time."""

    name: str
    tests: object
    command: object
    has_passed: object
    environment: object
    built: object
    shares: int = 1
    needs_redis: bool = False

    def version(self):
        return json.loads(self.built.read_text())["version"] if self.built.exists() else None

    def missing(self):
        return "" if self.built.exists() else "not installed"

    def run(self, place, share=(0, 1), only=None):
        built = json.loads(self.built.read_text())
        names = self.tests(built) if only is None else only
        outcomes = {}
        for name in names[share[0] :: share[1]]:
            began = time.monotonic()
            outcomes[name] = self.run_test(place, built, name)
            outcomes[name].seconds = round(time.monotonic() - began, 2)
        return outcomes

    def run_test(self, place, built, name):
        environment = {**os.environ, **self.environment(place)}
        with tempfile.TemporaryFile("w+") as output:
            process = start_group(self.command(built, name), cwd=places.CACHE, env=environment,
                                  stdout=output, stderr=output)
            try:
                process.wait(timeout=BINARY_TEST_SECONDS)
                reason = f"exit code {process.returncode}"
            except subprocess.TimeoutExpired:
                reason = f"took longer than {BINARY_TEST_SECONDS} s"
            end_group(process)
            output.seek(0)
            text = output.read()
        if process.returncode == 0 and self.has_passed(text, name):
            return Outcome("passed")
        with open(places.LOGS / f"{place.name}.{self.name}.log", "a") as log:
            log.write(f"==== {name}: {reason}\n{text}\n")
        return Outcome("failed", reason)


def lapin_tests(built):
    """All tests of all files in tests/, as `file::test`."""
    tests = []
    for file, binary in sorted(built["binaries"].items()):
        listed = subprocess.run([binary, "--list"], stdout=subprocess.PIPE, text=True, check=True)
        tests += [f"{file}::{name}" for name in re.findall(r"^(\S+): test$", listed.stdout, re.M)]
    return [test for test in tests if test.split("::")[0] not in LAPIN_NOT_BROKER]


def lapin_command(built, name):
    file, test = name.split("::", 1)
    return [built["binaries"][file], "--exact", test]


# These play the broker themselves, or look for none: a port that nothing listens on.
LAPIN_NOT_BROKER = ["connection_retry", "conn_refused"]

LAPIN = BinarySuite(
    name="lapin",
    tests=lapin_tests,
    command=lapin_command,
    has_passed=lambda text, _: "test result: ok. 1 passed;" in text,
    environment=lambda place: {"AMQP_ADDR": place.url},
    built=places.LAPIN_TESTS,
)

AMQP091_GO = BinarySuite(
    name="amqp091-go",
    tests=lambda built: built["tests"],
    command=lambda built, name: [built["binary"], "-test.v", "-test.run", f"^{name}$"],
    has_passed=lambda text, name: f"--- PASS: {name} (" in text,
    environment=lambda place: {"AMQP_URL": f"amqp://guest:guest@{place.address}/"},
    built=places.GO_TESTS,
)


def py_amqp_environment(place):
    # Port 1 is one that nothing listens on: the default would reach a stranger's TLS listener.
    ports = {"RABBITMQ_5672_TCP": place.port, "RABBITMQ_5671_TCP": "1"}
    return {"RABBITMQ_HOST": place.host, **ports}


PY_AMQP = PytestSuite(
    name="py-amqp",
    package="amqp",
    files=["test_rmq.py"],
    environment=py_amqp_environment,
    # These go out to a web site.
    not_broker=[
        "test_rmq.py::test_tls_default_certs",
        "test_rmq.py::test_tls_no_default_certs_fails",
    ],
)

KOMBU = PytestSuite(
    name="kombu",
    package="kombu",
    files=["test_py_amqp.py"],
    environment=py_amqp_environment,
)


def celery_environment(place):
    backend = f"redis://127.0.0.1:{place.redis_port}/0"
    redis = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(place.redis_port)}
    broker = f"pyamqp://guest:guest@{place.address}/{place.virtual_host}"
    # Some tests look for lines that the worker logs at this level.
    return {"TEST_BROKER": broker, "TEST_BACKEND": backend, "WORKER_LOGLEVEL": "INFO", **redis}


# Left aside are the files that use an in-memory broker or none: test_backend (Azure),
# test_backend_leak_in_fixture_teardown, test_cache_backend, test_connection_recovery (Redis as the
# broker), test_database_backend, test_events_state_memory_leak, test_logfile_format,
# test_mem_leak_in_exception_handling, test_request_backend_down and test_upgrade; and of the other
# files, the tests that do likewise or talk to Redis alone.
CELERY_FILES = ["beat", "canvas", "group_chains", "inspect", "loader", "redis_backend", "security",
                "serialization", "tasks", "worker"]
CELERY_NOT_BROKER = ["test_redis_backend.py::test_decode_responses_disables_compression",
                     "test_redis_backend.py::test_failure_expires",
                     "test_redis_backend.py::test_pubsub_subscribe_churn_while_draining",
                     "test_redis_backend.py::test_pubsub_reentrant_cancel_from_finalizer",
                     "test_redis_backend.py::test_chord_expires",
                     "test_worker.py::test_run_worker",
                     "test_worker.py::test_django_fixup_direct_worker",
                     "test_worker.py::test_django_fixup_installs_django_task_for_celery_subclass",
                     "test_worker.py::test_django_fixup_signals_only_handled_by_own_app"]

# Most wait for something not to happen.
CELERY_SLOW = {
    "test_disabling_flag_allow_error_cb_on_chord_header": 150,
    "test_enabling_flag_allow_error_cb_on_chord_header": 86,
    "test_flag_allow_error_cb_on_chord_header_on_upgraded_chord": 67,
    "test_error_propagates_from_chord": 31,
    "test_tasks.py::test_tasks::test_retry": 31,
    "test_nested_chord_header_link_error": 22,
    "test_revoked_by_headers_complex_canvas": 22,
    "test_expired": 17,
    "test_beat_remote_control": 11,
    "test_redis_subscribed_channels_leak": 11,
    "test_concurrency_auto_sizes_prefork_pool": 11,
    "test_pidbox_reset_after_repeated_control_errors": 11,
    "test_tasks::test_timeout": 11,
    "test_chain_error_handler_with_eta": 11,
    "test_revoke_keeps_state_of_task_started_elsewhere": 11,
    "test_chord::test_generator": 6,
    "test_revoked": 9,
}
# With results over rpc, these find no result on any broker.
CELERY_RPC_SLOW = {
    "replaced_with_chain": 20,
    "test_tasks.py::test_tasks::test_retry": 21,
    "test_expired": 17,
    "test_beat_remote_control": 11,
    "test_concurrency_auto_sizes_prefork_pool": 11,
    "test_pidbox_reset_after_repeated_control_errors": 11,
    "test_tasks::test_timeout": 11,
    "test_revoked": 9,
}

CELERY = PytestSuite(
    name="celery",
    package="celery",
    files=[f"test_{name}.py" for name in CELERY_FILES],
    environment=celery_environment,
    arguments=["-p", "celery.contrib.pytest", "-p", "leveret_celery"],
    not_broker=CELERY_NOT_BROKER,
    slow=CELERY_SLOW,
    needs_redis=True,
    shares=8,
)


def celery_rpc_environment(place):
    return {**celery_environment(place), "TEST_BACKEND": "rpc://"}


# Celery's tests again, with the results coming back through the broker; the suite itself skips
# those that need a store for them.
CELERY_RPC = PytestSuite(
    name="celery-rpc",
    package="celery",
    files=[f"test_{name}.py" for name in CELERY_FILES],
    environment=celery_rpc_environment,
    arguments=["-p", "celery.contrib.pytest", "-p", "leveret_celery"],
    not_broker=CELERY_NOT_BROKER,
    slow=CELERY_RPC_SLOW,
    needs_redis=True,
    shares=5,
)

ALL = [LAPIN, PY_AMQP, KOMBU, AMQP091_GO, CELERY, CELERY_RPC]


def start_redis_for(place):
    if not place.redis_port:
        place.redis_port = brokers.start_redis(place.name)
