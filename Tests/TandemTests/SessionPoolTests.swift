// SPDX-License-Identifier: Apache-2.0

import Foundation
import Tandem
import TandemFormat
import TandemTokenizer
import Testing

/// Who gets which session, and how many there are.
@Suite("Session pool") struct SessionPoolTests {
    private static let parameters = Result { try GenerateParameters(maxTokens: 2, draftMax: 2, draftMin: 2) }

    /// Runs a prompt in a session of the pool; returns the session and how much of the prompt it held.
    private func run(_ pool: SessionPool, _ prompt: [TokenID]) throws -> (session: Session, cached: Int) {
        try pool.withSession(for: prompt) { session in
            let result = try session.generate(tokens: prompt, parameters: Self.parameters.get())
            return (session, result.usage.cachedPromptTokens)
        }
    }

    @Test("a text goes on in the session that holds it; others get new ones, then the least recently used")
    func choice() throws {
        let fixture = try EngineFixture(.tandemNear)
        let pool = try SessionPool(model: fixture.load(), count: 3)
        let texts = (1...4).map { fixture.tokens(30, seed: UInt64($0)) }
        let first = try run(pool, texts[0])
        let second = try run(pool, texts[1])
        #expect(first.session !== second.session && pool.idleCount == 2 && pool.lentCount == 0)
        // Longer versions of both, in the other order.
        let more = try run(pool, texts[1] + [1, 2, 3])
        #expect(more.session === second.session && more.cached >= 30)
        let again = try run(pool, texts[0] + [4, 5])
        #expect(again.session === first.session && again.cached >= 30)
        // A third text still finds room, a fourth takes the place of the one used longest ago.
        let third = try run(pool, texts[2])
        #expect(third.session !== first.session && third.session !== second.session && pool.idleCount == 3)
        let fourth = try run(pool, texts[3])
        #expect(fourth.session === second.session && fourth.cached == 0)
        #expect(pool.idleCount == 3)
        // What it held is gone: the next in line is taken.
        #expect(try run(pool, texts[1]).session === first.session)
    }

    @Test("a common beginning is copied to a new session rather than run again")
    func forking() throws {
        let fixture = try EngineFixture(.pairNear)
        let pool = try SessionPool(model: fixture.load(), count: 2)
        let system = fixture.tokens(20)
        let first = try run(pool, system + fixture.tokens(40, seed: 2))
        let second = try run(pool, system + fixture.tokens(40, seed: 3))
        #expect(second.session !== first.session && second.cached == 20)
        // Full: the better one is lost only where it keeps at least half of what it holds.
        #expect(try run(pool, first.session.tokens).session === first.session)
        #expect(pool.idleCount == 2)
    }

    @Test("no more than so many; whoever comes then is refused")
    func limit() throws {
        let fixture = try EngineFixture(.single)
        let model = try fixture.load()
        let pool = try SessionPool(model: model, options: SessionOptions(contextSize: 50), count: 2)
        var first: SessionPool.Lease? = try pool.lease(for: [1])
        let second = try pool.lease(for: [1])
        #expect(first?.session !== second.session && pool.lentCount == 2)
        #expect(first?.session.contextSize == 50)
        #expect(throws: TandemError.queueFull(waiting: 0, limit: 2)) { try pool.lease(for: [1]) }
        let ended = second.session
        second.end()
        second.end()
        #expect(pool.idleCount == 1 && pool.lentCount == 1)
        let third = try pool.lease(for: [2])
        #expect(third.session === ended)
        // Nobody holds the first any more.
        first = nil
        #expect(pool.idleCount == 1 && pool.lentCount == 1)
        #expect(throws: CancellationError.self) {
            try pool.withSession(for: []) { _ in throw CancellationError() }
        }
        #expect(pool.lentCount == 1)
        third.end()
        for bad in [0, -1, 1025] {
            #expect(throws: TandemError.self) { try SessionPool(model: model, count: bad) }
        }
    }

    @Test("emptied, it keeps nothing: not what is idle, nor what comes back")
    func removeAll() throws {
        let fixture = try EngineFixture(.single)
        let pool = try SessionPool(model: fixture.load(), count: 3)
        _ = try run(pool, fixture.tokens(9))
        var lease: SessionPool.Lease? = try pool.lease(for: [])
        weak let idle = lease?.session
        pool.removeAll()
        #expect(pool.idleCount == 0 && pool.lentCount == 1)
        #expect(idle != nil)
        lease?.end()
        lease = nil
        #expect(pool.idleCount == 0 && pool.lentCount == 0 && idle == nil)
        _ = try run(pool, [3])
        #expect(pool.idleCount == 1)
    }

    @Test("where the memory plan has room for fewer, these do")
    func budget() throws {
        let recipe = ModelRecipe(name: "pool", primary: ModelShape(layers: 3), seed: 6)
        let fixture = try ResidencyFixture(recipe)
        let options = try SessionOptions(contextSize: 40)
        let model = try fixture.load(session: options)
        let pool = try SessionPool(model: model, options: options, count: 5)
        let first = try run(pool, fixture.tokens(20, seed: 1)).session
        #expect(try run(pool, fixture.tokens(20, seed: 2)).session === first)
        let lease = try pool.lease(for: [1])
        guard case .sessionExceedsBudget = refusal({ _ = try pool.lease(for: [1]) }) else {
            Issue.record("a second session was made")
            return
        }
        lease.end()
        #expect(pool.idleCount == 1 && pool.lentCount == 0)
    }

    @Test("many threads: each session has one user, every answer is right")
    func threads() throws {
        let fixture = try EngineFixture(.tandemNear)
        let model = try fixture.load(threads: 2)
        let pool = try SessionPool(model: model, options: SessionOptions(maxDraft: 4), count: 3)
        let prompts = (0..<6).map { fixture.tokens(10 + $0, seed: UInt64($0)) }
        let expected = try prompts.map {
            try model.makeSession().generate(tokens: $0, parameters: Self.parameters.get()).tokens
        }
        let outcome = Guarded<(right: Int, refused: Int, other: [String])>((0, 0, []))
        DispatchQueue.concurrentPerform(iterations: 6) { index in
            for round in 0..<20 {
                let choice = (index + round) % prompts.count
                do {
                    let tokens = try pool.withSession(for: prompts[choice]) {
                        try $0.generate(tokens: prompts[choice], parameters: Self.parameters.get()).tokens
                    }
                    outcome.withLock {
                        if tokens == expected[choice] { $0.right += 1 } else { $0.other.append("\(tokens)") }
                    }
                } catch TandemError.queueFull {
                    outcome.withLock { $0.refused += 1 }
                    usleep(500)
                } catch {
                    outcome.withLock { $0.other.append("\(error)") }
                }
            }
        }
        outcome.withLock {
            #expect($0.other.isEmpty && $0.right + $0.refused == 120 && $0.right >= 60)
        }
        #expect(pool.lentCount == 0 && (1...3).contains(pool.idleCount))
    }
}
