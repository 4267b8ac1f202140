# SPDX-License-Identifier: MIT
"""What a process holds: memory, descriptors, threads, and objects of BPF."""
import ctypes
import os
import re
import time

SYS_BPF = 321  # x86-64
# Commands of bpf(2): the number after this one, of each kind of object.
NEXT = {"program": 11, "map": 12, "link": 31}
NAMES = {"prog_id": "program", "map_id": "map", "link_id": "link"}

_libc = ctypes.CDLL(None, use_errno=True)


class _NextID(ctypes.Structure):
    _fields_ = [("start_id", ctypes.c_uint32), ("next_id", ctypes.c_uint32),
                ("open_flags", ctypes.c_uint32)]


def bpf_objects():
    """All of this machine: {kind: set of IDs}. Needs CAP_SYS_ADMIN."""
    found = {}
    for kind, command in NEXT.items():
        found[kind] = set()
        attributes = _NextID()
        while _libc.syscall(SYS_BPF, command, ctypes.byref(attributes),
                            ctypes.sizeof(attributes)) == 0:
            found[kind].add(attributes.next_id)
            attributes.start_id = attributes.next_id
    return found


def held_objects(pid):
    """Those that a process has descriptors of: {kind: set of IDs}."""
    found = {kind: set() for kind in NEXT}
    try:
        descriptors = os.listdir(f"/proc/{pid}/fdinfo")
    except OSError:
        return found
    for descriptor in descriptors:
        try:
            with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii",
                      errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        for name, number in re.findall(r"^(prog_id|map_id|link_id):\s+(\d+)$", text, re.M):
            # A link's lines tell its program too.
            found[NAMES[name]].add(int(number))
    return found


def left_over(objects, seconds=10):
    """Those that still exist: the kernel frees them a little after their last user has gone."""
    end = time.monotonic() + seconds
    while True:
        there = bpf_objects()
        left = {kind: ids & there[kind] for kind, ids in objects.items() if ids & there[kind]}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.1)


def sample(pid):
    """One moment of a process, or None: it has ended."""
    status = {}
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                status[name] = value.split()
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    if "VmRSS" not in status:
        return None
    held = held_objects(pid)
    return {"time": time.monotonic(), "rss_kib": int(status["VmRSS"][0]),
            "anon_kib": int(status["RssAnon"][0]), "threads": int(status["Threads"][0]),
            "descriptors": descriptors, **{kind: len(ids) for kind, ids in held.items()}}
