# SPDX-License-Identifier: MIT
"""A Husk that lives as long as the soak and follows thousands of processes, while the faults are
tried beside it: it must not grow."""
import os
import random
import signal
import threading
import time

import ledger
import processes
import resources
from trace import STATUS, Setting, Trace

# What may come on top of the highest value of the warm-up. Memory: the allocator's own moves,
# and the table of different contents, which doubles up to 4 MiB (262,144 of them).
GROWTH = {"rss_kib": 16 << 10, "anon_kib": 16 << 10, "threads": 0, "descriptors": 2,
          "program": 0, "map": 0, "link": 0}
# And what each process of the workload leaves in tables that are bounded (layers, contents,
# generations), but are not full yet: docs/reliability.md, "Memory".
BYTES_FOR_PROCESS = 512
WARM_UP = 0.3


class Endurance(threading.Thread):
    def __init__(self, soak, copy, seconds):
        super().__init__(name=f"endurance-{copy}")
        self.soak, self.seconds = soak, seconds
        self.setting = Setting(copy, "observe", "file")
        self.trace = Trace(soak, f"endurance-{copy}", self.setting, room=8_000_000)
        self.samples = []
        self.chance = random.Random(f"{soak.seed} {copy}")
        self.stopping = threading.Event()

    def run(self):
        try:
            self._run()
        except Exception as error:  # a thread's exception would be lost
            self.trace.fail(f"{type(error).__name__}: {error}")
        finally:
            self.trace.end()

    def _run(self):
        trace, chance = self.trace, self.chance
        trace.run(seconds=int(self.seconds), parallel=3, pace=20_000)
        trace.wait_for(trace.began)
        parent, kills, pauses, paused = trace.parent(), 0, 0, 0.0
        end = time.monotonic() + self.seconds
        sampled = 0.0
        next_kill, next_pause = time.monotonic() + 1, time.monotonic() + 20
        while trace.husk.poll() is None and not ledger.head(trace.ledger).done:
            now = time.monotonic()
            if now > end + 120:
                trace.fail("the target did not end in time")
                trace.evidence_of_hang(trace.husk.pid)
                break
            if self.stopping.is_set():
                processes.send(parent, signal.SIGTERM, parent=trace.husk.pid)
            if now - sampled > 0.5:
                sampled = now
                trace.note_objects()
                found = resources.sample(trace.husk.pid)
                if found:
                    found["processes"] = ledger.head(trace.ledger).begun
                    self.samples.append(found)
            if now > next_kill:
                living = processes.children(parent)
                if living:
                    kills += processes.send(chance.choice(living), signal.SIGKILL, parent=parent)
                next_kill = now + chance.uniform(0, 0.5)
            if now > next_pause and now < end - 5:
                os.kill(trace.husk.pid, signal.SIGSTOP)
                length = chance.uniform(0.05, 2)
                time.sleep(length)
                os.kill(trace.husk.pid, signal.SIGCONT)
                pauses, paused = pauses + 1, paused + length
                next_pause = time.monotonic() + chance.uniform(5, 25)
            time.sleep(0.02)
        trace.figures.update(kills=kills, pauses=pauses, paused_s=round(paused, 1))
        status = trace.wait(trace.husk, 240)
        trace.check_workload(killed=True)
        trace.check_objects()
        self._check_growth()
        capture = trace.read()
        trace.check_status(status, capture, STATUS)
        trace.check_verified(capture)
        trace.judge(capture)

    def _check_growth(self):
        figures, whole = self.trace.figures, self.samples
        if len(whole) < 12:
            self.trace.fail(f"only {len(whole)} samples were taken")
            return
        begin, length = whole[0]["time"], whole[-1]["time"] - whole[0]["time"]
        warm = [s for s in whole if s["time"] <= begin + WARM_UP * length]
        late = [s for s in whole if s["time"] >= begin + 0.75 * length]
        for name, bound in GROWTH.items():
            before, after = max(s[name] for s in warm), max(s[name] for s in late)
            figures[name] = [before, after]
            if name.endswith("_kib"):
                bound += (late[-1]["processes"] - warm[-1]["processes"]) * BYTES_FOR_PROCESS // 1024
            if after > before + bound:
                self.trace.fail(f"{name} has grown from {before} (the first {WARM_UP:.0%} of the "
                                f"time) to {after} (the last quarter): more than {bound}")
        with open(self.trace.path("samples.csv"), "w", encoding="ascii") as file:
            names = sorted(whole[0])
            print(",".join(names), file=file)
            for found in whole:
                print(",".join(str(found[name]) for name in names), file=file)
