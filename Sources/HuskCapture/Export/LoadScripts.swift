// SPDX-License-Identifier: MIT

/// Commands for radare2 and rizin that map the files of a ``RegionFolder`` where they were.
///
/// Made of numbers, file names that Husk has made and fixed words: a name that a target chose
/// would be a command here.
enum RadareScript {
    static func text(_ memory: MemoryRecord) -> String {
        var lines = [
            "# Memory of process \(memory.pid), by husk. Within this folder: r2 -i load.r2 -",
            "e asm.arch=x86", "e asm.bits=\(memory.bits)", "e io.va=true",
        ]
        for region in memory.regions {
            for run in region.files {
                lines.append("on ./\(run.file) \(run.address) \(region.protection)")
            }
        }
        lines.append("fs husk")
        for region in memory.regions {
            let digits = region.start.dropFirst(2)
            lines.append(
                "f husk.\(word(region.backing.kind)).\(digits) \(region.size) \(region.start)")
        }
        if let entry = memory.entry {
            lines += ["f husk.entry 1 \(entry)", "s \(entry)"]
        } else if let first = memory.regions.lazy.flatMap(\.files).first {
            lines.append("s \(first.address)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func word(_ kind: String) -> String {
        kind.replacing("-", with: "_")
    }
}

/// A script for Ghidra that makes memory blocks of the files of a ``RegionFolder``.
///
/// It is always the same: what it works on, it reads from regions.json, as data.
enum GhidraScript {
    static let text = #"""
        # Puts the memory that husk captured into the current program.
        # Runs with Jython and with PyGhidra.
        #@category Husk
        import json
        import os
        import re

        from java.io import FileInputStream
        from ghidra.program.model.symbol import SourceType


        def safe(text):
            return re.sub("[^A-Za-z0-9_.]", "_", text)[:64]


        def load(folder):
            with open(os.path.join(folder, "regions.json")) as listing:
                memory = json.load(listing)
            blocks = currentProgram.getMemory()
            for region in memory["regions"]:
                kind = region.get("label", {}).get("kind", region["backing"]["kind"])
                for run in region["files"]:
                    # A name, never a path: nothing outside of the folder is read.
                    if not re.match("^[0-9a-f]+_[rwx-]{3}_[0-9a-f]{16}[.]bin$", run["file"]):
                        print("husk: passed over a file with a strange name")
                        continue
                    stream = FileInputStream(os.path.join(folder, run["file"]))
                    try:
                        block = blocks.createInitializedBlock(
                            "husk_%s_%s" % (safe(kind), run["address"][2:]),
                            toAddr(run["address"]), stream, run["size"], monitor, False)
                    finally:
                        stream.close()
                    protection = region["protection"]
                    block.setPermissions(
                        "r" in protection, "w" in protection, "x" in protection)
            entry = memory.get("entry")
            if entry is not None:
                address = toAddr(entry)
                createLabel(address, "husk_entry", True, SourceType.USER_DEFINED)
                addEntryPoint(address)
                disassemble(address)


        load(str(askDirectory("The folder that husk export regions has made", "Load").getPath()))

        """#
}
