# SPDX-License-Identifier: MIT
"""The faults, one by one. Each takes a trace that is fresh, and what chance decides."""
import os
import shutil
import signal
import time

import captures
import ledger
import memory
import processes
from trace import INCOMPLETE, NOT_WRITTEN, STATUS, Trace

# The file may be behind by this much when Husk is killed: batches are half a second apart, and
# what waits for the next one is bounded by the ring and by a queue of 8 MiB.
STALE_NS = 5_000_000_000


def none(soak, setting, chance):
    """No fault: all is captured, or told."""
    trace = Trace(soak, "none", setting)
    try:
        trace.run(children=300, parallel=chance.randint(1, 6))
        status = trace.wait(trace.husk)
        trace.check_workload()
        capture = trace.read()
        trace.check_status(status, capture, STATUS)
        trace.check_verified(capture)
        trace.judge(capture)
        if setting.output == "file":
            _read_again(trace)
    finally:
        trace.end()
    return trace


def _read_again(trace):
    """The bytes behind the hashes, read here and hashed anew."""
    folder = trace.path("pages/")
    captures.lines([trace.soak.husk, "export", "pages", trace.output, "-o", folder])
    trace.judge(captures.read_folder(folder))
    shutil.rmtree(folder)


def kill_target(soak, setting, chance):
    """SIGKILL to processes of the target, at random, and at last to the one that makes them."""
    trace = Trace(soak, "kill-target", setting)
    kills, last = 0, chance.random() < 0.3
    try:
        trace.run(children=250, parallel=4)
        trace.wait_for(trace.began)
        parent = trace.parent()
        until = time.monotonic() + chance.uniform(3, 10) if last else None
        while trace.husk.poll() is None:
            time.sleep(chance.uniform(0.005, 0.08))
            if until and time.monotonic() > until:
                kills += processes.send(parent, signal.SIGKILL, parent=trace.husk.pid)
                # Those it has left behind end by themselves.
                break
            living = processes.children(parent)
            if living:
                kills += processes.send(chance.choice(living), signal.SIGKILL, parent=parent)
            if kills > 5000:
                break
        status = trace.wait(trace.husk)
        trace.check_workload(killed=True)
        trace.figures["kills"] = kills
        capture = trace.read()
        gone = not ledger.head(trace.ledger).done
        trace.check_status(status, capture, 128 + signal.SIGKILL if gone else STATUS)
        trace.check_verified(capture)
        trace.judge(capture)
    finally:
        trace.end()
    return trace


def kill_husk(soak, setting, chance):
    """SIGKILL to Husk: the target runs on as if nothing had been, and what was written is good."""
    trace = Trace(soak, "kill-husk", setting)
    try:
        trace.run(children=300, parallel=chance.randint(2, 6))
        # From before the target's first instruction to somewhere in the middle of it.
        if chance.random() < 0.8:
            trace.wait_for(trace.began)
            trace.note_objects()
            time.sleep(chance.uniform(0, 4))
        else:
            time.sleep(chance.uniform(0, 1))
            trace.note_objects()
        session, parent = trace.husk.pid, trace.parent()
        if parent:
            processes.expect(parent)
        at = time.monotonic_ns()
        trace.husk.kill()
        trace.husk.wait()
        trace.figures["kills"] = 1
        trace.check_none_stopped(session, time.monotonic())
        if parent:
            status = processes.wait_orphan(parent, 120)
            if status is None and processes.facts(parent):
                trace.fail("the target did not end after Husk had been killed")
                trace.evidence_of_hang(session)
            elif status is not None and status != STATUS:
                trace.fail(f"the target ended with status {status} instead of {STATUS}")
        trace.check_workload()
        trace.check_objects()
        _check_cut(trace, at)
    finally:
        trace.end()
    return trace


def _check_cut(trace, at):
    """The capture of a Husk that has been killed: whole up to a moment shortly before."""
    if not os.path.exists(trace.output) or trace.setting.output == "folder" and (
            not os.path.exists(os.path.join(trace.output, "manifest.jsonl"))):
        trace.figures["nothing_written"] = 1
        return
    if trace.setting.output == "file" and os.path.getsize(trace.output) == 0:
        trace.figures["nothing_written"] = 1
        return
    capture = trace.read()
    if capture.finished:
        # It was killed after its last word.
        trace.check_verified(capture)
        trace.judge(capture)
        return
    if capture.complete:
        trace.fail("the capture is not finished, and says that it is complete")
    capture.damage = [text for text in capture.damage if not text.endswith("is cut off")]
    trace.check_verified(capture, may_be_cut=True)
    known = {truth[:2] for truth in ((t.pid, t.sha256) for t in ledger.truths(trace.ledger))}
    times = [page[4] for page in capture.pages if (page[0], page[3]) in known]
    last = max(times, default=0)
    told = trace.judge(capture, until_ns=last)
    if told.captured:
        trace.figures["behind_ms"] = (at - last) // 1_000_000
        if at - last > STALE_NS:
            trace.fail(f"the capture ends {(at - last) / 1e9:.1f} s before Husk was killed")


def pause_husk(soak, setting, chance):
    """SIGSTOP to Husk for a while: the target goes on, and what was lost by that is told."""
    trace = Trace(soak, "pause-husk", setting)
    pauses, paused = 0, 0.0
    try:
        trace.run(children=300, parallel=chance.randint(2, 6))
        trace.wait_for(trace.began)
        while trace.husk.poll() is None and pauses < 3:
            time.sleep(chance.uniform(0.1, 1))
            if ledger.head(trace.ledger).done:
                break
            length = chance.choice((chance.uniform(0.05, 0.5), chance.uniform(1.5, 3)))
            os.kill(trace.husk.pid, signal.SIGSTOP)
            try:
                begin = time.monotonic()
                time.sleep(min(length, 1.2))
                before = ledger.head(trace.ledger)
                time.sleep(max(0, length - 1.2))
                after = ledger.head(trace.ledger)
            finally:
                os.kill(trace.husk.pid, signal.SIGCONT)
            pauses += 1
            paused += time.monotonic() - begin
            # With trap Husk is the tracer: its tracees wait for it at each of their stops.
            if length > 2.2 and setting.rwx == "observe" and not before.done and (
                    after.used == before.used):
                trace.fail(f"the target stood still while Husk was stopped for {length:.1f} s")
        status = trace.wait(trace.husk)
        trace.figures.update(pauses=pauses, paused_s=round(paused, 1))
        trace.check_workload()
        capture = trace.read()
        trace.check_status(status, capture, STATUS)
        trace.check_verified(capture)
        trace.judge(capture)
    finally:
        trace.end()
    return trace


def detach(soak, setting, chance):
    """SIGINT or SIGTERM to a Husk that has attached: the target goes on, what was is captured."""
    trace = Trace(soak, "detach", setting)
    try:
        trace.attach(children=300, parallel=chance.randint(2, 6))
        if not trace.wait_for(lambda: _attached(trace)):
            trace.fail("husk attach has not begun: " + trace.text("husk.err").strip())
            return trace
        trace.note_objects()
        begin = time.monotonic_ns()
        trace.go()
        trace.wait_for(trace.began)
        time.sleep(chance.uniform(0.2, 5))
        at = time.monotonic_ns()
        trace.husk.send_signal(chance.choice((signal.SIGINT, signal.SIGTERM)))
        status = trace.wait(trace.husk)
        trace.check_none_stopped(trace.workload.pid, time.monotonic())
        ended = trace.wait(trace.workload)
        if ended is not None and ended != STATUS:
            trace.fail(f"the target ended with status {ended} instead of {STATUS}")
        trace.check_workload()
        trace.check_objects()
        capture = trace.read()
        trace.check_status(status, capture, 0)
        trace.check_verified(capture)
        trace.judge(capture, until_ns=at, from_ns=begin)
    finally:
        trace.end()
    return trace


def _attached(trace):
    """What is executable already is told, and with `trap` the target has its tracer."""
    if trace.setting.rwx == "trap" and not processes.tracer(trace.workload.pid):
        return False
    if trace.setting.output == "folder":
        path = os.path.join(trace.output, "manifest.jsonl")
        return os.path.exists(path) and os.path.getsize(path) > 0
    if not os.path.exists(trace.output):
        return False
    try:
        return captures.lines([trace.soak.husk, "info", "--json", trace.output])[0]["pages"] > 0
    except (RuntimeError, KeyError, IndexError):
        return False


def full_disk(soak, setting, chance):
    """The capture goes to a file system that fills up, in a mount namespace of Husk's own."""
    trace = Trace(soak, "full-disk", setting)
    size = chance.randint(3, 8) if setting.output == "file" else chance.randint(2, 20)
    small, status_file = trace.path("small"), trace.path("status")
    os.mkdir(small)
    inside = os.path.join(small, "capture/" if setting.output == "folder" else "capture.husk")
    # What was written is taken out of the namespace before it goes.
    script = (f'mount -t tmpfs -o size={size}M,mode=700 soak "$1" || exit 99; shift; '
              'status=$1 to=$2; shift 2; "$@"; echo $? >"$status"; '
              f'cp -a "{small}"/capture* "$to"')
    try:
        trace.run(before=["unshare", "--mount", "--propagation", "private", "sh", "-c", script,
                          "sh", small, status_file, trace.folder],
                  output=inside, children=1500, parallel=4)
        trace.wait(trace.husk, 240)
        text = trace.text("status").strip()
        if not text:
            trace.fail("no status: " + trace.text("husk.err")[-500:])
            return trace
        trace.figures["disk_mib"] = size
        if not trace.parent() and int(text) == NOT_WRITTEN:
            trace.figures["refused"] = 1
            return trace
        trace.check_workload()
        capture = trace.read()
        filled = any(loss[0] == "not-stored" for loss in capture.losses)
        trace.figures["filled"] = int(filled)
        trace.check_status(int(text), capture, STATUS, NOT_WRITTEN if filled else INCOMPLETE)
        trace.check_verified(capture)
        trace.judge(capture)
    finally:
        trace.end()
    return trace


def low_memory(soak, setting, chance):
    """Husk alone in a control group with less memory than it would like."""
    trace = Trace(soak, "low-memory", setting)
    limit = chance.choice((16, 24, 32, 40, 48, 64, 96))
    group = memory.Group(limit << 20)
    try:
        trace.attach(before=group.enter(), children=400, parallel=4)
        processes.expect(trace.husk.pid)
        attached = trace.wait_for(lambda: _attached(trace), 60)
        begin = time.monotonic_ns()
        if attached:
            trace.note_objects()
        trace.go()
        ended = trace.wait(trace.workload)
        at = time.monotonic_ns()
        status = trace.wait(trace.husk)
        trace.check_none_stopped(trace.workload.pid, time.monotonic())
        if ended is not None and ended != STATUS:
            trace.fail(f"the target ended with status {ended} instead of {STATUS}")
        trace.figures.update(limit_mib=limit, husk_status=status, peak_mib=group.peak() >> 20)
        trace.check_workload()
        trace.check_objects()
        if status == -signal.SIGKILL:
            trace.figures["out_of_memory"] = 1
            _check_cut(trace, at)
        elif status in (0, INCOMPLETE) and attached:
            capture = trace.read()
            trace.check_status(status, capture, 0)
            trace.check_verified(capture)
            trace.judge(capture, from_ns=begin)
        elif not trace.text("husk.err").strip():
            trace.fail(f"Husk ended with status {status} without a word")
        else:
            trace.figures["refused"] = 1
    finally:
        trace.end()
        group.remove()
    return trace
