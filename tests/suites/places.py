"""Where the suites lie in the cache of the checkout, and which versions they have.

Nothing of the suites' code is in the repository: `install` brings it here, `run` runs it from here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
CACHE = CHECKOUT / ".cache" / "suites"
REQUIREMENTS = HERE / "requirements.txt"

VENV = CACHE / "venv"
VENV_STAMP = CACHE / "venv.requirements.txt"
SOURCES = CACHE / "sources"
LAPIN = CACHE / "lapin"
LAPIN_TESTS = LAPIN / "tests.json"
GO = CACHE / "go"
GO_TESTS = GO / "tests.json"
LOGS = CACHE / "logs"

GO_PATH = Path("/usr/share/gocode")
GO_PACKAGE = "github.com/rabbitmq/amqp091-go"
GO_DEBIAN_PACKAGE = "golang-github-rabbitmq-amqp091-go-dev"


def python_version(package):
    """The version of a Python package that requirements.txt pins."""
    pinned = re.search(rf"^{package}==(\S+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    return pinned[1]


def python_source(package):
    """Where the source package of a Python client is unpacked."""
    return SOURCES / f"{package}-{python_version(package)}"


def debian_version(package):
    """The version of an installed Debian package, or None."""
    if not shutil.which("dpkg-query"):
        return None
    query = ["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Version}", package]
    found = subprocess.run(query, capture_output=True, text=True)
    words = found.stdout.split()
    return words[1] if found.returncode == 0 and words[:1] == ["ii"] else None


def go():
    """The Go command, or None."""
    return shutil.which("go")


def redis():
    """How to start a Redis server, or None.

    Debian's redis-tools has the server under another name, one binary that looks at how it is
    called; installing redis-server itself would start a service that nobody asked for.
    """
    if shutil.which("redis-server"):
        return ["redis-server"]
    binary = shutil.which("redis-check-rdb")
    if not binary:
        return None
    name = CACHE / "redis-server"
    if not name.exists():
        name.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(binary, name)
    return [str(name)]
