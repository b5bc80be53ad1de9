#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Internet in network namespaces: vantage point - router with middleboxes - servers.

    vp (vp0) --[ rawspider-path ]-- (rt0) rt (rt1) -- srv    nginx, ECN on (tcp_ecn=2)
                                           (rt2) -- srv0   nginx, ECN off (tcp_ecn=0)

Module:   with Lab() as lab: lab.exec("vp", ["curl", "http://198.18.0.1/"])
Program:  lab.py up; lab.py exec vp -- curl http://198.18.0.1/; lab.py down      (lab.py --help)

Needs root, ip, nft and nginx; captures need tcpdump. Interfaces are made inside the namespaces and
sysctls are set only there: nothing of the host is touched. Boxes and addresses: lab_plan.py.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import lab_ns
import lab_plan
from lab_ns import LabError

HERE = os.path.dirname(os.path.abspath(__file__))
FORWARDER = os.path.join(HERE, "..", "..", "build", "tests", "path", "rawspider-path")
STATE = "/run/rawspider-lab"

# The links: what stands before the last part of the addresses, which is 1 on the router, 2 on the
# other machine.
VP4, VP6 = "192.0.2.2", "2001:db8:1::2"
_LINKS = {
    "vp": ("192.0.2.", "2001:db8:1::"),
    "srv": ("198.51.100.", "2001:db8:2::"),
    "srv0": ("203.0.113.", "2001:db8:3::"),
}

_COMMON = {
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    # An address must be good at once, not after a second of duplicate detection.
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
}
# An unlimited answerer of ICMP errors: type not in the mask means not limited, not even by the
# budget of the whole host. 2 is "packet too big"; an empty mask cannot be written.
_ICMP_UNLIMITED = {
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv6/icmp/ratemask": "2",
}
_ROUTER = {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1}
_SERVER = {
    "net/core/somaxconn": 65535,
    "net/ipv4/tcp_max_syn_backlog": 65535,
    # Cookies answer ECN only to SYNs with timestamps; a full queue shall look like loss instead.
    "net/ipv4/tcp_syncookies": 0,
    # No memory of earlier connections: every measurement meets the same server.
    "net/ipv4/tcp_no_metrics_save": 1,
    "net/ipv4/tcp_max_tw_buckets": 262144,
    "net/ipv4/tcp_fin_timeout": 10,
}


class Lab:
    """One lab. As a context manager it is up inside and gone after, whatever happens inside.

    path: None, or what the impairing forwarder does to each direction, e.g. "loss=2,delay=50", or a
    pair (towards the servers, towards the vantage point). seed: its. server_cpu: pins nginx.
    """

    _serial = itertools.count()

    def __init__(self, name=None, path=None, seed=1, targets=4, server_cpu=None, keep=False):
        self.name = name or f"{os.getpid()}-{next(Lab._serial)}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", self.name):
            raise LabError(f"{self.name!r}: a lab's name is letters, digits, - and _")
        self.paths = (path, path) if path is None or isinstance(path, str) else tuple(path)
        self.seed = seed
        self.default_targets = targets
        self.server_cpu = server_cpu
        self.keep = keep  # outlives this process
        self.state = os.path.join(STATE, self.name)
        self.boxes = [box.name for box in lab_plan.BOXES]
        self._children = []
        self._captures = []

    # -- up and down -----------------------------------------------------------------------------

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *exc):
        self.down()

    def netns(self, role):
        if role not in ("vp", "rt", "srv", "srv0", "path"):
            raise LabError(f"no machine {role!r}; there are vp, rt, srv, srv0 (and path)")
        return f"rs-{self.name}-{role}"

    def up(self):
        if os.geteuid() != 0:
            raise LabError("the lab needs root (it makes network namespaces)")
        for tool in ("ip", "nft", "nginx"):
            if not shutil.which(tool):
                packages = "iproute2 nftables nginx-light"
                raise LabError(f"the lab needs {tool}: apt-get install {packages}")
        remove_orphans()
        if os.path.exists(self.state) or lab_ns.exists(self.netns("vp")):
            raise LabError(f"lab {self.name} is up, or half of it: lab.py down --name {self.name}")
        try:
            os.makedirs(self.state)
            owner = None if self.keep else [os.getpid(), _start_time(os.getpid())]
            with open(os.path.join(self.state, "state.json"), "w", encoding="utf-8") as file:
                json.dump({"owner": owner, "targets": self.default_targets}, file)
            self._machines()
            self._links()
            self._routes()
            self._nft("rt", lab_plan.nft_rules())
            self._serve("srv")
            self._serve("srv0")
        except BaseException:
            self.down()
            raise

    def down(self):
        """Also of a lab that is half up, or that another process has left."""
        for child in self._children:
            if child.poll() is None:
                child.terminate()
        for capture in self._captures:
            capture.stop()
        for role in ("path", "vp", "srv", "srv0", "rt"):
            lab_ns.remove(self.netns(role))
        for child in self._children:
            child.wait()
        self._children, self._captures = [], []
        shutil.rmtree(self.state, ignore_errors=True)

    def _machines(self):
        roles = ["vp", "rt", "srv", "srv0"] + (["path"] if self.paths[0] is not None else [])
        for role in roles:
            lab_ns.run(["ip", "netns", "add", self.netns(role)])
            lab_ns.sysctl(self.netns(role), _COMMON)
            self._ip(role, "link set lo up")
        lab_ns.sysctl(self.netns("rt"), {**_ROUTER, **_ICMP_UNLIMITED})
        lab_ns.sysctl(self.netns("srv"), {**_SERVER, "net/ipv4/tcp_ecn": 2})
        lab_ns.sysctl(self.netns("srv0"), {**_SERVER, "net/ipv4/tcp_ecn": 0})

    def _links(self):
        self._veth("rt", "rt1", "srv", "srv0")
        self._veth("rt", "rt2", "srv0", "srv0")
        if self.paths[0] is None:
            self._veth("vp", "vp0", "rt", "rt0")
        else:
            # No IPv6 of its own on the wire: it would speak of itself.
            lab_ns.sysctl(self.netns("path"), {"net/ipv6/conf/default/disable_ipv6": 1})
            self._veth("vp", "vp0", "path", "pa")
            self._veth("path", "pb", "rt", "rt0")
            for role, name in (("vp", "vp0"), ("path", "pa"), ("path", "pb"), ("rt", "rt0")):
                lab_ns.offloads_off(self.netns(role), name)
            self._forward()
        for host, (net4, net6) in _LINKS.items():
            near = {"vp": "vp0"}.get(host, "srv0")
            far = {"vp": "rt0", "srv": "rt1", "srv0": "rt2"}[host]
            for role, name, last in ((host, near, 2), ("rt", far, 1)):
                self._ip(role, f"addr add {net4}{last}/24 dev {name}")
                self._ip(role, f"addr add {net6}{last}/64 dev {name} nodad")
            self._ip(host, f"route add default via {net4}1", f"-6 route add default via {net6}1")
        for host, far in (("srv", "rt1"), ("srv0", "rt2")):
            self._introduce("rt", far, host, "srv0", _LINKS[host])

    def _introduce(self, role, name, peer_role, peer, nets):
        """Fixed neighbours, for links where nobody measures: while the kernel asks for one it drops
        what is over a hundred packets and lets the others out in a changed order. The vantage
        point's link keeps asking: that is the prober's business."""
        for (role_a, name_a), (role_b, name_b), last in (
            ((role, name), (peer_role, peer), 2),
            ((peer_role, peer), (role, name), 1),
        ):
            mac = self.within(role_b, lab_ns.mac, name_b)
            for net in nets:
                entry = f"{net}{last} lladdr {mac} dev {name_a}"
                self._ip(role_a, f"neigh replace {entry} nud permanent")

    def _routes(self):
        for box in lab_plan.BOXES:
            net4, net6 = _LINKS[box.server]
            for family, via in ((4, f"{net4}2"), (6, f"{net6}2")):
                prefix = lab_plan.prefix(box.name, family)
                self._ip("rt", f"-{family} route add {prefix} via {via}")
                # AnyIP: the whole prefix is this machine's own, without an address for each.
                self._ip(box.server, f"-{family} route add local {prefix} dev lo")

    def _ip(self, role, *commands):
        for command in commands:
            lab_ns.run(["ip", "-n", self.netns(role), *command.split()])

    def _veth(self, role, name, peer_role, peer):
        peer_ns = self.netns(peer_role)
        self._ip(role, f"link add {name} type veth peer name {peer} netns {peer_ns}")
        self._ip(role, f"link set {name} up")
        self._ip(peer_role, f"link set {peer} up")

    def _serve(self, role):
        top = os.path.join(self.state, role)
        for folder in ("www", "tmp"):
            os.makedirs(os.path.join(top, folder))
        with open(os.path.join(top, "www", "index.html"), "w", encoding="ascii") as file:
            # 8 KiB: at least five full-size segments, so that marks on data can be told apart.
            for number in range(128):
                file.write(f"rawspider lab, {role}, line {number} ".ljust(63, ".") + "\n")
        pin = ["taskset", "-c", str(self.server_cpu)] if self.server_cpu is not None else []
        conf = os.path.join(HERE, "lab_nginx.conf")
        log = os.path.join(top, "error.log")
        # nginx goes to the background once it listens, so it serves when this returns.
        nginx = [*pin, "nginx", "-p", top + "/", "-c", conf, "-e", log]
        lab_ns.run(["ip", "netns", "exec", self.netns(role), *nginx], stdin=subprocess.DEVNULL)

    def _nft(self, role, rules):
        lab_ns.run(["ip", "netns", "exec", self.netns(role), "nft", "-f", "-"], input=rules)

    # -- use ------------------------------------------------------------------------------------

    def exec(self, role, argv, **kw):
        """Runs a command on a machine to its end; keywords as subprocess.run's."""
        return subprocess.run(["ip", "netns", "exec", self.netns(role), *map(str, argv)], **kw)

    def popen(self, role, argv, **kw):
        """Starts a command on a machine; it is ended with the lab at the latest."""
        child = subprocess.Popen(["ip", "netns", "exec", self.netns(role), *map(str, argv)], **kw)
        self._children.append(child)
        return child

    def within(self, role, function, *args):
        """Calls a Python function on a machine, e.g. to open a socket there, which stays there."""
        return lab_ns.within(self.netns(role), function, *args)

    def sysctl(self, role, settings):
        """Sets {"net/ipv4/tcp_ecn": 1} on a machine."""
        lab_ns.sysctl(self.netns(role), settings)

    def capture(self, role, interface, file, filter="", immediate=True):
        """A tcpdump that listens already; stop() it before reading the file."""
        capture = lab_ns.Capture(self.netns(role), interface, file, filter, immediate)
        self._captures.append(capture)
        return capture

    def targets(self, box, n, family=None):
        """n job lines (dictionaries) of a box in one family, or n in each of both."""
        return lab_plan.targets(box, n, family)

    def expected(self, box):
        """(base, details): exactly these base conditions, at least these details."""
        return lab_plan.expected(box)

    def vantage_firewall(self, kind):
        """The stateful host firewall of many servers, which rejects what belongs to no connection
        it knows, by "rst" or by "icmp"; None takes it away. Packets sent by AF_PACKET are not
        known to it, those through the host's routing are."""
        if kind is None:
            self._nft("vp", "table inet firewall\ndelete table inet firewall\n")
            return
        how = {"rst": "tcp reset", "icmp": "icmpx admin-prohibited"}[kind]
        # Every error shall leave, or the test would see only the few that the limit lets through.
        lab_ns.sysctl(self.netns("vp"), _ICMP_UNLIMITED)
        self._nft(
            "vp",
            "table inet firewall\ndelete table inet firewall\n"
            "table inet firewall {\n\tchain input {\n"
            "\t\ttype filter hook input priority filter; policy accept;\n"
            f"\t\tmeta l4proto tcp ct state invalid counter reject with {how}\n"
            "\t}\n}\n",
        )
        # Else a data segment without a handshake would start a "connection" and be let in.
        lab_ns.sysctl(self.netns("vp"), {"net/netfilter/nf_conntrack_tcp_loose": 0})

    # -- the impairing forwarder -------------------------------------------------------------------

    def _forward(self):
        program = os.environ.get("RAWSPIDER_PATH", FORWARDER)
        if not os.access(program, os.X_OK):
            raise LabError(f"{os.path.normpath(program)} is missing: make it first")
        argv = ["ip", "netns", "exec", self.netns("path"), program, "--a", "pa", "--b", "pb"]
        argv += ["--ab", self.paths[0], "--ba", self.paths[1] or "", "--seed", str(self.seed)]
        out, err = (os.path.join(self.state, f"path.{kind}") for kind in ("out", "err"))
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            # A session of its own: Ctrl-C is for the lab, which then ends the forwarder.
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        self._children.append(child)
        with open(os.path.join(self.state, "path.pid"), "w", encoding="ascii") as file:
            file.write(str(child.pid))
        while "forwarding" not in _read(err):
            if child.poll() is not None:
                raise LabError(f"rawspider-path: {_read(err).strip()}")
            time.sleep(0.01)

    def path_report(self):
        """What the forwarder has done so far: {"ab": {...}, "ba": {...}}, ab to the servers."""
        out = os.path.join(self.state, "path.out")
        before = _read(out).count("\n")
        try:
            os.kill(int(_read(os.path.join(self.state, "path.pid"))), signal.SIGUSR1)
        except FileNotFoundError:
            raise LabError(f"lab {self.name} has no forwarder") from None
        until = time.monotonic() + 5
        while _read(out).count("\n") < before + 2:
            if time.monotonic() > until:
                raise LabError("rawspider-path gives no report")
            time.sleep(0.005)
        return {line["dir"]: line for line in map(json.loads, _read(out).splitlines()[-2:])}


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def _start_time(pid):
    """With the pid this names a process for good. None if there is no such process."""
    try:
        return _read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def remove_orphans():
    """Takes down labs whose process died without doing so (SIGKILL)."""
    for name in os.listdir(STATE) if os.path.isdir(STATE) else []:
        try:
            owner = json.loads(_read(os.path.join(STATE, name, "state.json")))["owner"]
        except (OSError, ValueError):
            continue  # being made or taken down at this moment
        if owner and _start_time(owner[0]) != owner[1]:
            Lab(name).down()


# -- the program ---------------------------------------------------------------------------------


def _command_up(args):
    path = args.path
    if args.path_forward is not None or args.path_reverse is not None:
        path = (args.path_forward or args.path or "", args.path_reverse or args.path or "")
    Lab(args.name, path, args.seed, args.targets, args.server_cpu, keep=True).up()
    text = f"lab {args.name} is up: interface vp0 with {VP4} and {VP6} on machine vp"
    print(text, file=sys.stderr)


def _command_down(args):
    Lab(args.name).down()
    remove_orphans()


def _command_exec(args):
    argv = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    netns = Lab(args.name).netns(args.machine)
    if not argv or not lab_ns.exists(netns):
        raise LabError("exec: no command" if not argv else f"lab {args.name} is not up")
    os.execvp("ip", ["ip", "netns", "exec", netns, *argv])


def _command_targets(args):
    count = args.count
    if count is None:
        try:
            state = json.loads(_read(os.path.join(STATE, args.name, "state.json")))
            count = state["targets"]
        except OSError:
            count = 4
    for box in [args.box] if args.box else [box.name for box in lab_plan.BOXES]:
        for target in lab_plan.targets(box, count, args.family):
            print(json.dumps(target, separators=(",", ":")))


def _command_boxes(_):
    listing = [
        {
            "box": box.name,
            "about": box.about,
            "prefixes": [str(lab_plan.prefix(box.name, family)) for family in (4, 6)],
            "base": sorted(box.base),
            "details": sorted(box.details),
        }
        for box in lab_plan.BOXES
    ]
    print(json.dumps(listing, indent=2))


def _command_report(args):
    for line in Lab(args.name).path_report().values():
        print(json.dumps(line))


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, function, about):
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(function=function)
        sub.add_argument("--name", default="lab", help="which lab (lab)")
        return sub

    up = command("up", _command_up, "raise a lab, which stays until it is taken down")
    up.add_argument("--path", metavar="SPEC", help="impair both ways: loss=2,reorder=10,delay=50")
    up.add_argument("--path-forward", metavar="SPEC", help="towards the servers instead")
    up.add_argument("--path-reverse", metavar="SPEC", help="towards the vantage point instead")
    up.add_argument("--seed", type=int, default=1, help="of the impairments (1)")
    up.add_argument("--targets", type=int, default=4, metavar="N", help="for `targets` (4)")
    up.add_argument("--server-cpu", metavar="CPUS", help="pin nginx to these processors")
    command("down", _command_down, "take it down, also what is left of a broken one")
    execute = command("exec", _command_exec, "run a command on a machine of the lab")
    execute.add_argument("machine", choices=("vp", "rt", "srv", "srv0", "path"))
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    targets = command("targets", _command_targets, "print job lines (NDJSON); needs no lab")
    targets.add_argument("--box", help="of this box (all)")
    targets.add_argument("--family", type=int, choices=(4, 6), help="of this family (both)")
    targets.add_argument("--count", type=int, help="so many per box and family")
    command("boxes", _command_boxes, "print the boxes and what to expect of them (JSON)")
    command("report", _command_report, "print what the impairing forwarder has done")
    return parser


def main():
    args = _parser().parse_args()
    try:
        args.function(args)
    except (LabError, ValueError, OSError) as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
