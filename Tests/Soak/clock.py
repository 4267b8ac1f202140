# SPDX-License-Identifier: MIT
"""Steps of the wall clock while Husk traces, in a virtual machine: this machine's is left alone."""
import os
import re

import ledger
from trace import INCOMPLETE, STATUS, Trace

VM = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../Tools/vm/run")
# 6.1 copies at the call's exit, 7.3 in task work: Debian has no 6.18 for all its releases.
KERNELS = {"syscall-exit": "6.1", "task-work": "7.3"}
SECONDS = 400

# Steps back and forth, by up to a day, ten a second, until the trace ends.
SCRIPT = """
husk=$1 workload=$2 seed=$3 copy=$4 rwx=$5 output=$6; shift 6
(
    steps=0
    while [ ! -e /tmp/ended ]; do
        for step in 3600 -7200 86400 -86400 -5 3605; do
            date -s "@$(($(date +%s) + step))" >/dev/null && steps=$((steps + 1))
            usleep 50000
        done
    done
    echo "steps $steps"
) &
"$husk" run --quiet --no-status --ring-size 64K --copy "$copy" --rwx "$rwx" -o "$output" \\
    -- "$workload" /tmp/ledger "$seed" "$@" >/tmp/husk.out 2>/tmp/husk.err
echo "status $?"
: >/tmp/ended
wait
"""


def steps(soak, setting, chance):
    """The wall clock goes back and forth: neither order nor completeness may depend on it."""
    del chance
    trace = Trace(soak, "clock-steps", setting)
    script = trace.path("script")
    with open(script, "w", encoding="ascii") as file:
        file.write(SCRIPT)
    output = "/tmp/capture/" if setting.output == "folder" else "/tmp/capture.husk"
    words = trace.workload_command(children=80, parallel=2)
    command = [VM, "-t", str(SECONDS), "-m", "1500", "-f", soak.husk, "-f", soak.workload,
               "-f", f"{trace.ledger}:/tmp/ledger", "-f", f"{script}:/tmp/script"]
    for inside, outside in (("/tmp/ledger", trace.ledger), (output.rstrip("/"), trace.output),
                            ("/tmp/husk.out", trace.path("husk.out")),
                            ("/tmp/husk.err", trace.path("husk.err"))):
        command += ["-o", f"{inside}:{outside.rstrip('/')}"]
    command += [KERNELS[setting.copy], "--", "sh", "/tmp/script", soak.husk, soak.workload,
                str(soak.seed % 2**32), setting.copy, setting.rwx, output, *words[3:]]
    trace.figures["kernel"] = KERNELS[setting.copy]
    try:
        trace.workload = None
        trace.husk = trace._start(command, "machine")
        status = trace.wait(trace.husk, SECONDS + 400)
        told = trace.text("machine.out") + trace.text("machine.err")
        if status == 77:
            trace.figures["skipped"] = f"Debian has no kernel {KERNELS[setting.copy]}"
            return trace
        found = re.search(r"^status (\d+)", told, re.M)
        if status != 0 or not found:
            trace.fail(f"the virtual machine ended with status {status}: {told[-600:]}")
            return trace
        trace.figures["steps"] = int(re.search(r"^steps (\d+)", told, re.M)[1])
        trace.check_workload()
        capture = trace.read()
        trace.check_status(int(found[1]), capture, STATUS)
        trace.check_verified(capture)
        trace.judge(capture)
    finally:
        trace.end()
    return trace
