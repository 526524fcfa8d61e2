"""TLS with pika: versions, certificates on either side, and a login by certificate."""

import base64
import json
import os
import ssl
import urllib.request

import pika
import pika.exceptions
import pytest

USER = "interop-client"


@pytest.fixture
def certificates():
    folder = os.environ.get("LEVERET_TEST_CERTIFICATES")
    if not folder:
        pytest.skip("LEVERET_TEST_CERTIFICATES names no folder with certificates")
    return folder


@pytest.fixture
def client_user(host):
    """The user that the client's certificate stands for."""

    def put(path, body):
        port = os.environ["LEVERET_TEST_MANAGEMENT_PORT"]
        request = urllib.request.Request(
            f"http://{host}:{port}/api/{path}", json.dumps(body).encode(), method="PUT"
        )
        login = base64.b64encode(b"guest:guest").decode()
        request.add_header("Authorization", f"Basic {login}")
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request, timeout=10).close()

    put(f"users/{USER}", {"password_hash": "", "tags": ""})
    put(f"permissions/%2F/{USER}", {"configure": ".*", "write": ".*", "read": ".*"})
    return USER


@pytest.fixture
def connect_over_tls(host, certificates, connect):
    def open_one(shows_certificate=False, version=None, **more):
        context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
        if shows_certificate:
            context.load_cert_chain(f"{certificates}/client.pem", f"{certificates}/client.key")
        if version:
            context.minimum_version = context.maximum_version = version
        parameters = pika.ConnectionParameters(
            host, int(os.environ["LEVERET_TEST_TLS_PORT"]), socket_timeout=5, stack_timeout=8,
            ssl_options=pika.SSLOptions(context, "localhost"), **more,
        )
        return connect(parameters)

    return open_one


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_messages_of_any_size_go_over_tls(connect_over_tls, name, version):
    channel = connect_over_tls(version=version).channel()
    channel.queue_declare(name, exclusive=True)
    channel.confirm_delivery()
    for size in (0, 1, 16384, 131072, 3_000_000):
        body = os.urandom(size)
        channel.basic_publish("", name, body)
        method, _, received = channel.basic_get(name, auto_ack=True)
        assert method and received == body


def test_many_messages_come_in_order(connect_over_tls, name):
    channel = connect_over_tls().channel()
    channel.queue_declare(name, exclusive=True)
    for number in range(2000):
        channel.basic_publish("", name, str(number).encode())
    bodies = []
    for _, _, body in channel.consume(name, auto_ack=True, inactivity_timeout=8):
        bodies.append(body)
        if body is None or len(bodies) == 2000:
            break
    assert bodies == [str(number).encode() for number in range(2000)]


def test_a_client_believes_only_its_own_authority(host):
    context = ssl.create_default_context()
    port = int(os.environ["LEVERET_TEST_TLS_PORT"])
    parameters = pika.ConnectionParameters(
        host, port, ssl_options=pika.SSLOptions(context, "localhost"), socket_timeout=5
    )
    with pytest.raises((pika.exceptions.AMQPConnectionError, ssl.SSLError)):
        pika.BlockingConnection(parameters)


def test_a_certificate_logs_its_user_in(connect_over_tls, client_user, name):
    credentials = pika.credentials.ExternalCredentials()
    connection = connect_over_tls(shows_certificate=True, credentials=credentials)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"x", pika.BasicProperties(user_id=client_user))
    assert channel.basic_get(name, auto_ack=True)[2] == b"x"


def test_without_a_certificate_nobody_is_logged_in_by_it(connect_over_tls, client_user):
    credentials = pika.credentials.ExternalCredentials()
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect_over_tls(credentials=credentials)
