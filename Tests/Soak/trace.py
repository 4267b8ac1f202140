# SPDX-License-Identifier: MIT
"""One trace: Husk, the workload under it, what both leave, and the checks that are always made."""
import os
import signal
import subprocess
import time

import captures
import ledger
import processes
import resources
import verdict

# What a slow machine may take: nothing is expected to come near it.
PATIENCE = 120
STATUS = 7
INCOMPLETE = 122
NOT_WRITTEN = 123


class Setting:
    """How Husk is told to trace."""

    def __init__(self, copy, rwx, output):
        self.copy, self.rwx, self.output = copy, rwx, output

    def __str__(self):
        return f"{self.copy}, {self.rwx}, {self.output}"


class Trace:
    def __init__(self, soak, name, setting, room=400_000):
        self.soak, self.setting, self.name = soak, setting, name
        self.folder = soak.new_folder(name)
        self.ledger = self.path("ledger")
        ledger.create(self.ledger, room)
        self.output = self.path("capture/" if setting.output == "folder" else "capture.husk")
        self.failures = []
        self.figures = {"setting": str(setting)}
        self.husk = self.workload = None
        self.objects = {kind: set() for kind in resources.NEXT}

    def path(self, name):
        return os.path.join(self.folder, name)

    def fail(self, text):
        self.failures.append(text)

    # ---- starting ----------------------------------------------------------------------------

    def husk_command(self, *rest, output=None):
        return [self.soak.husk, rest[0], "--quiet", "--no-status", "--ring-size", "64K",
                "--copy", self.setting.copy, "--rwx", self.setting.rwx,
                "-o", output or self.output, *rest[1:]]

    def workload_command(self, **options):
        options.setdefault("status", STATUS)
        options["trapped"] = int(self.setting.rwx == "trap")
        self.options = options
        return [self.soak.workload, self.ledger, str(self.soak.seed % 2**32),
                *(f"{name}={value}" for name, value in options.items())]

    def _start(self, command, name, **streams):
        with open(self.path(name + ".out"), "wb") as output, \
                open(self.path(name + ".err"), "wb") as errors:
            return processes.start(command, stdout=output, stderr=errors,
                                   **{"stdin": subprocess.DEVNULL, **streams})

    def run(self, before=(), output=None, **options):
        """`husk run` on the workload; `before`: a command that executes it."""
        command = self.husk_command("run", "--", *self.workload_command(**options), output=output)
        self.husk = self._start([*before, *command], "husk")

    def attach(self, before=(), **options):
        """The workload first, which waits; `husk attach`; then the workload goes."""
        self.workload = self._start(self.workload_command(wait=1, **options), "workload",
                                    stdin=subprocess.PIPE)
        self.wait_for(lambda: ledger.head(self.ledger).parent)
        command = self.husk_command("attach", "--tree", str(self.workload.pid))
        self.husk = self._start([*before, *command], "husk")

    def go(self):
        self.workload.stdin.write(b"\n")
        self.workload.stdin.close()

    def wait_for(self, holds, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holds():
                return True
            if self.husk is not None and self.husk.poll() is not None:
                return bool(holds())
            time.sleep(0.02)
        return False

    def began(self):
        return ledger.head(self.ledger).begun > 0

    def parent(self):
        return ledger.head(self.ledger).parent

    def note_objects(self):
        """What Husk has of BPF, as long as it lives: gone when it has gone."""
        for kind, ids in resources.held_objects(self.husk.pid).items():
            self.objects[kind] |= ids

    # ---- ending ------------------------------------------------------------------------------

    def wait(self, process, seconds=PATIENCE):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"process {process.pid} did not end within {seconds} s")
            self.evidence_of_hang(process.pid)
            return None

    def evidence_of_hang(self, session):
        with open(self.path("hang"), "w", encoding="utf-8") as file:
            for pid, told in processes.session(session).items():
                for thread in os.listdir(f"/proc/{pid}/task"):
                    file.write(f"{pid} {thread} {told[0]} "
                               f"{processes.facts(f'{pid}/task/{thread}')}\n")
                    for name in ("wchan", "stack", "syscall"):
                        try:
                            with open(f"/proc/{pid}/task/{thread}/{name}", encoding="utf-8") as of:
                                file.write(f"  {name}: {of.read().strip()}\n")
                        except OSError:
                            pass

    def text(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def check_workload(self, killed=False):
        """It has done what it does without Husk. `killed`: some of it was, by the soak."""
        head = ledger.head(self.ledger)
        self.figures.update(processes=head.begun, killed=head.killed)
        if head.wrong:
            self.fail(f"{head.wrong} processes of the target ended otherwise than without Husk")
        text = self.text("workload.out" if self.workload else "husk.out")
        if not killed and "children" in self.options and head.done:
            expected = self.soak.reference(self.options)
            if text != expected:
                self.fail(f"the target printed {text!r} instead of {expected!r}")
        complaints = self.text("workload.err" if self.workload else "husk.err")
        for line in complaints.splitlines():
            if line.startswith("workload: "):
                self.fail(line)

    def check_none_stopped(self, session, since):
        """After Husk's end: no thread of the target stays stopped for more than a second."""
        seen = {}
        while time.monotonic() < since + 2.5:
            now = time.monotonic()
            stopped = {thread: seen.get(thread, now) for thread in processes.stopped(session)}
            for thread, first in stopped.items():
                if now - max(first, since) > 1.5:
                    self.fail(f"process {thread[0]} ({thread[2]}), thread {thread[1]} is still "
                              "stopped after Husk's end")
                    return
            seen = stopped
            if not processes.session(session):
                return
            time.sleep(0.1)

    def check_objects(self):
        left = resources.left_over(self.objects)
        self.figures["bpf_objects"] = sum(len(ids) for ids in self.objects.values())
        if left:
            self.fail(f"BPF objects are left over: {left}")

    def read(self):
        if self.setting.output == "folder":
            return captures.read_folder(self.output)
        return captures.read_file(self.soak.husk, self.output)

    def check_verified(self, capture, may_be_cut=False):
        status, told = captures.verify(self.soak.husk, self.output)
        expected = (0,) if capture.complete else (INCOMPLETE,)
        if may_be_cut:
            # A file has whole batches; a folder says that its end is missing.
            expected = (0, INCOMPLETE) if self.setting.output == "file" else (124,)
        if status not in expected:
            self.fail(f"husk verify ends with status {status}: {told.strip()}")

    def check_status(self, status, capture, target, incomplete=INCOMPLETE):
        """122 if the capture says that it is incomplete, else the target's own."""
        expected = target if capture.complete else incomplete
        if status != expected:
            self.fail(f"Husk ended with status {status} instead of {expected} "
                      f"(complete: {capture.complete})")
        if not capture.finished:
            self.fail("the capture is not told as finished")

    def judge(self, capture, until_ns=None, from_ns=None):
        """Whether all that was made is there, or told as lost."""
        told = verdict.judge(ledger.truths(self.ledger), capture, until_ns, from_ns)
        self.figures.update(pages=told.made, captured=told.captured, told_as_lost=told.told,
                            causes=capture.causes(), all_pages=len(capture.pages))
        self.failures += told.failures
        if len(capture.offsets) > 1:
            self.fail(f"the wall clock's offset is not one: {sorted(capture.offsets)[:3]}")
        return told

    def end(self):
        """Nothing of it may stay, whatever happened."""
        for process in (self.husk, self.workload):
            if process is None:
                continue
            left = processes.end_session(process.pid)
            if left and not self.failures:
                self.fail(f"{left} processes were left over")
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        processes.reap()
