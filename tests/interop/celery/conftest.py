"""Real workers, each a process of its own with a queue of its own, and the client beside it."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS_TO_START = 25


class Celery:
    """One application with settings of its own: the client's side of it, and its workers."""

    def __init__(self, folder, **environment):
        self.folder = folder
        self.queue = f"leveret-interop-{uuid.uuid4().hex[:12]}"
        self.environment = {"LEVERET_TEST_QUEUE": self.queue, **environment}
        self.workers = []
        self.tasks = self.load()
        self.app = self.tasks.app

    def load(self):
        """The module of tasks, which reads its settings when it is loaded, loaded anew."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            path = os.path.join(HERE, "tasks.py")
            specification = importlib.util.spec_from_file_location("tasks", path)
            tasks = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(tasks)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return tasks

    def start_worker(self, concurrency=2):
        number = len(self.workers) + 1
        log = os.path.join(str(self.folder), f"worker-{number}.log")
        command = [
            sys.executable, "-m", "celery", "--app", "tasks", "worker", "--loglevel", "INFO",
            "--concurrency", str(concurrency), "--hostname", f"{number}-{self.queue}@localhost",
            "--task-events",
        ]
        with open(log, "wb") as output:
            worker = subprocess.Popen(
                command, cwd=HERE, env={**os.environ, "C_FORCE_ROOT": "1", **self.environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )
        worker.log = log
        self.workers.append(worker)
        wait_for(worker, " ready.", SECONDS_TO_START)
        return worker

    def stop(self):
        for worker in self.workers:
            stop(worker)
        with self.app.connection_for_write() as connection:
            channel = connection.channel()
            channel.queue_delete(self.queue)
            for exchange in (self.queue, f"{self.queue}-control.pidbox", f"{self.queue}-events"):
                channel.exchange_delete(exchange)
        self.app.close()


def wait_for(worker, text, seconds, count=1):
    """Waits until the worker's log has the text so many times."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and worker.poll() is None:
        if log_of(worker).count(text) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {text!r} in the worker's log:\n{log_of(worker)}")


def log_of(worker):
    with open(worker.log, encoding="utf-8", errors="replace") as log:
        return log.read()


def stop(worker):
    """Asks the worker to end, and ends it and its children if it does not."""
    if worker.poll() is None:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(10)
        except subprocess.TimeoutExpired:
            pass
    kill(worker)


def kill(worker):
    """Ends the worker and its children, as a machine that loses its power would."""
    try:
        os.killpg(worker.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    worker.wait()


@pytest.fixture(scope="module")
def celery(tmp_path_factory):
    """One worker for the tests of a file, with results over rpc://."""
    celery = Celery(tmp_path_factory.mktemp("celery"))
    try:
        celery.start_worker()
        yield celery
    finally:
        celery.stop()


@pytest.fixture
def new_celery(tmp_path):
    """Makes applications of the test's own; no worker runs yet."""
    made = []

    def make(**environment):
        made.append(Celery(tmp_path, **environment))
        return made[-1]

    yield make
    for celery in made:
        celery.stop()


@pytest.fixture
def worker_log():
    """Functions on workers, for tests that look into a log or kill one."""

    class WorkerLog:
        wait = staticmethod(wait_for)
        read = staticmethod(log_of)
        kill = staticmethod(kill)

    return WorkerLog
