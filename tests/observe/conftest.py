# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the observer's tests: captures as files, and two network namespaces with a wire."""

import itertools
import os
import shutil
import subprocess
import tempfile

import pytest

import observing


@pytest.fixture(scope="session", autouse=True)
def _program():
    if not os.access(observing.PROGRAM, os.X_OK):
        pytest.exit(f"{observing.PROGRAM} is missing: make SAN=1, or name one in RAWSPIDER", 1)


@pytest.fixture
def folder():
    """A folder that other users can read, too; pytest's own is root's alone."""
    made = tempfile.mkdtemp(prefix="rawspider-observe-")
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def save(folder):
    """save(bytes, name) gives the path of a new file."""
    numbers = itertools.count()

    def write(data, name=None):
        path = os.path.join(folder, name or f"{next(numbers)}.pcap")
        with open(path, "wb") as file:
            file.write(data)
        return path

    return write


class Wire:
    """Two namespaces and a veth pair: `near` is watched (interface near0), `far` sends."""

    def __init__(self):
        tag = f"rso{os.getpid()}"
        self.near, self.far = f"{tag}a", f"{tag}b"

    def up(self):
        for name in (self.near, self.far):
            self._ip("netns", "add", name)
            for family in ("all", "default"):  # a silent wire: no IPv6 of the kernel's own
                self.run(name, "sysctl", "-qw", f"net.ipv6.conf.{family}.disable_ipv6=1")
        self._ip("-n", self.near, "link", "add", "near0", "type", "veth", "peer", "name", "far0",
                 "netns", self.far)  # fmt: skip
        self._ip("-n", self.near, "link", "set", "near0", "up")
        self._ip("-n", self.near, "link", "set", "lo", "up")
        self._ip("-n", self.far, "link", "set", "far0", "up")

    def down(self):
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True)

    @staticmethod
    def run(name, *words, **kw):
        return subprocess.run(["ip", "netns", "exec", name, *words], check=True, **kw)

    @property
    def before(self):
        """What goes before a command that is to run at the near end."""
        return ["ip", "netns", "exec", self.near]

    def send(self, frames):
        """Puts frames on the wire from the far end."""
        code = (
            "import socket, sys\n"
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
            "s.bind(('far0', 0))\n"
            "for line in sys.stdin: s.send(bytes.fromhex(line))\n"
        )
        lines = "".join(frame.hex() + "\n" for _, frame in frames)
        self.run(self.far, "python3", "-c", code, input=lines.encode())


@pytest.fixture(scope="session")
def wire():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    it = Wire()
    try:
        it.up()
        yield it
    finally:
        it.down()
