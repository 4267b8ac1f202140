// SPDX-License-Identifier: MIT

/// Code made executable by other code: the file on disk is layer 0, what its code has made is
/// layer 1, what that has made is layer 2.
public struct Layer: Hashable, Sendable {
    /// Within the capture, from 1 on.
    public var id: Int
    /// How far it is from a file on disk.
    public var number: Int
    /// The layer whose code has made it; nil: a file on disk has.
    public var parent: Int?
    public var task: TaskIdentity
    /// When it became executable first.
    public var time: Timestamp
    public var start: Address
    /// In bytes.
    public var length: UInt64
    public var backing: Backing
    /// Whose code has asked for it.
    public var requester: CallSite?
    /// Whose code has written it first. Known if W^X is enforced.
    public var writer: CallSite?
    /// Where it was entered first. Known if W^X is enforced.
    public var entry: Address?
    public var label: RegionLabel?

    public init(
        id: Int, number: Int, parent: Int?, task: TaskIdentity, time: Timestamp, start: Address,
        length: UInt64, backing: Backing, requester: CallSite? = nil, writer: CallSite? = nil,
        entry: Address? = nil, label: RegionLabel? = nil
    ) {
        self.id = id
        self.number = number
        self.parent = parent
        self.task = task
        self.time = time
        self.start = start
        self.length = length
        self.backing = backing
        self.requester = requester
        self.writer = writer
        self.entry = entry
        self.label = label
    }

    /// The first address behind it.
    public var end: Address { start.advanced(by: length) }
}

/// Makes layers of a capture's events.
public struct LayerTracker: Sendable {
    /// In the order in which they came to be. Bounded: a target makes them.
    public private(set) var layers: [Layer] = []
    private static let limit = 65_536

    /// A mapped part of a layer.
    private struct Part: AddressPiece {
        var start: Address
        var end: Address
        /// Of the layer.
        var index: Int

        func clipped(to range: Range<Address>) -> Part {
            Part(
                start: max(start, range.lowerBound), end: min(end, range.upperBound),
                index: index)
        }
    }

    /// Of each process: what is mapped of its layers.
    private var mapped: [Int32: AddressMap<Part>] = [:]
    /// What the address space was like for a parent whose memory a child shares.
    private var lenders: [Int32: Int32] = [:]

    public init() {}

    /// Takes an event, in the order in which they are told.
    public mutating func take(_ event: Event) {
        switch event {
        case .transition(let transition): take(transition)
        case .execution(let execution): take(execution)
        case .processStart(let start): take(start)
        case .programExecution(let execution): forget(execution.task.pid)
        case .processExit(let exit): forget(exit.task.pid)
        case .page, .transitionEnd, .loss, .sharedView, .blindSpot, .label: break
        }
    }

    private mutating func take(_ transition: Transition) {
        // A stored capture may say that it wraps around.
        guard !transition.isAttempt, transition.start < transition.end, transition.kind != .look,
            transition.kind != .write,
            transition.kind != .present
        else { return }
        let pid = owner(of: transition.task.pid)
        guard transition.effective.contains(.execute) else {
            // Gone, or not executable at present: what was made stays what it was.
            if transition.effective.isEmpty { unmap(transition.start..<transition.end, of: pid) }
            return
        }
        switch transition.label?.kind {
        case .file, .kernel: return
        default: break
        }
        if index(at: transition.start, of: pid) != nil { return }
        guard layers.count < Self.limit else { return }
        let layer = Layer(
            id: layers.count + 1, number: 1, parent: nil, task: transition.task,
            time: transition.time, start: transition.start, length: transition.length,
            backing: transition.backing, requester: transition.caller, writer: nil, entry: nil,
            label: transition.label)
        layers.append(layer)
        mapped[pid, default: AddressMap()].insert(
            Part(start: layer.start, end: layer.end, index: layers.count - 1))
        place(layers.count - 1, pid)
    }

    private mutating func take(_ execution: Execution) {
        let pid = owner(of: execution.task.pid)
        guard let index = index(at: execution.address, of: pid) else { return }
        if layers[index].entry == nil { layers[index].entry = execution.address }
        if layers[index].writer == nil, let writer = execution.writer {
            layers[index].writer = writer
            place(index, pid)
        }
    }

    private mutating func take(_ start: ProcessStart) {
        if start.sharesMemory {
            lenders[start.child] = owner(of: start.parent.pid)
        } else {
            mapped[start.child] = mapped[owner(of: start.parent.pid)]
        }
    }

    private mutating func forget(_ pid: Int32) {
        if lenders.removeValue(forKey: pid) == nil { mapped[pid] = nil }
    }

    private mutating func unmap(_ range: Range<Address>, of pid: Int32) {
        mapped[pid]?.remove(range)
    }

    /// The deeper of who has asked for it and who has written it is the one that has made it.
    private mutating func place(_ index: Int, _ pid: Int32) {
        let makers = [layers[index].requester, layers[index].writer].compactMap { site in
            site.flatMap { self.index(at: $0.address, of: pid) }
        }.filter { $0 != index }
        guard let maker = makers.max(by: { layers[$0].number < layers[$1].number }) else { return }
        layers[index].parent = layers[maker].id
        layers[index].number = layers[maker].number + 1
    }

    private func owner(of pid: Int32) -> Int32 { lenders[pid] ?? pid }

    private func index(at address: Address, of pid: Int32) -> Int? {
        mapped[pid]?.piece(at: address)?.index
    }
}
