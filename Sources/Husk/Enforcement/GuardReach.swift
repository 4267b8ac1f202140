// SPDX-License-Identifier: MIT

/// From which pages W is kept by a guard (``WriteGuard``); from all others their protection keeps
/// it, and calls that write there fail instead of waiting.
package enum GuardReach: String, Comparable, Sendable {
    case none
    /// From those that exist: Linux 5.19 to 6.3.
    case existingPages = "existing-pages"
    /// From those too that come to exist later: Linux 6.4 (UFFD_FEATURE_WP_UNPOPULATED).
    case allPages = "all-pages"

    package static func < (left: GuardReach, right: GuardReach) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .none: 0
        case .existingPages: 1
        case .allPages: 2
        }
    }
}
