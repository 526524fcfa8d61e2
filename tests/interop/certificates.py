"""Certificates for one run: an authority, the broker's own, and that of a client."""

import os
import subprocess

# The common name of the client's certificate, which is the user that it stands for.
CLIENT = "interop-client"


def make(folder):
    """Writes ca.pem, and server and client each as .pem and .key, into a folder of their own."""
    place = os.path.join(folder, "certificates")
    os.makedirs(place)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes"]
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=interop authority")
    with open(os.path.join(place, "names"), "w", encoding="ascii") as names:
        names.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, subject in (("server", "/CN=localhost"), ("client", f"/O=Leveret/CN={CLIENT}")):
        openssl("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", "names", "-out", f"{name}.pem")
    for name in os.listdir(place):
        os.chmod(os.path.join(place, name), 0o644)  # RabbitMQ runs as another user
    return place


def keys(place, listener):
    """What a broker is told so that it has TLS there, and users who log in by certificate."""
    return [
        f"listeners.ssl.1={listener}",
        f"ssl_options.cacertfile={place}/ca.pem",
        f"ssl_options.certfile={place}/server.pem",
        f"ssl_options.keyfile={place}/server.key",
        "ssl_options.verify=verify_peer",
        "ssl_options.fail_if_no_peer_cert=false",
        "ssl_cert_login_from=common_name",
        "auth_mechanisms.1=PLAIN",
        "auth_mechanisms.2=AMQPLAIN",
        "auth_mechanisms.3=EXTERNAL",
    ]
