# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad target lists: each line gives a record that says why, each problem a message with its line,
and the run goes on (exit 0) or says what stopped it."""

import gzip
import json
import os

import pytest

from measure import LIMIT, LOST, NONE, as_input, base, measure, start

GOOD = '{"dip":"198.18.0.1","dp":80}'
MIB = 1 << 20
# A line, and words of its problem.
BAD_LINES = {
    "truncated JSON": ('{"dip":"198.18.0.1"', "malformed JSON"),
    "no object": ("[1, 2]", "not a JSON object"),
    "words": ("hello", "--csv-input"),
    "two objects": (GOOD + GOOD, "malformed JSON"),
    "no dip": ('{"domain":"example.org"}', 'no "dip"'),
    "dip a number": ('{"dip":198}', "dip is a number"),
    "dip empty": ('{"dip":""}', "dip is empty"),
    "dip no address": ('{"dip":"198.18.0.256"}', "cannot be read"),
    "dip with a port": ('{"dip":"198.18.0.1:80"}', "cannot be read"),
    "dip in brackets": ('{"dip":"[2001:2::1]"}', "without brackets"),
    "dip a prefix": ('{"dip":"198.18.0.0/24"}', "is a prefix"),
    "a name": ('{"dip":"www.example.org"}', "is a name"),
    "multicast": ('{"dip":"224.0.0.1"}', "multicast"),
    "broadcast": ('{"dip":"255.255.255.255"}', "broadcast"),
    "unspecified": ('{"dip":"::"}', "unspecified"),
    "port too high": ('{"dip":"198.18.0.1","dp":65536}', "1 to 65535"),
    "port zero": ('{"dip":"198.18.0.1","dp":0}', "1 to 65535"),
    "port below zero": ('{"dip":"198.18.0.1","dp":-1}', "1 to 65535"),
    "port a fraction": ('{"dip":"198.18.0.1","dp":80.5}', "1 to 65535"),
    "port a word": ('{"dip":"198.18.0.1","dp":"http"}', "1 to 65535"),
    "port an array": ('{"dip":"198.18.0.1","dp":[80]}', "1 to 65535"),
    "domain a number": ('{"dip":"198.18.0.1","domain":7}', "domain is a number"),
    "domain injects": ('{"dip":"198.18.0.1","domain":"a\\r\\nX: y"}', "control character"),
    "domain too long": ('{"dip":"198.18.0.1","domain":"%s"}' % ("a" * 255), "255 bytes"),
    "NUL bytes": ('{"dip":"198.18\0.0.1"}', "NUL"),
    "binary": (bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b""), "not a JSON object"),
    "not UTF-8": (b'{"dip":"198.18.0.1","x":"\xff\xfe"}', "malformed JSON"),
    "too long": ('{"dip":"198.18.0.1","x":"%s"}' % ("y" * MIB), "longer than 1048576"),
    "nested deeply": ('{"dip":"198.18.0.1","x":%s1%s}' % ("[" * 5000, "]" * 5000), "malformed"),
}


@pytest.fixture(scope="module")
def bad(lab):
    """All bad lines in one run, good ones between them."""
    lines = []
    for line, _ in BAD_LINES.values():
        lines += [line, GOOD]
    return measure(lab, lines, "-r", "0", "-v").check()


@pytest.mark.parametrize("number,name", enumerate(BAD_LINES), ids=list(BAD_LINES))
def test_bad_line(bad, number, name):
    line, words = BAD_LINES[name]
    number = 2 * number + 1
    record = next(r for r in bad.records if r["line"] == number)
    assert record["conditions"] == ["measure.invalid_input"]
    assert record["problem"].startswith(f"line {number}: ") and words in record["problem"]
    assert f"rawspider: {record['problem']}" in bad.err.splitlines()
    raw = line if isinstance(line, bytes) else line.encode()
    if "in_raw" in record:
        kept = raw[:4096].decode("utf-8", "replace")[:30]
        assert record["in_raw"][:30] == kept or name in ("binary", "not UTF-8")
    else:
        assert json.loads(raw).items() <= record.items()


def test_good_lines_between_bad_ones(bad):
    records = bad.records
    assert sorted(r["line"] for r in records) == list(range(1, 2 * len(BAD_LINES) + 1))
    good = [r for r in records if r["line"] % 2 == 0]
    assert len(good) == len(BAD_LINES) and all(base(r) == NONE for r in good)


def test_a_long_line_that_is_just_allowed(lab):
    line = '{"dip":"198.18.0.1","x":"%s"}' % ("y" * (MIB - 28))
    assert MIB - 8 < len(line) <= MIB
    outcome = measure(lab, [line]).check()
    assert base(outcome.records[0]) == NONE and outcome.lines[0].startswith(line[:-1].encode())


def test_many_problems_do_not_flood_the_terminal(lab):
    outcome = measure(lab, ["x"] * 500).check()
    assert len(outcome.records) == 500 and len(outcome.err.splitlines()) < 30
    assert "left out" in outcome.err


@pytest.mark.parametrize("data", [b"", b"\n\n \r\n", b"\xef\xbb\xbf"], ids=repr)
def test_nothing_to_measure(lab, data):
    outcome = measure(lab, data).check()
    assert outcome.out == b"" and "Error" not in outcome.err


def test_last_line_without_newline_and_windows_line_ends(lab):
    outcome = measure(lab, (GOOD + "\r\n\r\n" + GOOD).encode()).check()
    assert sorted(r["line"] for r in outcome.records) == [1, 3]
    assert all(base(r) == NONE for r in outcome.records)


def test_family_without_a_source_address(lab):
    """IPv6 targets on a vantage point with IPv4 only: each record says so, IPv4 is measured."""
    lab.sysctl("vp", {"net/ipv6/conf/vp0/disable_ipv6": 1})
    try:
        outcome = measure(lab, lab.targets("none", 3)).check()
    finally:
        lab.sysctl("vp", {"net/ipv6/conf/vp0/disable_ipv6": 0})
        lab.exec("vp", ["ip", "addr", "add", "2001:db8:1::2/64", "dev", "vp0", "nodad"])
        lab.exec("vp", ["ip", "-6", "route", "add", "default", "via", "2001:db8:1::1"])
    assert len(outcome.records) == 6
    for record in outcome.records:
        if ":" in record["dip"]:
            assert set(record["conditions"]) == {
                "measure.incomplete:plain", "measure.incomplete:ecn",
            }  # fmt: skip
            assert "route" in record["problem"] or "source" in record["problem"]
            assert record["sip"] is None and len(record["path"]) >= 2
        else:
            assert base(record) == NONE
    assert all(base(r) == NONE for r in measure(lab, lab.targets("none", 1)).check().records)


# -- the blocklist ---------------------------------------------------------------------------------


def test_blocked_targets_get_a_record(lab, folder):
    path = os.path.join(folder, "list")
    with open(path, "w", encoding="ascii") as file:
        file.write("# who asked us to stop\n198.18.0.2/31 # a comment\n2001:2::2-2001:2::9\n")
    outcome = measure(lab, lab.targets("none", 4), blocklist=path).check()
    blocked = {r["dip"]: r for r in outcome.records if r["conditions"] == ["measure.blocked"]}
    assert set(blocked) == {"198.18.0.2", "198.18.0.3", "2001:2::2", "2001:2::3", "2001:2::4"}
    assert "198.18.0.2 is on the blocklist: " in blocked["198.18.0.2"]["problem"]
    assert len(outcome.records) == 8
    assert sum(base(r) == NONE for r in outcome.records) == 3


def test_special_addresses_are_blocked_by_default(lab):
    """All of the lab is: it uses ranges that belong to nobody."""
    outcome = measure(lab, lab.targets("none", 2) + ['{"dip":"10.1.2.3"}'], blocklist=None).check()
    assert [r["conditions"] for r in outcome.records] == [["measure.blocked"]] * 5
    assert "RFC 2544" in outcome.records[0]["problem"]
    assert "--contact" in outcome.err


@pytest.mark.parametrize("text,words", [
    (None, "nowhere"), ("www.example.org\n", "is a name"), ("1.2.3.4/33\n", "0 to 32"),
    ("\n\n2.0.0.0-1.0.0.0", ":3"),
])  # fmt: skip
def test_unreadable_blocklist(lab, folder, text, words):
    path = os.path.join(folder, "nowhere" if text is None else "list")
    if text is not None:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    outcome = measure(lab, lab.targets("none", 1), blocklist=path)
    assert outcome.code == 1 and outcome.out == b""
    assert path in outcome.err and words in outcome.err


# -- other forms of input --------------------------------------------------------------------------

CSV = {
    "dip,dp,domain,rank": "198.18.0.1,80,example.org,7\n2001:2::1,80,example.org,8\n",
    "dip,dp,domain": "198.18.0.1,80,example.org\n",
    "dip,dp": "198.18.0.1,80\n",
    "dip": "198.18.0.1\n2001:2::1\n",
    "header": "dip,dp,domain\n198.18.0.1,80,example.org\n",
    "quoted": '"198.18.0.1","80","example.org"\r\n',
}


@pytest.mark.parametrize("form", CSV)
def test_csv(lab, form):
    outcome = measure(lab, CSV[form].encode(), "--csv-input").check()
    wanted = [line for line in CSV[form].splitlines() if "198" in line or "2001" in line]
    assert len(outcome.records) == len(wanted)
    for record in outcome.records:
        assert base(record) == NONE and record["dip"] in ("198.18.0.1", "2001:2::1")
        if "rank" in form:
            assert (record["dp"], record["rank"]) == (80, {"1": "7", "2": "8"}[str(record["line"])])


def test_csv_rows_that_are_wrong(lab):
    lines = [b"198.18.0.1,80", b"198.18.0.2,http", b'"198.18.0.3', b"a,b,c,d,e", b"\xff,80"]
    outcome = measure(lab, lines, "--csv-input").check()
    assert [r["conditions"][0] for r in sorted(outcome.records, key=lambda r: r["line"])] == [
        "ecn.connectivity.works", *["measure.invalid_input"] * 4,
    ]  # fmt: skip
    assert all(f"line {n}: " in outcome.err for n in (2, 3, 4, 5))


def test_csv_of_rank_and_domain_has_no_addresses(lab):
    outcome = measure(lab, b"1,example.org\n2,example.com\n", "--csv-input").check(1)
    assert outcome.out == b"" and "line 1" in outcome.err
    assert "rank,domain" in outcome.err and "resolve" in outcome.err


def test_gzip(lab, folder):
    jobs = lab.targets("none", 10)
    path = os.path.join(folder, "targets.gz")
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(job) + "\n" for job in jobs)
    outcome = measure(lab, b"", "--input", path).check()
    assert sorted(r["dip"] for r in outcome.records) == sorted(job["dip"] for job in jobs)
    with open(path, "rb") as file:
        data = file.read()
    piped = measure(lab, data).check(1)
    assert piped.out == b"" and "gzip" in piped.err and "zcat" in piped.err


def test_damaged_gzip(lab, folder):
    """What can be read is measured; that there was more is told, and the exit code says so."""
    path = os.path.join(folder, "targets.gz")
    jobs = [{**job, "id": os.urandom(300).hex()} for job in lab.targets("none", 400, 4)]
    data = gzip.compress(as_input(jobs))
    with open(path, "wb") as file:
        file.write(data[: len(data) // 2])
    outcome = measure(lab, b"", "--input", path, "-r", "0").check(LOST)
    assert path in outcome.err and "damaged" in outcome.err
    lines = sorted(r["line"] for r in outcome.records)
    assert lines == list(range(1, len(lines) + 1)) and len(lines) > 100


@pytest.mark.parametrize("name,words", [("missing", "missing"), (".", "directory")])
def test_input_that_is_none(lab, folder, name, words):
    outcome = measure(lab, b"", "--input", os.path.join(folder, name))
    assert outcome.code == 1 and words in outcome.err and outcome.out == b""


def test_limit(lab):
    jobs = lab.targets("none", 5)
    outcome = measure(lab, jobs, "-n", "3").check(LIMIT)
    assert [r["line"] for r in sorted(outcome.records, key=lambda r: r["line"])] == [1, 2, 3]


def test_limit_that_is_not_reached(lab):
    assert len(measure(lab, lab.targets("none", 2), "-n", "5").check().records) == 4


def test_a_pipe_that_comes_in_pieces(lab):
    """Records leave while the pipe is still open; half a line waits for its other half."""
    run = start(lab, None, "--timeout", "2")
    pipe = run.process.stdin
    line = GOOD.encode() + b"\n"
    pipe.write(line + line[:10])
    pipe.flush()
    first = run.process.stdout.readline()
    assert json.loads(first)["line"] == 1
    pipe.write(line[10:])
    pipe.flush()
    assert json.loads(run.process.stdout.readline())["line"] == 2
    outcome = run.finish().check()
    assert outcome.out == b""
