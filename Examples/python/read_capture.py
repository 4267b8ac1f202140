#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""read_capture.py [--extract FOLDER] FILE: the code of a capture file that is in no file.

Lists each region of anonymous memory that was executable, and each version of each of its pages
with its SHA-256, which is checked; --extract writes the versions into a folder.

A capture file is an SQLite database (docs/capture-format.md), so the standard library reads all
of it but the bytes, which are compressed by zstd. Those are expanded by Python 3.14's own module,
by `zstandard` from PyPI (Debian: python3-zstandard), or by zstd(1).
"""

import argparse
import hashlib
import json
import pathlib
import signal
import sqlite3
import subprocess
import sys
from urllib.parse import quote

# ARTICLE-BEGIN python-open
APPLICATION_ID = 0x4855534B  # "HUSK"
SCHEMA_VERSION = 1


def open_capture(path):
    """Opens a capture read-only: also one whose trace still runs."""
    database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    (identifier,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if identifier != APPLICATION_ID or version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"{path}: no capture file of version {SCHEMA_VERSION}")
    return database


# ARTICLE-END


# ARTICLE-BEGIN python-expand
LARGEST = 1 << 20  # of one content: nothing that says it is larger is expanded


def expander():
    """The function that expands one zstd frame to `size` bytes."""
    try:
        from compression import zstd  # Python 3.14

        return lambda data, size: zstd.ZstdDecompressor().decompress(data, size)
    except ImportError:
        pass
    try:
        import zstandard

        return lambda data, size: zstandard.ZstdDecompressor().decompress(data, size)
    except ImportError:
        return expand_with_program


def expand_with_program(data, size):
    """The same by zstd(1): some milliseconds for each."""
    with subprocess.Popen(
        ["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(data)
        process.stdin.close()
        return process.stdout.read(size)


# ARTICLE-END


def contents_of(database, expand):
    """Returns a function that gives a content's bytes by its row."""

    def content(row):
        size, digest, encoding, data = database.execute(
            "SELECT size, sha256, encoding, bytes FROM content"
            " JOIN content_bytes ON content_bytes.content = content.id WHERE id = ?",
            (row,),
        ).fetchone()
        if not 0 < size <= LARGEST:
            raise sqlite3.DatabaseError(f"content {row} says that it has {size} bytes")
        if encoding == "zstd":
            data = expand(data, size)
        if len(data) != size or hashlib.sha256(data).digest() != digest:
            raise sqlite3.DatabaseError(f"content {row} is not what its SHA-256 says")
        return data

    return content


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extract", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("file")
    options = parser.parse_args()

    database = open_capture(options.file)
    content = contents_of(database, expander())
    command, complete = database.execute("SELECT command, complete FROM capture").fetchone()
    print(
        " ".join(json.loads(command)) if command else "attached",
        {None: "unfinished", 0: "INCOMPLETE", 1: "complete"}[complete],
    )

    if options.extract:
        options.extract.mkdir(mode=0o700, exist_ok=True)

    # ARTICLE-BEGIN python-regions
    regions = database.execute("""
        SELECT region.id, process.pid, start, length, protection
        FROM region JOIN process ON process.id = region.process
        WHERE backing = 'anonymous' ORDER BY region.id""")
    for region, pid, start, length, protection in regions:
        print(f"r{region} {pid} {start:#x} {length} {protection}")
        pages = database.execute(
            "SELECT address, generation, content FROM snapshot WHERE region = ? ORDER BY position",
            (region,),
        )
        for address, generation, row in pages:
            if row is None:  # `unreadable` says why
                print(f"  page {address:#x} generation {generation} not readable")
                continue
            data = content(row)  # the bytes
            digest = hashlib.sha256(data).hexdigest()
            print(f"  page {address:#x} generation {generation} {digest}")
            if options.extract:
                name = f"{pid}-{address:x}-{generation}.bin"
                (options.extract / name).write_bytes(data)
    # ARTICLE-END


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # head(1) may have read enough
    try:
        main()
    except (sqlite3.Error, OSError) as error:
        sys.exit(f"read_capture.py: {error}")
