# SPDX-License-Identifier: MIT
"""Processes of the soak: started in sessions of their own, looked at, and ended by their IDs."""
import ctypes
import os
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
STOPPED = "Tt"

_started = []
_expected = set()  # orphans whose end someone waits for


def become_reaper():
    """What a killed Husk leaves behind becomes a child of this process, and can be waited for."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def start(command, **options):
    """A session of its own: its number is that of the process, and its children have it too."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    _started.append(process)
    return process


def facts(pid):
    """(name, state, parent, session, start time), or None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1:].rsplit(")", 1)
    fields = rest.split()
    return name, fields[0], int(fields[1]), int(fields[3]), int(fields[19])


def session(number):
    """The living processes of a session: {pid: facts}."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            told = facts(entry)
            if told and told[3] == number and told[1] not in "ZX":
                found[int(entry)] = told
    return found


def stopped(number, except_for=()):
    """The threads of a session that are stopped: [(pid, tid, name)]."""
    found = []
    for pid, told in session(number).items():
        if pid in except_for:
            continue
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            told = facts(f"{pid}/task/{thread}")
            if told and told[1] in STOPPED:
                found.append((pid, int(thread), told[0]))
    return found


def send(pid, number, parent=None, session_id=None):
    """A signal to the process that was meant, not to another that has its number by now."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        told = facts(pid)
        if told is None or told[1] in "ZX" or (parent is not None and told[2] != parent) or (
                session_id is not None and told[3] != session_id):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def tracer(pid):
    """Who traces it with ptrace(2); 0: no one."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("TracerPid")), 0)
    except OSError:
        return 0


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def end_session(number):
    """SIGKILL to all that is left of a session that this program has started."""
    left = 0
    for _ in range(50):
        living = session(number)
        if not living:
            break
        for pid in living:
            left += send(pid, signal.SIGKILL, session_id=number)
        reap()
        time.sleep(0.05)
    return left


def reap():
    """Takes the ends of processes that have become children of this one."""
    own = {process.pid for process in _started if process.returncode is None} | _expected
    for pid in children(os.getpid()):
        told = facts(pid)
        if pid not in own and told and told[1] == "Z":
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def expect(pid):
    _expected.add(pid)


def wait_orphan(pid, seconds):
    """The status of a process that is, or becomes, a child of this one; None: too long."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    return os.waitstatus_to_exitcode(status)
            except ChildProcessError:
                if facts(pid) is None:
                    return None
            time.sleep(0.02)
        return None
    finally:
        _expected.discard(pid)


def end_all():
    for process in _started:
        end_session(process.pid)
        if process.poll() is None:
            process.kill()
            process.wait()
    reap()
