// SPDX-License-Identifier: MIT

/// An answer to `search` of docs/view-data.md.
struct SearchDocument: Encodable {
    struct Hit: Encodable {
        var region: Int64?
        var address: String
        var generation: Int
        var content: Int64
        var page: String
        /// In the page.
        var offset: Int
        var encoding: String
        var context: String
    }

    var hits: [Hit] = []
    /// Where to go on; nil: all has been searched.
    var next: Int64?
    /// Contents, of how many.
    var searched: UInt64 = 0
    var total: UInt64 = 0
}

/// `status` of docs/view-data.md.
struct StatusDocument: Encodable {
    var finished: Bool
    var position: Int64
    var pages: UInt64
    var bytes: UInt64
    var lost: UInt64
    var duration: UInt64
}
