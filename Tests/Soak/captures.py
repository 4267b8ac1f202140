# SPDX-License-Identifier: MIT
"""What a capture holds: a file is asked through `husk list`, a folder is read without Husk."""
import hashlib
import json
import os
import subprocess

PAGE = 4096
PATIENCE = 300


class Capture:
    def __init__(self):
        self.pages = []  # (pid, tid, address, sha256, time_ns, reader)
        self.unreadable = []  # (pid, start, length)
        self.losses = []  # (cause, pid or None, start or None, length, count)
        self.finished = False
        self.complete = None  # None: it does not say
        self.sums = {}
        self.offsets = set()  # of the wall clock to the monotonic one, in ns
        self.damage = []  # what is not as the capture itself says

    def causes(self):
        sums = {}
        for cause, _, _, _, count in self.losses:
            sums[cause] = sums.get(cause, 0) + count
        if self.unreadable:
            sums["unreadable"] = sum(length // PAGE for _, _, length in self.unreadable)
        return sums


def lines(command):
    """The JSON lines that a command prints; what goes wrong with it is an exception."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            output, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    if process.returncode not in (0, 122):
        told = errors.decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(command[1:])}: status {process.returncode}: {told}")
    return [json.loads(line) for line in output.splitlines()]


def _number(value):
    return value if isinstance(value, int) else int(value, 0)


def _loss(capture, line):
    start = line.get("start")
    process = line.get("process") or {}
    capture.losses.append((
        line["cause"], process.get("pid") or None, int(start, 16) if start else None,
        _number(line.get("length") or 0), _number(line.get("count", 1))))


def read_file(husk, path):
    capture = Capture()
    capture.sums = lines([husk, "info", "--json", path])[0]
    capture.finished = capture.sums["finished"]
    capture.complete = capture.sums.get("complete")
    for line in lines([husk, "list", "pages", "--json", path]):
        task = line["process"]
        address = int(line["address"], 16)
        if "unreadable" in line:
            capture.unreadable.append((task["pid"], address, line["size"]))
            continue
        time = line["time"]
        capture.offsets.add(time["wall_ns"] - time["monotonic_ns"])
        capture.pages.append((task["pid"], task["tid"], address, line["sha256"],
                              time["monotonic_ns"], line["reader"]))
    for line in lines([husk, "list", "losses", "--json", path]):
        _loss(capture, line)
    return capture


def read_folder(path):
    """Reads the manifest and hashes each file anew."""
    capture = Capture()
    with open(os.path.join(path, "manifest.jsonl"), "rb") as manifest:
        told = manifest.read().split(b"\n")
    # A trace that was cut off ends in the middle of a line.
    if told[-1]:
        capture.damage.append("the manifest's last line is cut off")
    for text in told[:-1]:
        line = json.loads(text)
        if line["type"] == "loss":
            _loss(capture, line)
        elif line["type"] == "summary":
            capture.sums = line
            capture.finished, capture.complete = True, line["complete"]
        elif line["type"] == "transition":
            _transition(capture, path, line)
    _left_out(capture)
    return capture


def _left_out(capture):
    """Losses that are in the sums only: a full disk has had no room for their lines."""
    if not capture.sums.get("lines_left_out"):
        return
    for cause, pages in capture.sums["losses"].items():
        told = sum(-(-loss[3] // PAGE) or loss[4] for loss in capture.losses if loss[0] == cause)
        if pages > told:
            capture.losses.append((cause, None, None, 0, pages - told))


def _transition(capture, folder, line):
    task = line["process"]
    capture.offsets.add(line["time"]["wall_ns"] - line["time"]["monotonic_ns"])
    for gap in line.get("unreadable", []):
        capture.unreadable.append((task["pid"], int(gap["start"], 16), _number(gap["length"])))
    for run in line.get("runs", []):
        if "file" not in run:
            continue  # told as a loss: not-stored
        with open(os.path.join(folder, run["file"]), "rb") as file:
            data = file.read()
        base = int(run["base"], 16)
        for page in run["pages"]:
            address = int(page["address"], 16)
            found = hashlib.sha256(data[address - base:address - base + PAGE]).hexdigest()
            if found != page["sha256"]:
                capture.damage.append(f"{run['file']}: the page at {address:#x} is not what it says")
            capture.pages.append((task["pid"], task["tid"], address, found,
                                  page["time_ns"], page["reader"]))


def verify(husk, path):
    """The status of `husk verify`, and what it says if that is neither 0 nor 122."""
    done = subprocess.run([husk, "verify", path], capture_output=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout.decode(errors="replace")[-2000:]
