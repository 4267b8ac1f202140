// SPDX-License-Identifier: MIT
internal import HuskModel

/// Puts what was noticed of one region into words, and says which technique it would be.
struct Account {
    let region: JudgedRegion
    let mark: JudgedRegion.Mark
    let layer: Layer?
    let layers: LayerTracker

    typealias Statement = (
        importance: Finding.Importance, techniques: [Technique], reason: String
    )

    /// Nil: on a second look it is nothing.
    func statement(of kind: Finding.Kind) -> Statement? {
        switch kind {
        case .writtenThenExecutable: writtenThenExecutable()
        case .deeperLayer: deeperLayer()
        case .writableAndExecutable: writableAndExecutable()
        case .executableStack, .executableHeap: executableData()
        case .filelessMapping: filelessMapping()
        case .imageInMemory: imageInMemory()
        case .foreignWrite: foreignWrite()
        case .ownWrite: ownWrite()
        case .textRewritten: textRewritten()
        case .vdsoChanged: vdsoChanged()
        case .decrypted: decrypted()
        case .executedWhileWritable: executedWhileWritable()
        case .filelessProgram, .dualMapping: nil
        }
    }

    // MARK: Rules

    private func writtenThenExecutable() -> Statement? {
        let wasWritten = mark.previous?.contains(.write) ?? false || region.captured > 0
        // Mapped executable and never written: nothing can be there.
        guard wasWritten else { return nil }
        return (
            hasSubstance ? .notable : .context, packing,
            "\(place) were written, then made executable\(change)\(maker)\(look)\(layerNote)"
        )
    }

    private func deeperLayer() -> Statement? {
        guard let layer else { return nil }
        return (
            hasSubstance ? .notable : .context, packing,
            "\(place) became executable\(change)\(maker)\(look): layer \(layer.number)"
                + (maker(of: layer).map { ", made by layer \($0.number) at \($0.start)" } ?? "")
        )
    }

    private func writableAndExecutable() -> Statement? {
        let isInjected = region.marks[.foreignWrite] != nil
        let isUsed = region.captured > 0 || region.appearance != nil || region.entry != nil
        return (
            isUsed && hasSubstance ? .notable : .context,
            [isInjected ? .processInjection : .reflectiveCodeLoading],
            "\(place) were writable and executable at once\(change)\(maker)"
                + (isUsed ? look : "; nothing was seen in it") + layerNote
        )
    }

    private func executableData() -> Statement? {
        // What a program's header asks for is a weakness, and old programs have it.
        let isAsked = region.kind == .execve || region.kind == .present
        let isUsed = region.entry != nil || region.appearance?.kind.isCode == true
        return (
            isAsked && !isUsed ? .context : .notable, [.reflectiveCodeLoading],
            "the \(region.backing.kind) at \(region.start) (\(Self.size(region.length))) "
                + "\(isAsked ? "is executable, as its program asks for" : "was made executable")"
                + "\(change)\(isAsked ? "" : maker)\(look)"
        )
    }

    private func filelessMapping() -> Statement? {
        // A library that was upgraded while a process went on is deleted as well.
        let isOld = region.kind == .present && region.backing.kind == "file"
        // The program itself: it is told as a fileless program.
        let isProgram = region.kind == .execve
        let name = region.backing.file.map { " \($0.name.escaped)" } ?? ""
        return (
            isOld || isProgram ? .context : .notable, [.reflectiveCodeLoading],
            "\(place)\(name), which is on no disk, were mapped executable\(maker)\(look)"
        )
    }

    private func imageInMemory() -> Statement? {
        guard let image = region.images.first else { return nil }
        var reason =
            "\(image.format == .elf ? "an ELF" : "a PE") image (\(image.summary)) lies at "
            + "\(image.address) in executable \(region.backing.kind) memory"
        if image.address != region.start { reason += " that begins at \(region.start)" }
        if let entry = image.entry { reason += ", entry 0x\(String(entry, radix: 16))" }
        if !image.libraries.isEmpty {
            let names = image.libraries.prefix(4).map(\.escaped).joined(separator: ", ")
            reason += ", needs \(names)"
        }
        if let hash = image.importHash { reason += ", \(hash.kind.rawValue) \(hash.value)" }
        if region.images.count > 1 { reason += "; \(region.images.count - 1) more with it" }
        return (.notable, [.reflectiveCodeLoading], reason + maker)
    }

    private func foreignWrite() -> Statement? {
        let who =
            mark.writer.map {
                "process \($0.task.pid) (\($0.threadName.escaped))"
            } ?? "another process"
        let technique: [Technique] =
            switch mark.call {
            case .ptrace: [.ptraceSystemCalls]
            case .processVMWritev, .userfaultfd: [.processInjection]
            default: isThroughProc ? [.procMemory] : [.processInjection]
            }
        return (
            .notable, technique,
            "\(who) has written into code of process \(region.task.pid) "
                + "(\(region.name.escaped))\(way): \(place)\(look)\(Self.times(mark.count))"
        )
    }

    private func ownWrite() -> Statement? {
        (
            .notable,
            [isThroughProc ? .procMemory : .reflectiveCodeLoading],
            "\(place), executable (\(mark.effective)), were written\(way) by "
                + (mark.writer == nil ? "a call" : "the process itself")
                + "\(look)\(Self.times(mark.count))"
        )
    }

    private func textRewritten() -> Statement? {
        // Relocations in the code: old libraries, and code that was built without -fPIC.
        let isLoader =
            mark.requester?.backing.file.map { file in
                ["ld-linux", "ld-musl", "ld.so", "ld-2"].contains {
                    file.name.bytes.starts(with: Array($0.utf8))
                }
            } ?? false
        let name = region.backing.file.map { $0.name.escaped } ?? "a file"
        return (
            isLoader ? .context : .notable, isLoader ? [] : packing,
            "code of \(name) at \(region.start) (\(Self.size(region.length))) has changed in "
                + "memory since it was mapped: \(Self.pages(mark.pages.count)), protection now "
                + "\(mark.effective)\(maker)"
                + (isLoader ? " (the dynamic loader: relocations)" : "") + look
        )
    }

    private func vdsoChanged() -> Statement? {
        let who =
            mark.writer.map {
                " by process \($0.task.pid) (\($0.threadName.escaped))"
            } ?? ""
        return (
            .notable, [.vdsoHijacking],
            "the kernel's own code (vdso) at \(region.start) has changed in process "
                + "\(region.task.pid)\(way)\(who)\(Self.times(mark.count))"
        )
    }

    private func decrypted() -> Statement? {
        let first = mark.pages.min() ?? region.start
        return (
            .notable, [.deobfuscation],
            "\(Self.pages(mark.pages.count)) from \(first) looked encrypted or compressed (entropy of "
                + "\(Appearance.highEntropy) bits per byte or more) and became code later\(look)"
        )
    }

    private func executedWhileWritable() -> Statement? {
        guard let entry = region.entry else { return nil }
        let writer = region.writingCode.map { "; written by code \(Self.site($0))" } ?? ""
        return (
            .notable, layer.map { $0.number > 1 } ?? false ? packing : [.reflectiveCodeLoading],
            "code was about to run at \(entry) in writable memory: \(place)\(look)\(writer)"
                + "\(layerNote)\(Self.times(mark.count))"
        )
    }

    // MARK: Facts

    /// There is something that may be code. What is not known may be, too.
    private var hasSubstance: Bool {
        guard region.entry == nil else { return true }
        switch region.appearance?.kind {
        case .zeros, .text: return false
        default: return true
        }
    }

    private var packing: [Technique] {
        switch region.appearance?.kind {
        case .elf, .pe, .code64, .code32, .jitCode, .shellcode: [.softwarePacking, .deobfuscation]
        default: region.images.isEmpty ? [.softwarePacking] : [.softwarePacking, .deobfuscation]
        }
    }

    /// A call that writes to files, of what no file stands behind.
    private var isThroughProc: Bool {
        switch mark.call {
        case .write, .pwrite64, .writev, .pwritev, .pwritev2, .sendfile, .splice, .copyFileRange:
            region.backing.file == nil
                || region.backing.kind == "file" && region.backing.file?.linkCount != 0
        default: false
        }
    }

    private var way: String {
        guard let call = mark.call else { return "" }
        guard isThroughProc else { return " with \(call.rawValue)" }
        return region.backing.file == nil
            ? " through /proc/PID/mem (\(call.rawValue))"
            : " through /proc/PID/mem or the file itself (\(call.rawValue))"
    }

    private var place: String {
        "\(Self.size(region.length)) of \(region.backing.kind) memory at \(region.start)"
    }

    private var change: String {
        let before = mark.previous.map { "\($0) -> " } ?? ""
        let call = mark.call.map { ", \($0.rawValue)" } ?? ""
        return " (\(before)\(mark.effective)\(call))"
    }

    private var maker: String {
        (mark.requester ?? region.requester).map { " by code \(Self.site($0))" } ?? ""
    }

    private var look: String {
        guard let appearance = region.appearance else { return "" }
        let name = appearance.kind.rawValue
        return "; it looks like \(name): \(appearance.reasons.prefix(3).joined(separator: ", "))"
    }

    private var layerNote: String {
        guard let layer else { return "" }
        let parent = maker(of: layer).map { "layer \($0.number) at \($0.start)" }
        return "; layer \(layer.number), made by \(parent ?? "a file on disk or an unknown caller")"
    }

    private func maker(of layer: Layer) -> Layer? {
        // Numbers are places, from 1 on.
        layer.parent.flatMap {
            layers.layers.indices.contains($0 - 1) ? layers.layers[$0 - 1] : nil
        }
    }

    private static func site(_ site: CallSite) -> String {
        if let file = site.backing.file { return "of \(file.name.escaped) at \(site.address)" }
        return "in \(site.backing.kind) memory at \(site.address)"
    }

    /// For people: `4 KiB`, `3 MiB`.
    static func size(_ bytes: UInt64) -> String {
        switch bytes {
        case 0..<1024: "\(bytes) bytes"
        case 1024..<(1 << 20): "\(bytes >> 10) KiB"
        case (1 << 20)..<(1 << 30): "\(bytes >> 20) MiB"
        default: "\(bytes >> 30) GiB"
        }
    }

    private static func pages(_ count: Int) -> String { count == 1 ? "1 page" : "\(count) pages" }

    static func times(_ count: Int) -> String { count > 1 ? " (\(count) times)" : "" }
}
