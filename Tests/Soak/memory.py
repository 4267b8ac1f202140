# SPDX-License-Identifier: MIT
"""A control group with a limit of memory, below the one that this program is in."""
import os
import time

BASE = "/sys/fs/cgroup"


def _own(controller):
    """The path of this process's group: version 2 if its line has no controller."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controller in controllers.split(","):
                return path
    return None


def place():
    """(folder below which a group can be made, name of its limit, of its peak), or a reason."""
    own = _own("memory")
    if own is not None and os.path.isdir(f"{BASE}/memory"):
        parent = f"{BASE}/memory{own}"
        # In a namespace of control groups the path may not be there.
        parent = parent if os.path.isdir(parent) else f"{BASE}/memory"
        return parent, "memory.limit_in_bytes", "memory.max_usage_in_bytes"
    own = _own("")
    parent = f"{BASE}{own}" if own else BASE
    try:
        with open(f"{parent}/cgroup.subtree_control", encoding="ascii") as file:
            if "memory" in file.read().split():
                return parent, "memory.max", "memory.peak"
    except OSError as error:
        return f"no control group: {error}"
    return "the control group of this process gives no memory controller to its children"


def why_not():
    found = place()
    if isinstance(found, str):
        return found
    try:
        Group(1 << 30).remove()
    except OSError as error:
        return f"no control group can be made: {error}"
    return None


class Group:
    number = 0

    def __init__(self, limit):
        parent, self.limit_file, self.peak_file = place()
        Group.number += 1
        self.path = f"{parent}/husk-soak-{os.getpid()}-{Group.number}"
        os.mkdir(self.path)
        with open(f"{self.path}/{self.limit_file}", "w", encoding="ascii") as file:
            file.write(str(limit))

    def enter(self):
        """A command that goes into the group and executes its arguments."""
        return ["sh", "-c", f'echo $$ >"{self.path}/cgroup.procs" && exec "$@"', "sh"]

    def peak(self):
        try:
            with open(f"{self.path}/{self.peak_file}", encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0

    def remove(self):
        """Husk's helper process may end a little later."""
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.1)
