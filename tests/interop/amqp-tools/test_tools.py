"""The command line tools of amqp-tools, as shell scripts use them."""

import contextlib
import subprocess
import time

import pytest

SECONDS = 10


@pytest.fixture
def tool(host, port):
    """Runs one of the tools; what it writes is text."""

    def run(name, *arguments, given=None, ok=True):
        done = subprocess.run(
            [name, f"--server={host}", f"--port={port}", *arguments],
            input=given, capture_output=True, text=True, timeout=SECONDS,
        )
        assert (done.returncode == 0) is ok, done.stderr
        return done.stdout if ok else done.stderr

    return run


@pytest.fixture
def queue(tool, name):
    assert tool("amqp-declare-queue", f"--queue={name}") == f"{name}\n"
    yield name
    with contextlib.suppress(AssertionError):
        tool("amqp-delete-queue", f"--queue={name}")


@pytest.fixture
def consume(host, port):
    """Starts amqp-consume, whose output is what the COMMAND it starts for each message writes."""
    started = []

    def start(*arguments):
        consumer = subprocess.Popen(
            ["amqp-consume", f"--server={host}", f"--port={port}", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        started.append(consumer)
        return consumer

    yield start
    for consumer in started:
        if consumer.poll() is None:
            consumer.kill()
        consumer.communicate()


def test_the_broker_names_a_queue_without_a_name(tool):
    queue = tool("amqp-declare-queue", "--queue=", ).strip()
    assert queue.startswith("amq.gen-")
    tool("amqp-delete-queue", f"--queue={queue}")


def test_a_published_message_is_got(tool, queue):
    tool("amqp-publish", f"--routing-key={queue}", "--body=hello", "--persistent")
    assert tool("amqp-get", f"--queue={queue}") == "hello"
    assert tool("amqp-get", f"--queue={queue}", ok=False) == ""


def test_delete_says_how_many_messages_went(tool, queue):
    for _ in range(3):
        tool("amqp-publish", f"--routing-key={queue}", "--body=x")
    assert tool("amqp-delete-queue", f"--queue={queue}") == "3\n"


def test_a_body_comes_from_standard_input(tool, queue):
    body = "0123456789abcdef" * 20_000
    tool("amqp-publish", f"--routing-key={queue}", given=body)
    assert tool("amqp-get", f"--queue={queue}") == body


def test_each_line_is_a_message_and_consumed_in_order(tool, queue, consume):
    tool("amqp-publish", f"--routing-key={queue}", "--line-buffered", given="one\ntwo\nthree\n")
    consumer = consume(f"--queue={queue}", "--count=3", "--prefetch-count=1", "cat")
    output, _ = consumer.communicate(timeout=SECONDS)
    assert (output, consumer.returncode) == ("one\ntwo\nthree\n", 0)
    assert tool("amqp-delete-queue", f"--queue={queue}") == "0\n"


def test_headers_and_properties_are_taken(tool, queue):
    tool(
        "amqp-publish", f"--routing-key={queue}", "--body=x", "--content-type=text/plain",
        "--content-encoding=utf-8", "--reply-to=somewhere", "--header=color: red",
    )
    assert tool("amqp-get", f"--queue={queue}") == "x"


def test_an_exclusive_consumer_bound_to_an_exchange_gets_what_is_routed(tool, name, consume):
    consumer = consume(
        "--exchange=amq.topic", f"--routing-key={name}.*", "--exclusive", "--no-ack", "--count=1",
        "cat",
    )
    end = time.monotonic() + SECONDS
    while consumer.poll() is None and time.monotonic() < end:
        # The consumer does not say when its queue is bound.
        tool("amqp-publish", "--exchange=amq.topic", f"--routing-key={name}.x", "--body=routed")
        time.sleep(0.1)
    assert consumer.communicate(timeout=SECONDS)[0] == "routed"


def test_a_message_whose_command_fails_comes_back(tool, queue, consume):
    tool("amqp-publish", f"--routing-key={queue}", "--body=kept")
    consumer = consume(f"--queue={queue}", "--count=1", "false")
    consumer.communicate(timeout=SECONDS)
    assert tool("amqp-get", f"--queue={queue}") == "kept"


def test_a_missing_queue_is_404(tool, name):
    assert "404" in tool("amqp-get", f"--queue={name}", ok=False)


def test_a_missing_exchange_is_404(tool, name):
    error = tool("amqp-consume", f"--exchange={name}", "--routing-key=k", "-x", "cat", ok=False)
    assert f"NOT_FOUND - no exchange '{name}' in vhost '/'" in error


def test_another_durability_is_406(tool, queue):
    error = tool("amqp-declare-queue", f"--queue={queue}", "--durable", ok=False)
    assert "PRECONDITION_FAILED - inequivalent arg 'durable'" in error


def test_a_queue_with_messages_is_not_deleted_if_it_must_be_empty(tool, queue):
    tool("amqp-publish", f"--routing-key={queue}", "--body=x")
    error = tool("amqp-delete-queue", f"--queue={queue}", "--if-empty", ok=False)
    assert "PRECONDITION_FAILED" in error


def test_a_wrong_password_is_refused(tool):
    error = tool("amqp-declare-queue", "--queue=x", "--password=wrong", ok=False)
    assert "ACCESS_REFUSED" in error


def test_an_address_as_a_url_is_understood(host, port, queue):
    url = f"amqp://guest:guest@{host}:{port}/%2F"
    command = ["amqp-publish", f"--url={url}", f"--routing-key={queue}", "--body=x"]
    assert subprocess.run(command, timeout=SECONDS).returncode == 0


@pytest.mark.timeout(120)
def test_a_consumer_ends_when_the_broker_stops(tool, queue, consume, restart):
    consumer = consume(f"--queue={queue}", "cat")
    tool("amqp-publish", f"--routing-key={queue}", "--body=before\n")
    assert consumer.stdout.readline() == "before\n"
    restart()
    _, error = consumer.communicate(timeout=SECONDS)
    assert consumer.returncode != 0
    assert error
    tool("amqp-declare-queue", f"--queue={queue}")
