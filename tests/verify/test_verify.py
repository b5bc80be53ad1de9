# SPDX-License-Identifier: GPL-3.0-or-later
"""rawspider verify: the project's own fixtures, and what the runner says of wrong ones. The program
is the sanitizer build, or what RAWSPIDER names."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", ".."))
PROGRAM = os.environ.get("RAWSPIDER", os.path.join(TOP, "build-san", "rawspider"))
FIXTURES = os.path.join(TOP, "tests", "pcap-fixtures")
REFLECTED = "ecn/ecn_reflected_ipv4"
MSS = "chains/mss_both_ipv6"


class Result:
    """lines: of standard output; results: {name: passed}; notes: {name: what stands below it}."""

    def __init__(self, done):
        self.code, self.err = done.returncode, done.stderr
        self.lines = done.stdout.splitlines()
        self.results, self.notes = {}, {}
        name = None
        for line in self.lines:
            found = re.fullmatch(r"(not )?ok \d+ - (.*)", line)
            if found:
                name = found.group(2)
                self.results[name] = found.group(1) is None
                self.notes[name] = []
            elif line.startswith("# ") and name and line is not self.lines[-1]:
                self.notes[name].append(line[2:])

    @property
    def failed(self):
        return sorted(name for name, passed in self.results.items() if not passed)


def verify(*argv, env=None):
    done = subprocess.run(
        [PROGRAM, "verify", *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert not re.search(r"Sanitizer|runtime error:", done.stderr), done.stderr
    return Result(done)


@pytest.fixture
def copy(tmp_path):
    """A folder with two fixtures in folders below it."""
    for name in (REFLECTED, MSS):
        os.makedirs(tmp_path / os.path.dirname(name))
        for end in (".pcap", ".expect"):
            shutil.copy(os.path.join(FIXTURES, name + end), tmp_path / (name + end))
    return tmp_path


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_all_fixtures_pass_and_reach_every_condition():
    result = verify("--unreached", FIXTURES)
    assert (result.code, result.err, result.failed) == (0, "", [])
    captures = [
        os.path.relpath(os.path.join(folder, file), FIXTURES)
        for folder, _, files in os.walk(FIXTURES)
        for file in files
        if re.search(r"\.(pcap|pcapng)$", file)
    ]
    assert list(result.results) == sorted(captures) and len(captures) > 200
    assert result.lines[:2] == ["TAP version 13", f"1..{len(captures)}"]
    last = r"# \d+ fixtures, 0 failed; 0 of \d+ conditions not reached"
    assert re.fullmatch(last, result.lines[-1])


def test_generated_captures_are_those_in_the_tree(tmp_path):
    generate = os.path.join(FIXTURES, "generate.py")
    subprocess.run([sys.executable, "-B", generate, "--to", tmp_path], check=True)
    made = 0
    for folder, _, files in os.walk(tmp_path):
        inside = os.path.relpath(folder, tmp_path)
        for file in files:
            tree = os.path.join(FIXTURES, inside, file)
            assert filecmp.cmp(os.path.join(folder, file), tree, shallow=False), file
            made += 1
        if files:
            kept = {f for f in os.listdir(os.path.join(FIXTURES, inside)) if ".pcap" in f}
            assert kept == set(files), "a capture that generate.py does not make"
    assert made > 200


def test_both_families():
    """Whatever is shown, is shown for IPv4 and for IPv6."""
    names = {
        os.path.join(os.path.relpath(folder, FIXTURES), file)
        for folder, _, files in os.walk(FIXTURES)
        for file in files
        if file.endswith(".expect")
    }
    assert {name.replace("_ipv4.", "_ipv6.") for name in names} == {
        name for name in names if "_ipv6." in name
    }


def test_a_wrong_condition_is_told(copy):
    change(copy / f"{REFLECTED}.expect", "ecn.negotiation.reflected", "ecn.negotiation.failed")
    result = verify(copy)
    assert (result.code, result.failed) == (1, [f"{REFLECTED}.pcap"])
    assert result.notes[f"{REFLECTED}.pcap"] == [
        f"{copy}/{REFLECTED}.expect:2: 198.51.100.80:80: conditions: missing "
        "ecn.negotiation.failed, extra ecn.negotiation.reflected",
        "it shows: the SYN/ACK has ECE and CWR, as the SYN has",
    ]


def test_a_wrong_field_is_told(copy):
    change(copy / f"{MSS}.expect", '"mss_value_rev":1380', '"mss_value_rev":1400')
    result = verify(copy)
    assert (result.code, result.failed) == (1, [f"{MSS}.pcap"])
    assert result.notes[f"{MSS}.pcap"][0] == (
        f"{copy}/{MSS}.expect:2: flow [2001:db8:1::10]:40001 > [2001:db8:2::80]:80: "
        "mss_value_rev: expected 1400, got 1380"
    )


def test_too_many_and_too_few_records_fail(copy):
    file = copy / f"{MSS}.expect"
    text = file.read_text()
    file.write_text(text + '{"sip":"2001:db8::9","dip":"2001:db8::8"}\n')
    notes = verify(copy).notes[f"{MSS}.pcap"]
    place = "flow [2001:db8::9] > [2001:db8::8]"
    assert notes[0] == f"{file}:3: {place}: expected a record, got none"
    file.write_text(text.splitlines()[0] + "\n")
    notes = verify(copy).notes[f"{MSS}.pcap"]
    assert "a record that is not expected" in notes[0]


def test_filter(copy):
    change(copy / f"{REFLECTED}.expect", "ecn.negotiation.reflected", "ecn.negotiation.failed")
    for argv in ((copy, "mss"), ("--filter", "mss", copy), (copy, "--filter=chains/")):
        result = verify(*argv)
        assert (result.code, list(result.results)) == (0, [f"{MSS}.pcap"])
    result = verify(copy, "no-such")
    assert result.code == 1 and "no fixture has 'no-such' in its name" in result.err


def test_one_capture(copy):
    result = verify(copy / f"{MSS}.pcap")
    assert (result.code, list(result.results)) == (0, [str(copy / f"{MSS}.pcap")])


def test_update_leaves_what_is_met(tmp_path):
    """Not a byte changes; names, order and the way lines are written included."""
    shutil.copytree(FIXTURES, tmp_path / "all")
    result = verify("--update", tmp_path / "all")
    assert result.code == 0 and ", 0 failed, 0 expectations written" in result.lines[-1]
    for folder, _, files in os.walk(tmp_path / "all"):
        inside = os.path.relpath(folder, tmp_path / "all")
        for file in files:
            assert filecmp.cmp(
                os.path.join(folder, file), os.path.join(FIXTURES, inside, file), shallow=False
            )


def test_update_writes_what_came(copy):
    files = [copy / f"{name}.expect" for name in (REFLECTED, MSS)]
    right = [file.read_text() for file in files]
    change(files[0], "ecn.negotiation.reflected", "ecn.negotiation.failed")
    change(files[1], '"mss_value_rev":1380', '"mss_value_rev":1400')
    result = verify("--update", copy)
    assert result.code == 0 and "2 expectations written" in result.lines[-1]
    assert "written anew" in result.notes[f"{MSS}.pcap"]
    assert files[1].read_text() == right[1]
    old, new = (json.loads(text.splitlines()[1]) for text in (right[0], files[0].read_text()))
    assert set(old["conditions"]) == set(new["conditions"])
    assert verify(copy).code == 0


def test_a_capture_without_expectation(copy):
    (copy / f"{MSS}.expect").unlink()
    result = verify(copy)
    assert (result.code, result.failed) == (1, [f"{MSS}.pcap"])
    assert "--update --run" in result.notes[f"{MSS}.pcap"][0]
    assert verify("--update", copy).failed == [f"{MSS}.pcap"]  # it cannot know what to run
    result = verify("--update", "--run", "observe basic mss", copy)
    assert result.code == 0 and result.notes[f"{MSS}.pcap"][-1] == "written"
    header, record = map(json.loads, (copy / f"{MSS}.expect").read_text().splitlines())
    assert header["run"] == ["observe", "basic", "mss"]
    assert record["mss_value_rev"] == 1380 and record["pkt_fwd"] == 2
    assert verify(copy).code == 0


def test_a_new_expectation_of_nothing(copy):
    """A capture without packets: that no record comes is expected from then on."""
    file = copy / f"{MSS}.pcap"
    file.write_bytes(file.read_bytes()[:24])
    (copy / f"{MSS}.expect").unlink()
    assert verify("--update", "--run", "observe mss", copy).code == 0
    assert len((copy / f"{MSS}.expect").read_text().splitlines()) == 1
    assert verify(copy).code == 0


def test_an_expectation_without_capture(copy):
    (copy / f"{MSS}.pcap").unlink()
    result = verify(copy)
    assert (result.code, result.failed) == (1, [f"{MSS}.expect"])
    (note,) = result.notes[f"{MSS}.expect"]
    name = MSS.rsplit("/", 1)[-1]
    assert note.startswith(f"there is no capture beside this expectation: expected {name}.pcap, {name}.pcapng or ")
    result = verify(copy / f"{MSS}.expect")
    assert result.code == 1 and f"{MSS}.expect is an expectation: name its capture" in result.err


def test_an_expectation_of_the_wrong_name(copy):
    """That of x.pcap is x.expect; x.pcap.expect is what people try first."""
    name = MSS.rsplit("/", 1)[-1]
    (copy / f"{MSS}.expect").rename(copy / f"{MSS}.pcap.expect")
    result = verify(copy)
    assert (result.code, sorted(result.failed)) == (1, [f"{MSS}.pcap", f"{MSS}.pcap.expect"])
    assert f"there is no expectation {copy / MSS}.expect: " in result.notes[f"{MSS}.pcap"][0]
    assert result.notes[f"{MSS}.pcap.expect"][1] == f"the expectation of {name}.pcap is {name}.expect"


def test_one_is_one(copy):
    (line,) = [one for one in verify(copy, MSS).lines if one.startswith("# ")]
    assert line == "# 1 fixture, 0 failed"
    (copy / f"{MSS}.expect").unlink()
    lines = verify("--update", "--run", "observe mss", copy, MSS).lines
    assert lines[-1] == "# 1 fixture, 0 failed, 1 expectation written"


def test_help_says_what_an_expectation_is():
    text = " ".join("\n".join(verify("--help").lines).split())
    assert "that of x.pcap or x.pcapng.gz is x.expect" in text
    assert "It needs dip; this, and dp, of flows also sip, sp and proto" in text


@pytest.mark.parametrize(
    "text, line, expected",
    [
        ("", 1, "the first line is"),
        ('{"about":"x","run":["measure","ecn"]}\n', 1, "the first line is"),
        ('{"about":"x","run":["classify","ecn"]}\n{"dip":\n', 2, "no JSON object"),
        ('{"about":"x","run":["classify","ecn"]}\n{"dp":80}\n', 2, "the member dip is missing"),
    ],
)
def test_a_bad_expectation(copy, text, line, expected):
    file = copy / f"{MSS}.expect"
    file.write_text(text)
    result = verify(copy)
    assert (result.code, result.failed) == (1, [f"{MSS}.pcap"])
    assert result.notes[f"{MSS}.pcap"][0].startswith(f"{file}:{line}: {expected}")


@pytest.mark.parametrize(
    "run, expected",
    [
        (["classify", "no"], "there is no plugin 'no'"),
        (["observe", "no"], "there is no chain 'no'"),
    ],
)
def test_what_cannot_be_run(copy, run, expected):
    file = copy / f"{MSS}.expect"
    file.write_text(json.dumps({"about": "x", "run": run}) + "\n")
    result = verify(copy)
    assert result.code == 1 and expected in result.notes[f"{MSS}.pcap"][0]


@pytest.mark.parametrize("name", [REFLECTED, MSS])
def test_a_damaged_capture_fails(copy, name):
    file = copy / f"{name}.pcap"
    file.write_bytes(file.read_bytes()[:-7])
    result = verify(copy)
    assert (result.code, result.failed) == (1, [f"{name}.pcap"])
    assert "not all of it was read" in result.notes[f"{name}.pcap"][0]
    file.write_bytes(b"no capture")
    assert verify(copy).failed == [f"{name}.pcap"]


def test_compressed_captures(copy):
    for name, tool in ((REFLECTED, "gzip"), (MSS, "xz")):
        subprocess.run([tool, copy / f"{name}.pcap"], check=True)
    result = verify(copy)
    assert result.code == 0
    assert list(result.results) == [f"{MSS}.pcap.xz", f"{REFLECTED}.pcap.gz"]


def test_unreached_conditions_are_listed(copy):
    result = verify("--unreached", copy)
    assert result.code == 1 and result.failed == []
    unreached = [line for line in result.lines if line.startswith("# unreached: ")]
    for name in (
        "ecn: ecn.connectivity.broken (",
        "ecn: ask.unmarked_in_few_segments (",
        "ecn: measure.incomplete:plain (",
        "every plugin: path.multipath_suspected (",
    ):
        assert sum(line.startswith(f"# unreached: {name}") for line in unreached) == 1, name
    assert not any("ecn.negotiation.reflected" in line for line in unreached)
    count = re.search(r"; (\d+) of \d+ conditions not reached", result.lines[-1])
    assert int(count.group(1)) == len(unreached)


@pytest.mark.parametrize(
    "argv, code, expected",
    [
        ([], 2, "which folder?"),
        (["--no-such", "x"], 2, "rawspider: there is no option --no-such"),
        (["--filter"], 2, "rawspider: --filter needs a value; rawspider verify --help lists"),
        (["x", "y", "z"], 2, "one word too many"),
        (["--run", "observe tcp", "x"], 2, "--run goes with --update"),
        (["--unreached", "--filter", "x", "x"], 2, "--unreached needs all fixtures"),
        (["/no/such/folder"], 1, "cannot read /no/such/folder: No such file"),
        (["/etc/passwd"], 1, "is no capture"),
    ],
)
def test_usage(argv, code, expected):
    result = verify(*argv)
    assert result.code == code and expected in result.err and result.lines == []


def test_an_empty_folder(tmp_path):
    result = verify(tmp_path)
    assert result.code == 1 and "there is no capture in it" in result.err


def test_results_that_cannot_be_written(copy):
    with open("/dev/full", "wb") as full:
        argv = [PROGRAM, "verify", copy]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"could not be written" in done.stderr
