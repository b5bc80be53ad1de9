# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine as a benchmark has to know it: what it is, how busy its cores are, and whether
packets are steered between them."""

import os
import platform
import re
import subprocess
import time
from typing import NamedTuple

PROBER_CORE, SERVER_CORE = 0, 1
_TICK = os.sysconf("SC_CLK_TCK")


class Cores(NamedTuple):
    """Seconds since boot, or between two readings, of the prober's core and of the servers'."""

    prober: float
    server: float
    steal: float  # what the hypervisor took from both

    def since(self, before):
        return Cores(*(now - then for now, then in zip(self, before)))

    @property
    def both(self):
        return self.prober + self.server


def cores():
    busy, steal = {}, 0.0
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[0] in (f"cpu{PROBER_CORE}", f"cpu{SERVER_CORE}"):
                # user nice system idle iowait irq softirq steal; guest time is in user already.
                user, nice, system, _, _, irq, softirq, stolen = map(int, fields[1:9])
                busy[fields[0]] = (user + nice + system + irq + softirq) / _TICK
                steal += stolen / _TICK
    return Cores(busy[f"cpu{PROBER_CORE}"], busy[f"cpu{SERVER_CORE}"], steal)


def idle_check(seconds=2.0):
    """What is running already: the share of each core that is busy while the benchmark sleeps."""
    before = cores()
    time.sleep(seconds)
    return Cores(*(value / seconds for value in cores().since(before)))


def steering(lab, links):
    """Queues that hand packets to other cores, as "machine/interface file=value". None is right."""
    script = (
        "for f in /sys/class/net/*/queues/rx-*/rps_cpus /sys/class/net/*/queues/rx-*/rps_flow_cnt "
        "/sys/class/net/*/queues/tx-*/xps_cpus /sys/class/net/*/threaded; do "
        'v=$(cat "$f" 2>/dev/null) && echo "$f $v"; done; true'
    )
    found = []
    for role in links:
        # ip netns exec mounts the /sys of that namespace.
        done = lab.exec(role, ["sh", "-c", script], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            path, value = line.split()
            if value.strip("0,"):
                found.append(f"{role}:{path.removeprefix('/sys/class/net/')}={value}")
    return found


def _first_match(path, pattern):
    with open(path, encoding="utf-8") as file:
        match = re.search(pattern, file.read(), re.MULTILINE)
    return match[1].strip() if match else "unknown"


def _output(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr


def commit():
    text = _output(["git", "rev-parse", "--short=12", "HEAD"]).strip()
    if not re.fullmatch(r"[0-9a-f]{7,40}", text):
        return "unknown"
    changed = _output(["git", "status", "--porcelain", "--untracked-files=no", "--", "src"])
    return text + (" and uncommitted changes in src" if changed.strip() else "")


def versions():
    """Of rawspider and its peers."""
    found = {
        "rawspider": re.search(r"rawspider (\S+)", _output(["build/rawspider", "version"])),
        "masscan": re.search(r"version (\S+)", _output(["masscan", "--version"])),
        "ab": re.search(r"Version (\S+)", _output(["ab", "-V"])),
        "nginx": re.search(r"nginx/(\S+)", _output(["nginx", "-v"])),
        "libtrace-tools": re.search(
            r"Version: ([^-\s]+)", _output(["dpkg-query", "--status", "libtrace-tools"])
        ),
        "tcpdump": re.search(r"version (\S+)", _output(["tcpdump", "--version"])),
    }
    return {name: match[1] if match else "unknown" for name, match in found.items()}


def describe():
    """What a figure has to be read with."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "commit": commit(),
        "kernel": f"{platform.release()} {platform.machine()}",
        "processor": _first_match("/proc/cpuinfo", r"^model name\s*:(.*)$"),
        "cores": os.cpu_count(),
        "memory_mib": int(_first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)")) // 1024,
        "versions": versions(),
    }
