# SPDX-License-Identifier: MIT
"""Compares a capture with what the workload knows: each page is there, or told as lost."""
import collections

from ledger import MADE, PAGE

# A loss over more than this is no list of pages, but a range in which something was lost.
LISTED = 1 << 12


class Verdict:
    def __init__(self):
        self.made = self.captured = self.told = self.open = 0
        self.failures = []

    def fail(self, text):
        if len(self.failures) < 5:
            self.failures.append(text)


def _pages(start, length):
    return range(start - start % PAGE, start + length, PAGE)


class Told:
    """What a capture says it has not got. Each loss pays for as many pages as it tells; `untold` for
    all between its addresses, as its count is one of records."""

    def __init__(self, capture):
        self.pages = collections.Counter()  # by (pid, address of the page)
        self.ranges = collections.defaultdict(list)  # by pid: [start, end, pages left]
        self.pool = 0  # pages without an address
        self.told = set()  # pages that were told, whatever was captured of them later
        for pid, start, length in capture.unreadable:
            self._list(pid, start, length)
        # A number that never came is told twice if it is known whose it was.
        untold = sum(loss[4] for loss in capture.losses if loss[0] == "untold")
        for cause, pid, start, length, count in capture.losses:
            pages = -(-length // PAGE)
            if start is None or pid is None:
                self.pool += max(0, count - untold) if cause == "missing-record" else count
            elif cause != "untold" and pages <= LISTED:
                self._list(pid, start, length)
            else:
                left = float("inf") if cause == "untold" else count
                self.ranges[pid].append([start, start + length, left])

    def _list(self, pid, start, length):
        for address in _pages(start, length):
            self.pages[pid, address] += 1
            self.told.add((pid, address))

    def was_late(self, truth):
        """Something of this page was missed: if it is there all the same, it was looked at later."""
        return (truth.pid, truth.address) in self.told or any(
            start <= truth.address < end for start, end, _ in self.ranges.get(truth.pid, ()))

    def pays(self, truth):
        key = truth.pid, truth.address
        if self.pages[key] > 0:
            self.pages[key] -= 1
            return True
        for place in self.ranges[truth.pid]:
            if place[0] <= truth.address < place[1] and place[2] > 0:
                place[2] -= 1
                return True
        if self.pool > 0:
            self.pool -= 1
            return True
        return False


def judge(truths, capture, until_ns=None, from_ns=None):
    """`until_ns`: only what was made before that moment is promised (Husk was killed, or ended).
    `from_ns`: only what was made after it (Husk came later)."""
    verdict = Verdict()
    held = {}
    for pid, _, address, sha256, time_ns, reader in capture.pages:
        held.setdefault((pid, address, sha256), []).append((time_ns, reader))
    told = Told(capture)
    missing = 0
    last = {}
    for truth in sorted(truths, key=lambda truth: truth.before_ns):
        if truth.state != MADE or until_ns is not None and truth.after_ns >= until_ns or (
                from_ns is not None and truth.before_ns < from_ns):
            verdict.open += 1
            continue
        verdict.made += 1
        found = held.get((truth.pid, truth.address, truth.sha256))
        if not found:
            if told.pays(truth):
                verdict.told += 1
                continue
            missing += 1
            verdict.fail(
                f"lost without a record: {truth.kind} of process {truth.pid}, thread {truth.tid}, "
                f"at {truth.address:#x}, sha256 {truth.sha256[:16]}, made at {truth.before_ns}")
            continue
        verdict.captured += 1
        if not told.was_late(truth):
            _time(verdict, truth, found, last, told)
    if capture.complete and (missing or verdict.told):
        verdict.fail("the capture says that it is complete")
    for text in capture.damage:
        verdict.fail(text)
    return verdict


def _time(verdict, truth, found, last, told):
    """Bytes were taken between the call's begin and its return, in the order of the calls."""
    times = [time_ns for time_ns, reader in found if reader.startswith("bpf-")]
    # What was read from outside was so a little later, and may be looked at once more.
    if len(times) < len(found) or truth.kind == "writable":
        return
    if not any(truth.before_ns <= time_ns <= truth.after_ns for time_ns in times):
        if told.pool > 0:  # the call was missed, and a later look has found the page
            told.pool -= 1
            return
        verdict.fail(f"captured at another time ({times[0]}) than between {truth.before_ns} and "
                     f"{truth.after_ns}: process {truth.pid}, {truth.address:#x}, {truth.kind}")
    if min(times) < last.get(truth.tid, 0):
        verdict.fail(f"out of order: process {truth.pid}, {truth.address:#x}, at {times[0]}")
    last[truth.tid] = max(min(times), last.get(truth.tid, 0))
