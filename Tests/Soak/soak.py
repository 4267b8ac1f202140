#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""soak.py: hours of use in minutes, with faults at random; nothing may be lost without a record.

    soak.py --husk PATH --workload PATH [--minutes N] [--seed N] [--only FAULT,...] [--json]

One Husk for each way to copy lives all the time and follows thousands of processes; beside them
the faults are tried, again and again, with settings in turn. What the capture holds is compared
with what the workload itself has noted. `make soak` builds both programs; docs/reliability.md
tells what is promised. Needs root.

Exit status: 0 all promises held; 1 some did not (each is told, the evidence is kept); 64 usage;
77 nothing can be traced here.
"""
import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import clock
import faults
import ledger
import memory
import processes
import resources
from endurance import Endurance
from trace import Setting

FAULTS = {
    "none": faults.none,
    "kill-target": faults.kill_target,
    "kill-husk": faults.kill_husk,
    "pause-husk": faults.pause_husk,
    "detach": faults.detach,
    "full-disk": faults.full_disk,
    "low-memory": faults.low_memory,
    "clock-steps": clock.steps,
}
COPIES = ("task-work", "syscall-exit")
# A Husk that enforces W^X takes its tracees' protections with it when it is killed (docs/rwx.md,
# Limits of trap): its targets may die then.
NOT_TRAPPED = ("kill-husk", "low-memory")
# Those that take long are tried once for so many minutes.
MINUTES_FOR = {"clock-steps": 2.5}


class Soak:
    def __init__(self, husk, workload, seed, folder, keeps):
        self.keeps = keeps
        self.husk, self.workload, self.seed, self.folder = husk, workload, seed, folder
        self.references = {}
        self.number = itertools.count(1)
        self.lock = threading.Lock()

    def new_folder(self, name):
        with self.lock:
            path = os.path.join(self.folder, f"{next(self.number):03}-{name}")
        os.mkdir(path)
        return path

    def reference(self, options):
        """What the workload prints without Husk."""
        same = {name: value for name, value in options.items() if name in ("children", "trapped")}
        key = tuple(sorted(same.items()))
        if key not in self.references:
            path = os.path.join(self.folder, "reference")
            ledger.create(path)
            done = subprocess.run(
                [self.workload, path, str(self.seed % 2**32), "parallel=4",
                 *(f"{name}={value}" for name, value in same.items())],
                stdout=subprocess.PIPE, timeout=300, check=True)
            self.references[key] = done.stdout.decode()
            os.unlink(path)
        return self.references[key]


def say(text):
    print(f"soak: {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def settings(name, chance):
    """All ways to trace for this fault, in an order that chance decides, again and again."""
    ways = [Setting(copy, rwx, output)
            for copy in COPIES for rwx in ("observe", "trap") for output in ("file", "folder")
            if rwx == "observe" or name not in NOT_TRAPPED]
    if name in ("full-disk", "clock-steps"):
        # Half of them: what traps and what is written there do not depend on each other.
        ways = [way for way in ways if (way.rwx == "trap") == (way.output == "folder")]
    while True:
        chance.shuffle(ways)
        yield from ways


def tell(trace, took):
    figures = ", ".join(f"{name} {value}" for name, value in trace.figures.items())
    say(f"{trace.name}: {'FAILED' if trace.failures else 'held'} in {took:.1f} s: {figures}")
    for text in trace.failures:
        say(f"  {text}")


class Broken:
    """A fault that could not be tried to its end: that is a failure, too."""

    def __init__(self, name, setting, error):
        self.name, self.figures = name, {"setting": str(setting)}
        self.failures = [f"{type(error).__name__}: {error}"]


def attempt(soak, name, setting, chance):
    try:
        return FAULTS[name](soak, setting, chance)
    except Exception as error:  # whatever it is, the others are tried
        return Broken(name, setting, error)


def try_faults(soak, names, minutes, alone):
    """One fault after the other, until the time is up; each at least once if it lasts long enough
    for one round."""
    begin = time.monotonic()
    end = begin + minutes * 60
    chances = {name: random.Random(f"{soak.seed} {name}") for name in names}
    ways = {name: settings(name, chances[name]) for name in names}
    tried = {name: 0 for name in names}
    done, longest = [], {}
    order = random.Random(f"{soak.seed} order")
    while time.monotonic() < end:
        progress = False
        for name in order.sample(names, len(names)):
            left = end - time.monotonic()
            if left < longest.get(name, 2) / 2 or (
                    not alone and tried[name] >= minutes / MINUTES_FOR.get(name, 1e-9)):
                continue
            progress = True
            started = time.monotonic()
            trace = attempt(soak, name, next(ways[name]), chances[name])
            took = time.monotonic() - started
            longest[name] = max(took, longest.get(name, 0))
            trace.figures["seconds"] = round(took, 1)
            tried[name] += 1
            tell(trace, took)
            done.append(trace)
            if not trace.failures and not soak.keeps:
                shutil.rmtree(trace.folder)
        if not progress:
            break
    return done


def table(traces):
    """One line for each fault: sums of what was tried and found."""
    columns = ("tried", "processes", "pages", "captured", "told_as_lost", "kills", "pauses",
               "failed")
    rows = {}
    for trace in traces:
        row = rows.setdefault(trace.name, dict.fromkeys(columns, 0) | {"causes": {}})
        row["tried"] += 1
        row["failed"] += bool(trace.failures)
        for name in columns[1:-1]:
            row[name] += trace.figures.get(name, 0)
        for cause, count in trace.figures.get("causes", {}).items():
            row["causes"][cause] = row["causes"].get(cause, 0) + count
        for name in ("steps", "out_of_memory", "refused", "filled", "nothing_written"):
            if trace.figures.get(name):
                row[name] = row.get(name, 0) + trace.figures[name]
        if "behind_ms" in trace.figures:
            row["behind_ms"] = max(row.get("behind_ms", 0), trace.figures["behind_ms"])
        for name in ("rss_kib", "descriptors", "threads", "program", "map", "link"):
            if name in trace.figures:
                row[name] = trace.figures[name]
    return rows


def print_table(rows):
    columns = ("tried", "failed", "processes", "pages", "captured", "told_as_lost", "kills",
               "pauses")
    print("| fault | " + " | ".join(columns).replace("_", " ") + " | losses by cause, and more |")
    print("|---|" + "---:|" * len(columns) + "---|")
    for name, row in rows.items():
        more = [f"{cause} {count}" for cause, count in sorted(row["causes"].items())]
        more += [f"{key} {value}" for key, value in row.items()
                 if key not in columns and key != "causes"]
        print(f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " | "
              + ", ".join(more) + " |")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--husk", required=True, help="the command")
    parser.add_argument("--workload", required=True, help="workload.c, built")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, help="what chance decides; printed if not given")
    parser.add_argument("--only", help="these faults alone (or `growth`), separated by commas: "
                        + ", ".join(FAULTS))
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the evidence in any case")
    given = parser.parse_args()
    given.names = given.only.split(",") if given.only else [*FAULTS, "growth"]
    for name in given.names:
        if name not in FAULTS and name != "growth":
            parser.error(f"no such fault: {name}")
    return given


def refuse(husk):
    """Why nothing can be traced here, or None."""
    done = subprocess.run([husk, "run", "--quiet", "--", "true"], capture_output=True, timeout=60,
                          check=False)
    return None if done.returncode in (0, 122) else done.stderr.decode(errors="replace").strip()


def main():
    given = arguments()
    husk, workload = os.path.realpath(given.husk), os.path.realpath(given.workload)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    why = refuse(husk)
    if why:
        say(f"skipped: {why}")
        return 77
    folder = tempfile.mkdtemp(prefix="husk-soak-")
    soak = Soak(husk, workload, seed, folder, given.keep)
    names = [name for name in given.names if name != "growth"]
    skipped = {}
    if "low-memory" in names and memory.why_not():
        skipped["low-memory"] = memory.why_not()
    if "clock-steps" in names and not given.only and given.minutes < MINUTES_FOR["clock-steps"]:
        skipped["clock-steps"] = "it takes a minute or two, and there are fewer"
    names = [name for name in names if name not in skipped]
    say(f"{given.minutes} minutes, seed {seed}, evidence in {folder}")
    for name, reason in skipped.items():
        say(f"{name}: skipped: {reason}")

    processes.become_reaper()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    # Bounded, whatever hangs: what was started is ended, and that is a failure.
    watchdog = threading.Timer(given.minutes * 60 * 1.5 + 1500, overdue)
    watchdog.daemon = True
    watchdog.start()

    before = resources.bpf_objects()
    begin = time.monotonic()
    long_lived = []
    if "growth" in given.names:
        long_lived = [Endurance(soak, copy, given.minutes * 60) for copy in COPIES]
    try:
        for one in long_lived:
            one.start()
        traces = try_faults(soak, names, given.minutes, bool(given.only)) if names else []
        during = {kind: set().union(*[one.trace.objects[kind] for one in long_lived])
                  for kind in before}
        for one in long_lived:
            one.join()
            tell(one.trace, time.monotonic() - begin)
            traces.append(one.trace)
    finally:
        for one in long_lived:
            one.stopping.set()
        processes.end_all()
    took = time.monotonic() - begin
    watchdog.cancel()
    after = resources.bpf_objects()

    rows = table(traces)
    failures = [f"{trace.name} ({trace.figures['setting']}): {text}"
                for trace in traces for text in trace.failures]
    objects = {"before": {kind: len(ids) for kind, ids in before.items()},
               "of the long-lived": {kind: len(ids) for kind, ids in during.items()},
               "after": {kind: len(ids) for kind, ids in after.items()}}
    untried = [name for name in names if name not in rows]
    if given.json:
        json.dump({"seed": seed, "minutes": given.minutes, "took_s": round(took, 1),
                   "husk": husk, "kernel": os.uname().release, "cpus": os.cpu_count(),
                   "faults": rows, "bpf_objects": objects, "skipped": skipped,
                   "untried": untried, "failures": failures}, sys.stdout, indent=1)
        print()
    else:
        print_table(rows)
        print(f"\nseed {seed}, {took:.0f} s; BPF objects of the machine: {objects}")
    for name in untried:
        say(f"{name}: not tried, the time was up")
    for text in failures:
        say(f"FAILED: {text}")
    if failures:
        say(f"{len(failures)} promises did not hold; evidence in {folder}")
        return 1
    if given.keep:
        say(f"all held; evidence in {folder}")
    else:
        shutil.rmtree(folder)
        say("all held")
    return 0


def overdue():
    say("FAILED: it takes too long; all that was started is ended")
    processes.end_all()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
