// SPDX-License-Identifier: MIT

/// What kind of code a region holds, as far as can be told from outside: so that a person can
/// hide what is ordinary. It is no judgement: hostile code can dress up as any of these.
public struct RegionLabel: Hashable, Sendable {
    /// What kind of code it is.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A file on disk, mapped by the dynamic loader or by the kernel at execve.
        case file
        /// The vdso and its like: the kernel's own code.
        case kernel
        /// Code of a JIT compiler or of a library that makes closures.
        case jit
        /// A program or library that is on no disk: memfd, deleted, /dev/shm.
        case fileless
    }

    /// How that was found out.
    public enum Source: String, Hashable, Sendable, CaseIterable {
        /// What stands behind the region.
        case backing
        /// Whose code asked for it.
        case caller
        /// /tmp/perf-PID.map, which a JIT writes for perf(1).
        case perfMap = "perf-map"
        /// A jitdump file that the process has mapped.
        case jitdump
    }

    public var kind: Kind
    public var source: Source
    /// More, for people: the library's name, how many symbols.
    public var detail: TargetText

    public init(_ kind: Kind, by source: Source, _ detail: TargetText = TargetText("")) {
        self.kind = kind
        self.source = source
        self.detail = detail
    }
}

extension RegionLabel {
    /// Engines that make code at run time, by the beginning of their file's name.
    private static let engines: [(prefix: String, name: String)] = [
        ("node", "V8"), ("libnode", "V8"), ("libv8", "V8"), ("chrom", "V8"), ("deno", "V8"),
        ("libjvm", "HotSpot"), ("libluajit", "LuaJIT"), ("luajit", "LuaJIT"),
        ("libpcre", "PCRE"), ("libffi", "libffi"), ("sbcl", "SBCL"), ("libruby", "Ruby"),
        ("ruby", "Ruby"), ("php", "PHP"), ("opcache", "PHP"), ("libcoreclr", ".NET"),
        ("libclrjit", ".NET"), ("libmozjs", "SpiderMonkey"), ("firefox", "SpiderMonkey"),
        ("libxul", "SpiderMonkey"), ("libjavascriptcoregtk", "JavaScriptCore"),
        ("libLLVM", "LLVM"), ("libgccjit", "libgccjit"), ("libqemu", "QEMU"),
        ("qemu-", "QEMU"), ("pypy", "PyPy"), ("libpypy", "PyPy"), ("beam.", "Erlang"),
        ("libmono", "Mono"), ("mono", "Mono"),
    ]

    /// The label of what is behind a region, and of who asked for it; nil: nothing is known.
    public init?(backing: Backing, caller: CallSite?) {
        switch backing {
        case .special:
            self.init(.kernel, by: .backing)
        case .memfd(let file, _):
            self.init(.fileless, by: .backing, file.name)
        case .file(let file, _):
            self =
                file.linkCount == 0
                ? RegionLabel(.fileless, by: .backing, file.name)
                : RegionLabel(.file, by: .backing, file.name)
        case .anonymous, .heap, .stack, .sharedMemory, .unknown, .none:
            guard case .file(let file, _)? = caller?.backing,
                let engine = Self.engines.first(where: {
                    file.name.bytes.starts(with: Array($0.prefix.utf8))
                })
            else { return nil }
            self.init(.jit, by: .caller, TargetText(engine.name))
        }
    }
}
