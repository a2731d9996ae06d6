// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Tandem
import TandemFormat
import Testing

/// Models that are loaded and unloaded as they are needed.
@Suite("Managed models") struct ManagedModelTests {
    @Test("all who ask at the same time get one model")
    func concurrent() throws {
        let fixture = try EngineFixture(.tandemNear)
        let managed = ManagedModel(path: fixture.path, options: try LoadOptions(threadCount: 1))
        #expect(!managed.isLoaded)
        let models = try concurrently(8) { _ in try managed.acquire() }.map { try $0.get() }
        #expect(managed.isLoaded)
        #expect(models.allSatisfy { $0 === models[0] })
    }

    @Test("a model is unloaded when nobody uses it, and loaded again")
    func unloading() throws {
        let fixture = try EngineFixture(.tandemNear)
        let managed = ManagedModel(path: fixture.path, options: try LoadOptions(threadCount: 1))
        #expect(!managed.unloadIfIdle(for: 0), "nothing is loaded")
        let parameters = try GenerateParameters(maxTokens: 5)
        var session: Session? = try managed.acquire().makeSession()
        let tokens = try session?.generate(tokens: fixture.tokens(4), parameters: parameters).tokens
        #expect(!managed.unloadIfIdle(for: 0), "a session is there")
        #expect(managed.isLoaded)
        session = nil
        #expect(!managed.unloadIfIdle(for: 3600), "it was used just now")
        #expect(managed.isLoaded)
        #expect(managed.unloadIfIdle(for: 0))
        #expect(!managed.isLoaded)
        #expect(!managed.unloadIfIdle(for: 0))
        let again = try managed.acquire().makeSession().generate(
            tokens: fixture.tokens(4), parameters: parameters)
        #expect(again.tokens == tokens)
    }

    @Test("a file that cannot be loaded is an error for all who wait, and the next call tries again")
    func errors() throws {
        let fixture = try EngineFixture(.tandemNear)
        let folder = try TemporaryFolder()
        let path = folder.path("later.tandem")
        let managed = ManagedModel(path: path)
        for result in concurrently(4, { _ in try managed.acquire() }) {
            #expect(throws: TandemError.self) { try result.get() }
        }
        #expect(!managed.isLoaded)
        try FileManager.default.copyItem(atPath: fixture.path, toPath: path)
        #expect(try managed.acquire().manifest.primary.vocabularySize == 61)
    }

    @Test("users and unloading at the same time")
    func churn() throws {
        let fixture = try EngineFixture(.tandemNear)
        let managed = ManagedModel(path: fixture.path, options: try LoadOptions(threadCount: 1))
        let parameters = try GenerateParameters(maxTokens: 3)
        let expected = try managed.acquire().makeSession().generate(
            tokens: fixture.tokens(4), parameters: parameters
        ).tokens
        let unloaded = Atomic<Int>(0)
        let results = concurrently(6) { index in
            for _ in 0..<25 {
                if index < 2 {
                    if managed.unloadIfIdle(for: 0) { unloaded.wrappingAdd(1, ordering: .relaxed) }
                    usleep(300)
                } else {
                    let tokens = try managed.acquire().makeSession().generate(
                        tokens: fixture.tokens(4), parameters: parameters
                    ).tokens
                    guard tokens == expected else { return false }
                }
            }
            return true
        }
        #expect(try results.allSatisfy { try $0.get() })
        if managed.isLoaded { #expect(managed.unloadIfIdle(for: 0)) }
        #expect(!managed.isLoaded)
    }
}
