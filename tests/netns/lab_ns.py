# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs of a network namespace: to run a command, open a socket or write a sysctl in
it. The calling process itself never changes its namespace."""

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
# ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO, in the order in which they may go off.
_OFFLOADS = (0x1F, 0x17, 0x24, 0x2C)


class LabError(RuntimeError):
    """The lab cannot be had; the text is for people."""


def run(argv, **kw):
    """A command that has to succeed; its stderr goes into the exception."""
    done = subprocess.run(argv, capture_output=True, text=True, **kw)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def within(netns, function, *args):
    """Calls function in a namespace: on a thread of its own, since setns() moves only the calling
    thread. Sockets that it opens stay in that namespace when the thread is gone."""
    outcome = {}

    def body():
        try:
            fd = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(fd, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {netns}")
            finally:
                os.close(fd)
            outcome["value"] = function(*args)
        except BaseException as error:  # handed to the caller, whatever it is
            outcome["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def sysctl(netns, settings, optional=()):
    """Writes {"net/ipv4/x": value} in a namespace. Names in optional may be missing: some kernels
    have them only for the whole host, where the lab must not touch them."""

    def write():
        for name, value in settings.items():
            path = f"/proc/sys/{name}"
            if name in optional and not os.path.exists(path):
                continue
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))

    within(netns, write)


def offloads_off(netns, interface):
    """Makes packets on a veth what they would be on a wire: no larger than the MTU, checksum done.
    By ioctl, so that the lab does not need the ethtool package."""

    def switch():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for command in _OFFLOADS:
                value = ctypes.create_string_buffer(struct.pack("=II", command, 0), 8)
                request = struct.pack("=16sQ16x", interface.encode(), ctypes.addressof(value))
                fcntl.ioctl(sock, _SIOCETHTOOL, request)

    within(netns, switch)


def mac(interface):
    """An interface's address, in the namespace that it is called in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((interface, 0))
        return sock.getsockname()[4].hex(":")


def exists(netns):
    return os.path.exists(f"/run/netns/{netns}")


def remove(netns):
    """Ends every process in a namespace, then the namespace. No error if there is none."""
    if not exists(netns):
        return
    for sig, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0)):
        until = time.monotonic() + patience
        pids = _pids(netns)
        for pid in pids:
            _kill(pid, sig)
        while pids and time.monotonic() < until:
            time.sleep(0.01)
            pids = _pids(netns)
        if not pids:
            break
    subprocess.run(["ip", "netns", "del", netns], capture_output=True, check=False)


def _pids(netns):
    """Who lives in the namespace, ourselves excepted, and zombies, which have no namespace left."""
    listing = subprocess.run(["ip", "netns", "pids", netns], capture_output=True, text=True)
    return [int(pid) for pid in listing.stdout.split() if int(pid) != os.getpid()]


def _kill(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


class Capture:
    """tcpdump in a namespace. It listens when the constructor returns, and the file is complete
    when stop() returns. Debian's AppArmor profile for tcpdump wants the name to end in .pcap.
    snap: bytes of each packet, 0 for all; buffer_kib: what waits in the kernel."""

    def __init__(
        self, netns, interface, file, filter="", immediate=True, snap=0, buffer_kib=16384
    ):
        self.file = str(file)
        # -Z root: it would otherwise become a user who cannot write the file. Immediate mode gives
        # each packet at once and costs 10 times the CPU of blocks: switch it off for benchmarks.
        argv = ["ip", "netns", "exec", netns, "tcpdump", "-i", interface, "-w", self.file, "-U"]
        argv += ["-n", "-s", str(snap), "-B", str(buffer_kib), "-Z", "root"]
        argv += ["--immediate-mode"] if immediate else []
        argv += [filter] if filter else []
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line.strip())
            if "listening on" in line:
                break
        else:
            self.process.wait()
            raise LabError(f"tcpdump: {' '.join(self.said)}")
        self.immediate = immediate
        self.counts = {}

    def stop(self):
        """Ends it. Returns {"captured": n, "received": n, "dropped": n}, dropped by the kernel."""
        if self.process.stderr.closed:
            return self.counts
        if self.process.poll() is None:
            # What is still in the ring when the signal comes is lost, so wait for it to be
            # written; without immediate mode a block may take a second.
            size, quiet = -1, 0
            while quiet < (3 if self.immediate else 60) and self.process.poll() is None:
                time.sleep(0.02)
                now = os.path.getsize(self.file)
                quiet = quiet + 1 if now == size else 0
                size = now
            self.process.send_signal(signal.SIGINT)
        for line in self.process.stderr:
            self.said.append(line.strip())
            count = re.match(r"(\d+) packets? (captured|received|dropped)\b", line)
            if count:
                self.counts[count[2]] = int(count[1])
        self.process.wait()
        self.process.stderr.close()
        return self.counts

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
