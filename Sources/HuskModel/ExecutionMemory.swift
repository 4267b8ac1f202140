// SPDX-License-Identifier: MIT

/// What a process had in memory besides code when code in a region was caught before it ran for
/// the first time: its stack, its data, and what else is in that region.
///
/// The thread was held while it was read; others were not.
public struct ExecutionMemory: Hashable, Sendable {
    /// A page of a mapping that is not code.
    public struct StoredPage: Hashable, Sendable {
        public var address: Address
        public var content: PageContent

        public init(address: Address, content: PageContent) {
            self.address = address
            self.content = content
        }
    }

    /// All of the process's mappings, by address, as proc_pid_maps(5) has them: where W^X is
    /// enforced, without the one of W and X that is kept from them.
    public var mappings: [MappedRegion]
    /// By address. As many as the budget allows, the nearest ones first.
    public var pages: [StoredPage]

    public init(mappings: [MappedRegion], pages: [StoredPage]) {
        self.mappings = mappings
        self.pages = pages
    }
}
