# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain lists, shards, duplicates, the time limit and the order of targets: what comes out of a run,
and that each target of each of them has exactly one record."""

import json
import os
import re
import subprocess
import time

import pytest

import measure as m
from measure import INCOMPLETE, LIMIT, NONE, base, command, measure, start

LIST = b"""# addresses of the lab, both families

198.18.0.5/30   # four: bits behind the prefix do not count
2001:2::1\r
nonsense # a slip
198.18.0.9-198.18.0.10
"""
DIPS = ["198.18.0.4", "198.18.0.5", "198.18.0.6", "198.18.0.7", "2001:2::1", None, "198.18.0.9",
        "198.18.0.10"]  # fmt: skip


def by_line(outcome):
    return sorted(outcome.records, key=lambda r: r["line"])


def classified(file):
    argv = [m.PROGRAM, "classify", "ecn", file]
    done = subprocess.run(argv, capture_output=True, timeout=m.PATIENCE, check=True)
    return done.stdout


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--list-input"]])
def test_list(lab, folder, options):
    file = os.path.join(folder, "out.pcap")
    outcome = measure(lab, LIST, "--pcap-out", file, *options).check()
    records = by_line(outcome)
    assert [r["line"] for r in records] == list(range(1, 9))
    assert [r.get("dip") for r in records] == DIPS
    for record in records:
        if record["line"] == 6:
            assert record["conditions"] == ["measure.invalid_input"]
            assert record["in_raw"] == "nonsense # a slip"
            assert record["problem"].startswith('line 5: "nonsense" is a name; expected')
            assert f"rawspider: {record['problem']}" in outcome.err
        else:
            assert base(record) == NONE
    good = [line for line in outcome.lines if b"in_raw" not in line]
    assert all(line.startswith(b'{"dip":"') for line in good)
    assert classified(file) == outcome.out


def test_list_from_a_pipe_in_pieces(lab):
    run = start(lab, None, "--timeout", "2")
    pipe = run.process.stdin
    pipe.write(b"# later\n198.18.0.1\n198.18.")
    pipe.flush()
    assert json.loads(run.process.stdout.readline())["dip"] == "198.18.0.1"
    pipe.write(b"0.2")
    pipe.flush()
    record = run.finish().check().records[0]
    assert (record["dip"], record["line"]) == ("198.18.0.2", 2)


def test_ndjson_is_no_list(lab):
    outcome = measure(lab, ['{"dip":"198.18.0.1"}'], "--list-input").check()
    assert outcome.records[0]["conditions"] == ["measure.invalid_input"]
    csv = measure(lab, b"198.18.0.1,80\n").check()  # neither: it is not guessed
    assert csv.records[0]["conditions"] == ["measure.invalid_input"]
    assert "--csv-input" in csv.err


def test_wide_prefixes_want_a_limit(lab):
    outcome = measure(lab, b"2001:2::/48\n0.0.0.0/0\n198.18.0.1\n").check()
    records = by_line(outcome)
    assert [r["conditions"][0] for r in records[:2]] == ["measure.invalid_input"] * 2
    assert "line 1: " in outcome.err and "/96 or longer" in outcome.err
    assert "line 2: " in outcome.err and "every IPv4 address" in outcome.err
    assert base(records[2]) == NONE
    outcome = measure(lab, b"2001:2::/48\n", "-n", "3").check(LIMIT)
    assert [r["dip"] for r in by_line(outcome)] == ["2001:2::", "2001:2::1", "2001:2::2"]


def test_filter_takes_lists(lab):
    outcome = command(lab, "filter", "-b", "none", "--dp", "8080", jobs=LIST).check()
    assert [r["dip"] for r in outcome.records] == [dip for dip in DIPS if dip]
    assert outcome.lines[0] == b'{"dip":"198.18.0.4","dp":8080}'
    assert "line 5: " in outcome.err
    json_lines = b'{"dip":"198.18.0.1"}\n'
    forced = command(lab, "filter", "-b", "none", "--list-input", jobs=json_lines).check()
    assert forced.out == b"" and "line 1: " in forced.err


# -- shards ----------------------------------------------------------------------------------------


def test_shards_cover_everything_once(lab, folder):
    jobs = b"198.18.0.0/26\nslip\n2001:2::/122\n"  # 129 lines in all
    meta = os.path.join(folder, "meta")
    seen = []
    for shard in range(3):
        options = ["--shards", "3", "--shard", str(shard), "-r", "0", "-m", meta]
        outcome = measure(lab, jobs, *options).check()
        lines = [r["line"] for r in outcome.records]
        assert 25 < len(lines) < 61
        with open(meta, encoding="utf-8") as file:
            counts = json.load(file)
        assert (counts["shard_num"], counts["total_shards"]) == (shard, 3)
        assert counts["lines"] == counts["records"] == len(lines)
        seen += [(r["line"], r.get("dip")) for r in outcome.records]
    seen.sort()
    assert [line for line, _ in seen] == list(range(1, 130))
    assert sum(dip is None for _, dip in seen) == 1 and seen[64][1] is None


# -- duplicates ------------------------------------------------------------------------------------

TWICE = [
    {"dip": "198.18.0.1"}, {"dip": "198.18.0.1", "dp": 80, "id": 2},
    {"dip": "198.18.0.1", "domain": "A.test"}, {"dip": "198.18.0.1", "domain": "a.TEST", "id": 4},
    {"dip": "2001:2::1"}, {"dip": "2001:2:0::1", "id": 6}, "slip", "slip",
    {"dip": "198.18.0.2"}, {"dip": "198.18.0.2"},
]  # fmt: skip


def test_duplicates(lab, folder):
    file, meta = os.path.join(folder, "out.pcap"), os.path.join(folder, "meta")
    outcome = measure(lab, TWICE, "--dedup", "--pcap-out", file, "-m", meta).check()
    records = by_line(outcome)
    first = {2: 1, 4: 3, 6: 5, 10: 9}
    assert len(records) == len(TWICE)
    for record in records:
        line = record["line"]
        if line in first:
            assert record["conditions"] == [f"measure.duplicate_of:{first[line]}"]
            assert f"line {first[line]}" in record["problem"]
            assert record.get("id", line) == line
        elif line in (7, 8):
            assert record["conditions"] == ["measure.invalid_input"]
        else:
            assert base(record) == NONE
    with open(meta, encoding="utf-8") as stream:
        counts = json.load(stream)
    assert (counts["duplicates"], counts["targets_scanned"], counts["records"]) == (4, 4, 10)
    assert classified(file) == outcome.out
    all_measured = measure(lab, TWICE).check()
    assert sum(base(r) == NONE for r in all_measured.records) == 8


def test_more_than_can_be_remembered(lab):
    jobs = [{"dip": f"198.18.0.{n}"} for n in (1, 2, 1, 3, 3, 2)]
    outcome = measure(lab, jobs, "--dedup-most", "2").check()
    conditions = [r["conditions"][0] for r in by_line(outcome)]
    assert conditions[2] == "measure.duplicate_of:1" and conditions[5] == "measure.duplicate_of:2"
    assert sum("duplicate" in c for c in conditions) == 2
    assert outcome.err.count("2 targets are remembered") == 1 and "line 4" in outcome.err


# -- time ------------------------------------------------------------------------------------------


def test_time_limit_finishes_what_is_in_flight(lab):
    """One that needs confirmation began before it: its verdict is whole. The others did not begin."""
    jobs = lab.targets("syn_rst", 1, 4) + lab.targets("none", 400, 4)
    options = ["-t", "1", "-r", "60", "--window", "1", "-w", "200", "--confirm-delay", "1"]
    began = time.monotonic()
    outcome = measure(lab, jobs, *options).check(LIMIT)
    assert time.monotonic() - began < 30
    records = by_line(outcome)
    assert "ecn.connectivity.broken" in records[0]["conditions"]
    assert [r["line"] for r in records] == list(range(1, len(records) + 1))
    begun = [r for r in records[1:] if r["sip"] is not None]
    assert len(records) < 401 and 0 < len(begun) < 100
    assert all(base(r) == NONE for r in begun)
    for record in records:
        if record["sip"] is None:
            assert set(record["conditions"]) == INCOMPLETE and "(-t)" in record["problem"]


def test_time_limit_and_the_window(lab, folder):
    """All lines were read ahead, so all have a record."""
    file = os.path.join(folder, "out.pcap")
    jobs = lab.targets("none", 600, 4)
    options = ["-t", "1", "-r", "60", "-w", "50", "--pcap-out", file]
    outcome = measure(lab, jobs, *options).check(LIMIT)
    assert sorted(r["line"] for r in outcome.records) == list(range(1, 601))
    assert 0 < sum(base(r) == NONE for r in outcome.records) < 150
    assert classified(file) == outcome.out


@pytest.mark.parametrize("threads", [1, 2])
def test_time_limit_when_all_was_read(lab, threads):
    """The list fits into -w and the window: nothing is left to read, much is left to begin."""
    jobs = lab.targets("none", 300, 4)
    began = time.monotonic()
    outcome = measure(lab, jobs, "-t", "1", "-r", "60", "--threads", threads).check(LIMIT)
    assert time.monotonic() - began < 15
    assert [r["line"] for r in by_line(outcome)] == list(range(1, 301))
    away = [r for r in outcome.records if "(-t)" in r.get("problem", "")]
    assert 200 < len(away) < 300


def test_time_limit_does_not_wait_for_a_networks_share(lab):
    """All in one /24, at one target in eight seconds."""
    jobs = lab.targets("none", 40, 4)
    options = ["-t", "2", "--prefix-rate", "1", "-r", "0"]
    began = time.monotonic()
    outcome = measure(lab, jobs, *options).check(LIMIT)
    assert time.monotonic() - began < 15
    assert [r["line"] for r in by_line(outcome)] == list(range(1, 41))
    assert sum("(-t)" in r.get("problem", "") for r in outcome.records) > 30


def test_time_limit_that_is_not_reached(lab):
    assert len(measure(lab, lab.targets("none", 3), "-t", "60").check().records) == 6


def test_time_limit_of_an_idle_pipe(lab):
    run = start(lab, None, "-t", "1.5")
    run.process.stdin.write(b"198.18.0.1\n")
    run.process.stdin.flush()
    assert base(json.loads(run.process.stdout.readline())) == NONE
    run.process.wait(20)  # although the pipe is open
    assert run.process.returncode == LIMIT
    run.finish()


# -- order -----------------------------------------------------------------------------------------


def dry(lab, jobs, *options):
    """Addresses in the order in which they would be measured."""
    out = measure(lab, jobs, "--dryrun", *options).check().out.decode()
    found = re.findall(r"^192\.0\.2\.2:\d+ > (198\.18\.\d+\.\d+):", out, re.MULTILINE)
    assert len(found) == 2 * len(set(found)), out[:300]
    return found[::2]


def test_order_is_random_and_repeatable(lab):
    jobs = b"198.18.0.0/22\n"
    ordered = dry(lab, jobs, "--window", "1")
    assert ordered == [f"198.18.{n >> 8}.{n & 255}" for n in range(1024)]
    first = dry(lab, jobs, "--seed", "7")
    assert sorted(first) == sorted(ordered) and first != ordered
    assert first == dry(lab, jobs, "--seed", "7") != dry(lab, jobs, "--seed", "8")
    neighbours = sum(a.split(".")[2] == b.split(".")[2] for a, b in zip(first, first[1:]))
    assert neighbours < 400  # of 1023, where all but three were


def test_stopped_with_a_window_full(lab):
    """Each line that was read has a record, the second signal notwithstanding."""
    jobs = lab.targets("silent", 250, 4)
    run = start(lab, jobs, "-w", "10", "--timeout", "60", "-r", "0")
    time.sleep(1.5)
    run.signal()
    time.sleep(0.3)
    run.signal()
    outcome = run.finish().check(130)
    assert sorted(r["line"] for r in outcome.records) == list(range(1, 251))
    assert all(set(r["conditions"]) == INCOMPLETE for r in outcome.records)


# -- memory ----------------------------------------------------------------------------------------


def resident(lab, folder, prefix, *options):
    """Peak of a dry run over a prefix of the list form, in kilobytes."""
    path = os.path.join(folder, "list")
    with open(path, "w", encoding="ascii") as file:
        first = int(prefix.split("/")[1])
        file.writelines(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(1 << 32 - first))
    script = ("import resource, subprocess, sys\n"
              "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")  # fmt: skip
    argv = ["measure", "-i", "vp0", "-b", "none", "--dryrun", "--input", path, *options, "ecn"]
    # The sanitizer keeps what was freed, up to so much.
    env = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}
    out = lab.exec("vp", ["python3", "-c", script, m.PROGRAM, *argv], capture_output=True, env=env)
    assert out.returncode == 0, out.stderr
    return int(out.stdout)


def test_memory_does_not_grow_with_the_input(lab, folder):
    options = ["--window", "2000"]
    few = resident(lab, folder, "10.0.0.0/18", *options)
    many = resident(lab, folder, "10.0.0.0/14", *options)
    assert many < few * 1.05, (few, many)


# -- command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words,say", [
    (["--shards", "0"], "--shards"), (["--shard", "1"], "--shard 1: expected 0 to 0"),
    (["--shards", "4", "--shard", "4"], "--shard 4: expected 0 to 3"),
    (["--shard", "-1"], "--shard"), (["-t", "0"], "--max-runtime"), (["-t", "soon"], "--max-runtime"),
    (["--dedup-most", "0"], "--dedup-most"), (["--window", "many"], "--window"),
    (["--csv-input", "--list-input"], "--csv-input and --list-input"),
])  # fmt: skip
def test_usage(lab, words, say):
    outcome = command(lab, "measure", *words, "ecn").check(2)
    assert outcome.out == b"" and say in outcome.err
