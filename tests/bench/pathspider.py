# SPDX-License-Identifier: GPL-3.0-or-later
"""PATHspider as published, where somebody has installed it (Debian 12 has no package of it): only
told. Over the direct veth, in whose namespace it may set its sysctls."""

import json
import shutil

import direct
import proc
from proc import Unmeasured
from report import Figure

_WORKERS = 100  # as its documentation has it
_LIMIT = 600.0  # seconds; it is known to hang


def pathspider(bench):
    """Targets a second of `pspdr measure ecn`."""
    if not shutil.which("pspdr"):
        bench.remark("PATHspider (pspdr): not installed, so not measured.")
        return []
    count = bench.sizes.slow_targets
    bench.say(f"pspdr measure ecn, {count:,} targets, direct veth")
    lines = direct.write_plain(bench.path("pspdr.ndjson"), count)
    output = bench.path("pspdr-records.ndjson")
    argv = ["pspdr", "measure", "-i", "vp0", "-w", _WORKERS, "--input", lines, "--output", output]
    with direct.Direct() as rig:
        cost = proc.run(rig, [*argv, "ecn", "--connect", "http"], bench.folder, _LIMIT)
    if cost.status:
        raise Unmeasured(f"pspdr: {cost.said()}")
    judged = 0
    with open(output, encoding="utf-8") as file:
        for record in map(json.loads, file):
            judged += "ecn.connectivity.works" in record.get("conditions", ())
    if not judged:
        raise Unmeasured(f"pspdr found no target to work: {cost.said()}")
    note = (
        f"pspdr measure -w {_WORKERS} ecn --connect http: {judged:,} of {count:,} targets work, in "
        f"{cost.wall:.0f} s, start-up included; CPU {cost.cpu / judged / 2 * 1e6:,.0f} us an "
        "exchange."
    )
    title = "PATHspider, targets a second"
    return [Figure("pathspider", title, "1/s", judged / cost.wall, note=note)]
