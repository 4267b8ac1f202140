// SPDX-License-Identifier: MIT
internal import CYara
internal import HuskModel

/// Applies rules to a target's memory.
///
/// Rules see virtual addresses: the offset of a match (`@a`), `$a at 0x...` and `uint32(0x...)` are
/// addresses; `filesize` is undefined. Blocks are read one at a time. Not to be used from two
/// threads.
public final class YaraScanner {
    /// String matches that are told of each rule; the rest is counted.
    public static let stringLimit = 1000
    /// Rules that are told.
    public static let matchLimit = 10_000
    /// Bytes that are told of each string match.
    public static let dataLimit = 64

    private let rules: YaraRules
    private let pointer: UnsafeMutablePointer<YR_SCANNER>

    /// - Parameters:
    ///   - rules: what to look for.
    ///   - timeout: of each scan, in whole seconds, at least one. libyara looks at the clock now
    ///     and then: it may be a little more.
    public init(_ rules: YaraRules, timeout: Duration = .seconds(60)) throws(YaraError) {
        var created: UnsafeMutablePointer<YR_SCANNER>?
        let status = yr_scanner_create(rules.pointer, &created)
        guard status == ERROR_SUCCESS, let created else {
            throw YaraRules.failure("yr_scanner_create", status)
        }
        self.rules = rules
        pointer = created
        let seconds = min(max(1, timeout.components.seconds), 86_400)
        yr_scanner_set_timeout(pointer, Int32(seconds))
        // The memory is Husk's own: no signal handlers are needed around reading it.
        yr_scanner_set_flags(
            pointer, Int32(SCAN_FLAGS_PROCESS_MEMORY | SCAN_FLAGS_NO_TRYCATCH))
    }

    deinit {
        yr_scanner_destroy(pointer)
    }

    /// Scans blocks, together: a rule may be true because of strings in several of them.
    ///
    /// - Throws: of the kind `timeout` if the time is up, `tooComplex` if a regular expression takes
    ///   too much, `memory` if a block could not be read or
    ///   has other than `length` bytes.
    public func scan(_ blocks: [YaraBlock]) throws(YaraError) -> YaraScan {
        let blocks = blocks.filter { $0.length > 0 }
        guard !blocks.isEmpty else { return YaraScan() }
        let feed = BlockFeed(blocks)
        let collector = MatchCollector()
        // Safe: both objects live until the scan has returned, and libyara keeps neither.
        yr_scanner_set_callback(
            pointer, MatchCollector.callback, Unmanaged.passUnretained(collector).toOpaque())
        var iterator = YR_MEMORY_BLOCK_ITERATOR()
        iterator.context = Unmanaged.passUnretained(feed).toOpaque()
        iterator.first = BlockFeed.first
        iterator.next = BlockFeed.next
        let status = yr_scanner_scan_mem_blocks(pointer, &iterator)
        withExtendedLifetime((feed, collector)) {}
        if let failure = feed.failure { throw failure }
        switch status {
        case ERROR_SUCCESS: return collector.scan
        case ERROR_SCAN_TIMEOUT:
            throw YaraError(
                .timeout,
                "the rules took too long on \(blocks.count) blocks from \(blocks[0].base)",
                hint: "Allow more time, scan less, or leave the slowest rules out")
        case ERROR_TOO_MANY_RE_FIBERS, ERROR_EXEC_STACK_OVERFLOW:
            throw YaraError(
                .tooComplex, "a rule\(culprit) needs more than libyara allows on these bytes",
                hint: "Simplify its regular expression, or leave it out")
        case ERROR_TOO_MANY_MATCHES:
            collector.scan.isCut = true
            return collector.scan
        default: throw YaraRules.failure("yr_scanner_scan_mem_blocks", status)
        }
    }

    /// The string that has made the last scan fail, if libyara knows.
    private var culprit: String {
        guard let string = yr_scanner_last_error_string(pointer),
            let rule = yr_scanner_last_error_rule(pointer),
            let name = husk_yara_rule_name(rule), let identifier = husk_yara_string_name(string)
        else { return "" }
        return " (\(String(cString: name)), \(String(cString: identifier)))"
    }
}

/// Hands blocks to libyara, one at a time.
private final class BlockFeed {
    private let blocks: [YaraBlock]
    private var index = 0
    /// What libyara was given. Allocated, because it keeps the address between calls.
    private let current: UnsafeMutablePointer<YR_MEMORY_BLOCK>
    private var loaded: (index: Int, bytes: UnsafeMutableBufferPointer<UInt8>)?
    private(set) var failure: YaraError?

    init(_ blocks: [YaraBlock]) {
        self.blocks = blocks
        current = .allocate(capacity: 1)
        current.initialize(to: YR_MEMORY_BLOCK())
    }

    deinit {
        loaded?.bytes.deallocate()
        current.deallocate()
    }

    static let first: YR_MEMORY_BLOCK_ITERATOR_FUNC = { iterator in
        feed(iterator?.pointee.context)?.step(iterator, to: 0)
    }

    static let next: YR_MEMORY_BLOCK_ITERATOR_FUNC = { iterator in
        guard let feed = feed(iterator?.pointee.context) else { return nil }
        return feed.step(iterator, to: feed.index + 1)
    }

    private static let fetch: YR_MEMORY_BLOCK_FETCH_DATA_FUNC = { block in
        feed(block?.pointee.context)?.load()
    }

    /// Safe: the context is the feed that `scan` holds while libyara calls.
    private static func feed(_ context: UnsafeMutableRawPointer?) -> BlockFeed? {
        context.map { Unmanaged<BlockFeed>.fromOpaque($0).takeUnretainedValue() }
    }

    private func step(
        _ iterator: UnsafeMutablePointer<YR_MEMORY_BLOCK_ITERATOR>?, to index: Int
    ) -> UnsafeMutablePointer<YR_MEMORY_BLOCK>? {
        iterator?.pointee.last_error = ERROR_SUCCESS
        guard index < blocks.count, failure == nil else { return nil }
        self.index = index
        current.pointee.base = blocks[index].base.rawValue
        current.pointee.size = blocks[index].length
        current.pointee.context = Unmanaged.passUnretained(self).toOpaque()
        current.pointee.fetch_data = Self.fetch
        return current
    }

    /// The bytes of the current block, which stay where they are until another one is loaded.
    private func load() -> UnsafePointer<UInt8>? {
        if let loaded, loaded.index == index { return UnsafePointer(loaded.bytes.baseAddress) }
        let block = blocks[index]
        do {
            let bytes = try block.bytes()
            guard bytes.count == block.length else {
                failure = YaraError(
                    .memory, "\(bytes.count) of \(block.length) bytes at \(block.base)",
                    hint: "Give blocks whose bytes are all there")
                return nil
            }
            loaded?.bytes.deallocate()
            let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
            _ = copy.initialize(from: bytes)
            loaded = (index, copy)
            return UnsafePointer(copy.baseAddress)
        } catch {
            failure = YaraError(
                .memory, "cannot read the memory at \(block.base): \(error)",
                hint: "Check the capture with husk verify")
            return nil
        }
    }
}

/// Takes what libyara tells.
private final class MatchCollector {
    var scan = YaraScan()

    static let callback: YR_CALLBACK_FUNC = { context, message, data, user in
        guard let user, let context, let data else { return CALLBACK_CONTINUE }
        // Safe: the collector lives as long as the scan; what `data` points to depends on the
        // message, as libyara documents.
        let collector = Unmanaged<MatchCollector>.fromOpaque(user).takeUnretainedValue()
        switch message {
        case CALLBACK_MSG_RULE_MATCHING:
            let rule = UnsafePointer(data.assumingMemoryBound(to: YR_RULE.self))
            return collector.take(rule, UnsafePointer(context))
        case CALLBACK_MSG_TOO_MANY_MATCHES:
            let string = UnsafePointer(data.assumingMemoryBound(to: YR_STRING.self))
            let name = text(husk_yara_string_name(string))
            if collector.scan.floodedStrings.count < 100 {
                collector.scan.floodedStrings.append(name)
            }
            return CALLBACK_CONTINUE
        default: return CALLBACK_CONTINUE
        }
    }

    private func take(
        _ rule: UnsafePointer<YR_RULE>, _ context: UnsafePointer<YR_SCAN_CONTEXT>
    ) -> Int32 {
        guard scan.matches.count < YaraScanner.matchLimit else {
            scan.isCut = true
            return CALLBACK_ABORT
        }
        var match = YaraMatch(
            rule: Self.text(husk_yara_rule_name(rule)),
            namespace: Self.text(husk_yara_rule_namespace(rule)))
        var tag = husk_yara_next_tag(rule, nil)
        while let current = tag {
            match.tags.append(Self.text(current))
            tag = husk_yara_next_tag(rule, current)
        }
        var meta = husk_yara_next_meta(rule, nil)
        while let current = meta {
            match.metas.append(Self.meta(current))
            meta = husk_yara_next_meta(rule, current)
        }
        var string = husk_yara_next_string(rule, nil)
        while let current = string {
            takeMatches(of: current, context, &match)
            string = husk_yara_next_string(rule, current)
        }
        scan.matches.append(match)
        return CALLBACK_CONTINUE
    }

    private func takeMatches(
        of string: UnsafePointer<YR_STRING>, _ context: UnsafePointer<YR_SCAN_CONTEXT>,
        _ match: inout YaraMatch
    ) {
        let name = Self.text(husk_yara_string_name(string))
        var place = husk_yara_next_match(context, string, nil)
        while let current = place {
            if match.strings.count < YaraScanner.stringLimit {
                let found = current.pointee
                let length = max(0, Int(min(found.data_length, found.match_length)))
                // Safe: libyara keeps `data_length` bytes there until the next scan.
                let data = UnsafeBufferPointer(
                    start: found.data, count: min(length, YaraScanner.dataLimit))
                match.strings.append(
                    YaraMatch.StringMatch(
                        identifier: name,
                        address: Address(UInt64(bitPattern: found.base &+ found.offset)),
                        length: UInt64(max(0, found.match_length)),
                        data: found.data == nil ? [] : Array(data)))
            } else {
                match.furtherStrings += 1
            }
            place = husk_yara_next_match(context, string, current)
        }
    }

    private static func meta(_ meta: UnsafePointer<YR_META>) -> YaraMatch.Meta {
        let value: YaraMatch.Value =
            if let words = husk_yara_meta_text(meta) {
                .text(text(words))
            } else if husk_yara_meta_is_boolean(meta) != 0 {
                .boolean(meta.pointee.integer != 0)
            } else {
                .integer(meta.pointee.integer)
            }
        return YaraMatch.Meta(name: text(husk_yara_meta_name(meta)), value: value)
    }

    private static func text(_ words: UnsafePointer<CChar>?) -> String {
        words.map { String(cString: $0) } ?? ""
    }
}
