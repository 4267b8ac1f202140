// SPDX-License-Identifier: MIT
import Husk
import Synchronization

/// Between the ring's thread, which takes events, and the main thread, which shows what has come of
/// them. Neither holds it for longer than a moment: lines may be waiting for a terminal meanwhile.
final class TraceMeter: Sendable {
    private let latest = Mutex(TraceFigures())
    /// Nil: no one looks at single regions.
    private let regions: Mutex<LiveRegions?>

    init(regions: LiveRegions?) {
        self.regions = Mutex(regions)
    }

    func take(_ event: Event, _ tally: CaptureTally) {
        let figures = TraceFigures(tally)
        latest.withLock { $0 = figures }
        regions.withLock { $0?.take(event) }
    }

    var figures: TraceFigures { latest.withLock { $0 } }

    func latestRegions(_ number: Int) -> [LiveRegion] {
        regions.withLock { $0?.latest(number) ?? [] }
    }
}
