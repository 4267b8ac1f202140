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

    /// Found by `make soak`: what the process held by then was taken for what it had held.
    @Test("of a process that was let go before they were read are lost")
    func areLostWithTheirStop() throws {
        var events: [Event] = []
        var released: UInt64 = 0
        var builder = EventBuilder(
            emit: { events.append($0) }, lastRelease: { released })
        var transition = husk_transition()
        transition.header = Self.header(
            UInt16(HUSK_RECORD_TRANSITION.rawValue), MemoryLayout<husk_transition>.size)
        transition.start = 0x7000
        transition.length = 0x3000
        transition.effective = 5
        transition.flags = UInt32(HUSK_TRANSITION_HAS_PAGES)
        withUnsafeBytes(of: &transition) { builder.take($0) }
        var record = husk_page_range()
        record.header = Self.header(
            UInt16(HUSK_RECORD_UNREADABLE.rawValue), MemoryLayout<husk_page_range>.size)
        record.header.time_ns = 100
        record.start = 0x7000
        record.length = 0x3000
        record.cause = HUSK_CAUSE_STOPPED.rawValue
        released = 100
        withUnsafeBytes(of: &record) { builder.take($0) }
        var end = husk_transition_end()
        end.header = Self.header(
            UInt16(HUSK_RECORD_TRANSITION_END.rawValue), MemoryLayout<husk_transition_end>.size)
        end.unreadable = 3
        withUnsafeBytes(of: &end) { builder.take($0) }

        #expect(events.count == 3)
        guard case .loss(let loss) = events[1], case .transitionEnd(let told) = events[2] else {
            Issue.record("\(events)")
            return
        }
        #expect(loss.cause == .ringFull)
        #expect(loss.start == 0x7000)
        #expect(loss.length == 0x3000)
        #expect(told.lost == 3)
        #expect(told.unreadable == 0)
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
