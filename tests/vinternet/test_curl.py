# SPDX-License-Identifier: GPL-3.0-or-later
"""curl over this kernel's TCP gets its page from every class that answers: both families, with and
without ECN asked for, without and with loss, short pages and long ones."""

import concurrent.futures
import json
import subprocess

import pytest

import net

# What an ordinary connection never gets through.
DEAD = {"silent", "closed", "icmp_all", "no_data"}
# What only one of the two kinds of SYN gets through: Linux tries again without ECN after silence,
# but not after a RST or an ICMP error.
DEAD_WITH_ECN = {"syn_rst_host", "syn_rst_path", "syn_icmp", "hs_then_rst"}
DEAD_WITHOUT = {"plain_drop"}
# ... and takes a SYN that was lost for such silence.
DEAD_WITH_ECN_AND_LOSS = {"plain_drop"}
# (bytes of body, percent of loss each way)
LINKS = {"short": (300, 0), "long": (200000, 0), "short, loss": (300, 3), "long, loss": (60000, 3)}


def _curl(place, url):
    argv = ["curl", "-g", "-s", "-S", "-m", "60", "-o", "/dev/null"]
    argv += ["-w", "%{http_code} %{size_download}", url]
    done = subprocess.run(place.argv("vp", argv), capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr.strip()}"


def _urls(dead):
    for name in net.classes():
        if name not in dead:
            for line in net.targets(4, name).splitlines():
                dip = json.loads(line)["dip"]
                yield name, f"http://[{dip}]/" if ":" in dip else f"http://{dip}/"


def _ask_all(place, dead):
    urls = list(_urls(dead))
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        return dict(zip(urls, pool.map(lambda url: _curl(place, url[1]), urls)))


@pytest.mark.parametrize("ecn", [0, 1], ids=["no ECN", "ECN"])
@pytest.mark.parametrize("link", LINKS)
def test_every_answering_class_completes(link, ecn):
    body, loss = LINKS[link]
    dead = DEAD | (DEAD_WITH_ECN if ecn else DEAD_WITHOUT)
    dead |= DEAD_WITH_ECN_AND_LOSS if ecn and loss else set()
    with net.Internet("--body", body, "--loss-in", loss, "--loss-out", loss) as internet:
        internet.sysctl("vp", {"net/ipv4/tcp_ecn": ecn})
        got = _ask_all(internet, dead)
        counters = internet.stop()
    assert {key: said for key, said in got.items() if said != f"200 {body}"} == {}
    assert len(got) == 4 * (len(net.classes()) - len(dead))
    assert counters["bad_checksum"] == counters["malformed"] == counters["table_full"] == 0
    if loss:
        assert counters["lost_in"] and counters["lost_out"]


def test_the_others_do_not():
    with net.Internet() as internet:
        for name in ("silent", "closed", "icmp_all", "no_data"):
            line = json.loads(net.targets(1, name, 4))
            argv = ["curl", "-s", "-m", "2", f"http://{line['dip']}/"]
            done = subprocess.run(internet.argv("vp", argv), capture_output=True, check=False)
            assert done.returncode != 0, name
