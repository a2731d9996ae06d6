// SPDX-License-Identifier: Apache-2.0

/// Matches a grammar byte by byte. A state is a set of stacks whose innermost places wait for a byte; the empty stack is in
/// it when the text may end. What a class of bytes leads to is computed once for every state.
struct ByteMachine {
    let grammar: GrammarTables
    var stacks: StackTable
    /// States without their larger counts; see ``clamped(_:)``.
    var clampedNodes: [Int32: Int32] = [:]
    /// For every node, where its transitions begin, or −1.
    private var rowOfNode: [Int32] = []
    /// A state for every class of bytes; −1 = not computed yet.
    private var rows: [Int32] = []
    private let classCount: Int

    // Scratch of `closure`.
    private var tasks: [Task] = []
    private var seen: Set<Task> = []
    private var waiting: [StackTable.Entry] = []

    /// Matching goes on at an element. `isFresh`: nothing has been matched in its alternative, whose rule's caller knows
    /// already what happens when nothing is.
    private struct Task: Hashable {
        var entry: StackTable.Entry
        var isFresh: Bool
    }

    /// - Parameter limit: entries that stacks may have together.
    init(_ grammar: GrammarTables, limit: Int = GrammarLimits.entries) {
        self.grammar = grammar
        stacks = StackTable(limit: limit)
        classCount = grammar.byteOfClass.count
    }

    /// What the machine holds that it can make again, in entries.
    var size: Int { stacks.size + rows.count / 4 + clampedNodes.count }

    /// Starts counting steps anew.
    mutating func beginWork() { stacks.work = 0 }

    /// The state before the first byte.
    mutating func start() throws(GrammarError) -> Int32 {
        enter(rule: grammar.root, rest: StackTable.bottom)
        return try closure(mayEnd: grammar.isNullable[grammar.root])
    }

    func mayEnd(_ state: Int32) -> Bool { stacks.holdsEmptyStack(state) }

    /// Whether nothing but the end may follow.
    func mustEnd(_ state: Int32) -> Bool { stacks.range(state).isEmpty }

    /// The state after a byte; ``StackTable/none`` when the byte may not follow.
    mutating func next(_ state: Int32, _ byte: UInt8) throws(GrammarError) -> Int32 {
        let byteClass = grammar.classOfByte[Int(byte)]
        return try next(state, row: row(of: state), byteClass)
    }

    /// Where the transitions of a state begin.
    mutating func row(of state: Int32) -> Int {
        if Int(state) < rowOfNode.count, rowOfNode[Int(state)] >= 0 { return Int(rowOfNode[Int(state)]) }
        while rowOfNode.count <= Int(state) { rowOfNode.append(-1) }
        rowOfNode[Int(state)] = Int32(rows.count)
        rows.append(contentsOf: repeatElement(-1, count: classCount))
        return Int(rowOfNode[Int(state)])
    }

    /// The state after a byte of a class.
    @inline(__always)
    mutating func next(_ state: Int32, row: Int, _ byteClass: UInt8) throws(GrammarError) -> Int32 {
        let known = rows[row + Int(byteClass)]
        if known >= 0 { return known }
        let next = try computed(state, byteClass)
        rows[row + Int(byteClass)] = next
        return next
    }

    private mutating func computed(_ state: Int32, _ byteClass: UInt8) throws(GrammarError) -> Int32 {
        let byte = grammar.byteOfClass[Int(byteClass)]
        try stacks.spend(1)
        for place in stacks.range(state) {
            let entry = stacks.entry(place)
            if entry.position == StackTable.unknown { continue }
            let element = grammar.elements[Int(entry.position)]
            if grammar.sets[Int(element.index)].contains(byte) {
                add(StackTable.Entry(position: entry.position + 1, rest: entry.rest), isFresh: false)
            }
        }
        return try closure(mayEnd: false)
    }

    /// Forgets everything but `state`; returns its new number.
    mutating func forget(keeping state: Int32) -> Int32 {
        let (table, node) = stacks.kept(state)
        stacks = table
        rowOfNode = []
        rows = []
        clampedNodes = [:]
        return node
    }

    // MARK: - From places to places that wait for bytes

    private mutating func add(_ entry: StackTable.Entry, isFresh: Bool) {
        guard entry.rest != StackTable.none else { return }
        let task = Task(entry: entry, isFresh: isFresh)
        if seen.insert(task).inserted { tasks.append(task) }
    }

    private mutating func enter(rule: Int, rest: Int32) {
        for index in grammar.alternatives[rule] {
            add(StackTable.Entry(position: grammar.starts[index], rest: rest), isFresh: true)
        }
    }

    /// Works off `tasks`; returns the state of all places that wait for a byte then.
    private mutating func closure(mayEnd: Bool) throws(GrammarError) -> Int32 {
        var mayEnd = mayEnd
        defer {
            tasks.removeAll(keepingCapacity: true)
            seen.removeAll(keepingCapacity: true)
            waiting.removeAll(keepingCapacity: true)
        }
        while let task = tasks.popLast() {
            let entry = task.entry
            let element = grammar.elements[Int(entry.position)]
            switch element.kind {
            case .byte:
                waiting.append(entry)
            case .call:
                let rule = Int(element.index)
                enter(rule: rule, rest: returning(to: entry.position + 1, entry.rest))
                if grammar.isNullable[rule] { skip(task) }
            case .loop:
                loop(task, element)
            case .end where !task.isFresh:
                for place in stacks.range(entry.rest) { resume(stacks.entry(place)) }
                if stacks.holdsEmptyStack(entry.rest) { mayEnd = true }
            case .end:
                break
            }
            try stacks.spend(1)
        }
        return try state(mayEnd: mayEnd)
    }

    /// Goes on where a rule was called.
    private mutating func resume(_ entry: StackTable.Entry) {
        if entry.position == StackTable.unknown {
            if waiting.last != entry { waiting.append(entry) }
        } else {
            add(entry, isFresh: false)
        }
    }

    /// Goes on behind an element.
    private mutating func skip(_ task: Task) {
        add(
            StackTable.Entry(position: task.entry.position + 1, rest: task.entry.rest), isFresh: task.isFresh)
    }

    private mutating func loop(_ task: Task, _ element: GrammarElement) {
        let entry = task.entry
        let rule = Int(element.index)
        if entry.count >= element.least || grammar.isNullable[rule] { skip(task) }
        let taken = entry.count + 1
        if taken == element.most {
            enter(rule: rule, rest: returning(to: entry.position + 1, entry.rest))
        } else {
            // Without a limit, only the least counts.
            let count = element.most < 0 ? min(taken, element.least) : taken
            enter(rule: rule, rest: stacks.push(position: entry.position, count: count, on: entry.rest))
        }
    }

    /// The stacks that wait for a rule after which matching goes on at `position`; nothing is put on them for the end of
    /// an alternative.
    private mutating func returning(to position: Int32, _ rest: Int32) -> Int32 {
        if grammar.elements[Int(position)].kind == .end { return rest }
        return stacks.push(position: position, on: rest)
    }

    private mutating func state(mayEnd: Bool) throws(GrammarError) -> Int32 {
        try stacks.node(of: waiting, holdsEmpty: mayEnd)
    }
}
