# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each microsecond of an exchange goes: perf samples a run over the direct veth; each sample
belongs to a part of the program, by the source file of its code or by the kernel's work.

What the tables below do not know goes to "rest", which is printed like the others: a new file or a
renamed folder shows there."""

import bisect
import collections
import os
import re
import shutil
import subprocess

import direct
import tools
from proc import Unmeasured
from report import Figure

_HERTZ = 4000
_REST = "rest"
_LIBC = "libc, for all of them: memory, strings"
_FAR = "the far side's reception, in sendmmsg (softirq)"
_INJECT = "inject: sendmmsg and below"
_CAPTURE = "capture"
_JSON_IN = "JSON in: jansson, jobs"
_JSON_OUT = "JSON out: records, write"
_LOOP = "timers, loop, pacing"
_TABLE = "table, flows, evidence"
_ROUTES = "routes, neighbours"
_ENDS = "start and end: guard sockets, rings, exit"
_PARTS = {  # by the beginning of the source file's name; the first that fits
    "craft/": "craft",
    "net/inject": _INJECT,
    "net/capture": _CAPTURE,
    "net/trace": _CAPTURE,
    "net/guard": _ENDS,
    "net/selftest": _ENDS,
    "net/fib": _ROUTES,
    "net/route": _ROUTES,
    "net/neigh": _ROUTES,
    "net/loop": _LOOP,
    "net/clock": _LOOP,
    "wire/": "parse, checksums",
    "tcpstate/": "TCP machine",
    "exchange/": "exchange",
    "plugins/": "conditions",
    "observe/evaluate": "conditions",
    "observe/": _TABLE,
    "run/conn": _TABLE,
    "run/dormant": _TABLE,
    "run/receive": _TABLE,
    "run/stray": _TABLE,
    "run/record": _JSON_OUT,
    "run/packets": _INJECT,
    "run/": _LOOP,
    "io/job": _JSON_IN,
    "io/input": _JSON_IN,
    "io/members": _JSON_IN,
    "io/source": _JSON_IN,
    "io/stream": _JSON_IN,
    "io/blocklist": _JSON_IN,
    "io/record": _JSON_OUT,
    "io/output": _JSON_OUT,
    "io/text": _JSON_OUT,
    "io/objects": _JSON_OUT,
    "base/hash": _TABLE,
    "base/slab": _TABLE,
    "base/pack": _TABLE,
    "base/wheel": _LOOP,
}
_LIBRARIES = {
    "libnet": "craft",
    "libpcap": _CAPTURE,
    "libjansson": _JSON_IN,
    "libwandio": _JSON_IN,
    "libev": _LOOP,
    "[vdso]": _LOOP,
    "libc": _LIBC,
}
# Kernel functions anywhere in a sample's chain; the first that fits.
_SOFTIRQ = re.compile(r"(__)?do_softirq|handle_softirqs|net_rx_action|__napi_poll")
_SENDING = re.compile(r"__(x64_)?sys_send(m)?m?sg|__sys_sendto")
_KERNEL = (
    (_SENDING, _INJECT),
    (re.compile(r"do_epoll_(p)?wait|do_sys_poll|ep_poll"), _LOOP),
    (re.compile(r"ksys_write|vfs_write|ksys_pwrite64"), _JSON_OUT),
    (re.compile(r"ksys_read|vfs_read"), _JSON_IN),
    (re.compile(r"__sys_(socket|bind|listen|setsockopt)|(__x64_)?sys_close|do_exit"), _ENDS),
    (re.compile(r"ksys_mmap_pgoff|vm_mmap_pgoff|bprm_execve|begin_new_exec"), _ENDS),
    (re.compile(r"__sys_(recv.*|getsockopt)|packet_(recvmsg|poll)|prb_.*|tpacket_.*"), _CAPTURE),
)
_MAP = re.compile(
    r"MMAP2? .*?: \[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (0x[0-9a-f]+|0) .*?\]: r.xp (.+)$"
)
_FRAME = re.compile(r"^\s+([0-9a-f]+) (.*?) \((.*)\)$")
_SOURCE = re.compile(r"(?:^|/)src/(\w+/\w+\.[ch])(?::|$)")


class Image:
    """A program's code: from addresses in a run to source files. mapped: (start, end, offset)."""

    def __init__(self, path, mapped):
        self.path = path
        self.maps = sorted(mapped)
        self.starts = [start for start, _, _ in self.maps]
        self.segments = self._segments()

    def _segments(self):
        """(file offset, size, address) of what is loaded."""
        told = subprocess.run(
            ["readelf", "-lW", self.path], capture_output=True, text=True, check=True
        )
        rows = [row.split() for row in told.stdout.splitlines() if row.startswith("  LOAD ")]
        return [(int(r[1], 16), int(r[4], 16), int(r[2], 16)) for r in rows]

    def address(self, ip):
        """As the program's own symbols have it, or None. Some versions of perf have said so
        themselves; no run has its code as low as that."""
        if any(begin <= ip < begin + size for _, size, begin in self.segments):
            return ip
        at = bisect.bisect_right(self.starts, ip) - 1
        if at < 0 or ip >= self.maps[at][1]:
            return None
        offset = ip - self.maps[at][0] + self.maps[at][2]
        for begin, size, address in self.segments:
            if begin <= offset < begin + size:
                return offset - begin + address
        return None

    def sources(self, ips):
        """{ip: "folder/file.c"}: the innermost function in src, but of those in src/base, which all
        others call, only where there is nothing else."""
        addresses = {ip: self.address(ip) for ip in ips}
        asked = "\n".join(f"{a:#x}" for a in sorted({a for a in addresses.values() if a}))
        argv = ["addr2line", "-a", "-i", "-e", self.path]
        told = subprocess.run(argv, input=asked, capture_output=True, text=True, check=True)
        found, here = {}, None
        for line in told.stdout.splitlines():
            if line.startswith("0x"):
                here = found.setdefault(int(line, 16), [])
            elif match := _SOURCE.search(line):
                here.append(match[1])
        return {ip: _of_stack(found.get(address, [])) for ip, address in addresses.items()}


def _of_stack(files):
    for file in files:
        if not file.startswith("base/"):
            return file
    return files[0] if files else None


def samples(text, comm):
    """(chain, maps) of perf script's output: chains as [(ip, symbol, dso)], the leaf first, of the
    program `comm` alone; maps as {path: [(start, end, file offset)]}."""
    chains, maps, current = [], collections.defaultdict(list), None
    for line in text:
        if mapped := _MAP.search(line):
            start, size, offset = (int(mapped[i], 16) for i in (1, 2, 3))
            maps[mapped[4].strip()].append((start, start + size, offset))
        elif frame := _FRAME.match(line):
            if current is not None:
                current.append((int(frame[1], 16), frame[2], frame[3]))
        elif line.strip():
            current = [] if line.split()[0] == comm else None
            if current is not None:
                chains.append(current)
    return [chain for chain in chains if chain], maps


def _is_kernel(dso):
    return dso.startswith("[kernel") or dso.endswith(".ko") or dso == "[guest.kernel.kallsyms]"


def _kernel_part(chain):
    """Of a sample in the kernel, or None where its caller has to tell, as for a page fault."""
    names = [symbol for _, symbol, dso in chain if _is_kernel(dso)]
    if any(_SOFTIRQ.fullmatch(name) for name in names):
        sending = any(_SENDING.fullmatch(name) for name in names)
        return _FAR if sending else _REST
    for pattern, part in _KERNEL:
        if any(pattern.fullmatch(name) for name in names):
            return part
    return None


def _leaf(chain):
    """The innermost frame in user space, or None."""
    return next((frame for frame in chain if not _is_kernel(frame[2])), None)


def _part(chain, sources, program):
    """The part that a sample belongs to, and what to call it where that is "rest"."""
    leaf = _leaf(chain)
    if _is_kernel(chain[0][2]):
        if part := _kernel_part(chain):
            return part, chain[0][1]
        if leaf is None or "asm_exc_page_fault" not in [frame[1] for frame in chain]:
            call = next((f[1] for f in chain if "_sys_" in f[1]), "no call")
            return _REST, f"kernel: {chain[0][1]} in {call}"
    ip, symbol, dso = leaf
    library = os.path.basename(dso)
    for name, part in _LIBRARIES.items():
        if library == name or re.match(re.escape(name) + r"[-.\d]*\.so", library):
            return part, symbol
    source = sources.get(ip) if dso == program else None
    for start, part in _PARTS.items():
        if source is not None and source.startswith(start):
            return part, symbol
    return _REST, f"{source or library}: {symbol}"


def parts(text, comm, program):
    """(Counter of samples by part, Counter of what is in rest)."""
    chains, maps = samples(text, comm)
    image = Image(program, maps.get(program, []))
    leaves = (_leaf(chain) for chain in chains)
    sources = image.sources({leaf[0] for leaf in leaves if leaf and leaf[2] == program})
    counts, rest = collections.Counter(), collections.Counter()
    for chain in chains:
        part, name = _part(chain, sources, program)
        counts[part] += 1
        rest[name] += part == _REST
    return counts, +rest


def profile(bench):
    """Microseconds of each part for an exchange."""
    if not shutil.which("perf"):
        bench.remark("profile: not made, since perf is not there (Debian: linux-perf).")
        return []
    count = bench.sizes.direct_targets
    bench.say(f"rawspider -r 0 under perf, {count:,} targets, direct veth")
    data = bench.path("perf.data")
    lines = direct.write_plain(bench.path("direct.ndjson"), count, (4, 6))
    under = ["perf", "record", "-q", "-F", _HERTZ, "-e", "cpu-clock", "-g", "-o", data, "--"]
    with direct.Direct() as rig:
        run = tools.rawspider(rig, bench.folder, lines, "-r", 0, under=under)
    tools.check_records(run.output, count, direct.truth()[1])
    argv = ["perf", "script", "-i", data, "-F", "comm,ip,sym,dso", "--show-mmap-events"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as script:
        counts, rest = parts(script.stdout, "rawspider", tools.RAWSPIDER)
    total = sum(counts.values())
    if not total:
        raise Unmeasured("perf has no sample of rawspider")
    return _rows(counts, rest, total, min(run.meta["exchanges"], 2 * count))


def _rows(counts, rest, total, exchanges):
    each = 1e6 / _HERTZ / exchanges
    told = ", ".join(f"{name} {n / total:.1%}" for name, n in rest.most_common(5))
    note = (
        f"perf record -F {_HERTZ} -e cpu-clock, {total:,} samples of user and system time, "
        f"{exchanges:,} exchanges, half of them IPv6; the ratios are shares. By the source file of "
        "the innermost function, functions that the compiler has inlined included; what src/base "
        f"does inline belongs to its caller. Rest: {told or 'nothing'}."
    )
    title = "profile: CPU for an exchange, under perf"
    rows = [Figure("profile", title, "us", total * each, ratio=1.0, note=note)]
    named = [(part, n) for part, n in counts.most_common() if part != _REST]
    for part, n in named + [(_REST, counts[_REST])]:
        key = "profile_" + re.sub(r"\W+", "_", part.split(":")[0].split(",")[0].lower())
        rows.append(Figure(key, f"- {part}", "us", n * each, ratio=n / total))
    return rows
