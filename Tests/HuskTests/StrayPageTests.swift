// SPDX-License-Identifier: MIT
import HuskProbes
import Testing

@testable import Husk

/// Records of pages whose transition's own record has found no room in the ring.
@Suite("Pages without their transition")
struct StrayPageTests {
    /// Found by `make soak`: they belonged to nothing, so a capture file left them out, and counted
    /// them.
    @Test("are told as lost, with their addresses")
    func areLost() throws {
        var events: [Event] = []
        var builder = EventBuilder(emit: { events.append($0) })
        var record = husk_page_range()
        record.header = Self.header(
            UInt16(HUSK_RECORD_UNREADABLE.rawValue), MemoryLayout<husk_page_range>.size)
        record.start = 0x7000
        record.length = 0x3000
        record.cause = HUSK_CAUSE_STOPPED.rawValue
        withUnsafeBytes(of: &record) { builder.take($0) }

        var page = husk_page()
        page.header = Self.header(
            UInt16(HUSK_RECORD_PAGE.rawValue), MemoryLayout<husk_page>.size)
        page.address = 0xA000
        page.content_size = UInt32(HUSK_PAGE_SIZE)
        withUnsafeBytes(of: &page) { builder.take($0) }

        let losses = events.compactMap { event -> Loss? in
            guard case .loss(let loss) = event else { return nil }
            return loss
        }
        #expect(losses.count == events.count)
        #expect(losses.map(\.cause) == [.untold, .untold])
        #expect(losses.map(\.start) == [0x7000, 0xA000])
        #expect(losses.map(\.length) == [0x3000, 0x1000])
        #expect(losses.map(\.count) == [3, 1])
        #expect(losses.allSatisfy { $0.task?.hostPID == 42 })
    }

    private static func header(_ kind: UInt16, _ size: Int) -> husk_header {
        var header = husk_header()
        header.size = UInt32(size)
        header.kind = kind
        header.version = UInt16(HUSK_FORMAT_VERSION)
        header.host_pid = 42
        header.pid = 42
        header.numbers = 1
        header.transition = 7
        return header
    }
}
