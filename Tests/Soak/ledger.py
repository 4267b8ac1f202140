# SPDX-License-Identifier: MIT
"""The workload's own account of the code that it has made: workload.c writes it, this reads it."""
import collections
import struct

HEAD = struct.Struct("<QQIIIIII")
HEAD_SIZE = 4096
TRUTH = struct.Struct("<IIIIQQQQ64s")
INTENDED, MADE = 1, 2
KINDS = ("rounds", "short", "threads", "file-view", "moved", "executed", "writable", "grandchild")
PAGE = 4096

Truth = collections.namedtuple(
    "Truth", "state pid tid kind address child before_ns after_ns sha256")
Head = collections.namedtuple("Head", "room used parent begun ended wrong killed done")


def create(path, room=400_000):
    """Sparse: what is not used takes no room."""
    with open(path, "wb") as file:
        file.write(HEAD.pack(room, 0, 0, 0, 0, 0, 0, 0))
        file.truncate(HEAD_SIZE + room * TRUTH.size)


def head(path):
    with open(path, "rb") as file:
        return Head(*HEAD.unpack(file.read(HEAD.size)))


def truths(path):
    """All that were noted, in the order in which their places were taken."""
    found = []
    with open(path, "rb") as file:
        facts = Head(*HEAD.unpack(file.read(HEAD.size)))
        file.seek(HEAD_SIZE)
        data = file.read(min(facts.used, facts.room) * TRUTH.size)
    for fields in TRUTH.iter_unpack(data):
        if fields[0] in (INTENDED, MADE):
            found.append(Truth(*fields[:3], KINDS[fields[3]], *fields[4:8], fields[8].decode()))
    return found
