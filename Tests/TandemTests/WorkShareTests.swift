// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

@Suite("Shares of a product") struct WorkShareTests {
    @Test(
        "every panel belongs to one item, in order",
        arguments: [1, 2, 3, 7, 8, 16, 17, 160, 704, 2001], [1, 2, 3, 8, 64])
    func cover(panels: Int, threads: Int) {
        for weight in [1, 100_000, 400_000, 900_000, 1 << 20, 5 << 20, 1 << 30, 1 << 40] {
            for pairs in [false, true] {
                let shares = WorkShares(panels: panels, weight: weight, threads: threads, pairs: pairs)
                var next = 0
                for item in 0..<shares.count {
                    let (begin, end) = shares[item]
                    #expect(begin == next && end > begin)
                    next = end
                }
                #expect(next == panels)
            }
        }
    }

    @Test("items of a large product shrink towards its end, pairs stay together")
    func shrink() {
        let shares = WorkShares(panels: 704, weight: 115 << 20, threads: 2, pairs: true)
        let sizes = (0..<shares.count).map { shares[$0].end - shares[$0].begin }
        #expect(sizes.first == 88 && sizes.last.map { $0 <= 4 } == true)
        #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 >= $1 })
        #expect(sizes.allSatisfy { $0 % 2 == 0 })
        #expect(sizes.count < 50)
    }

    @Test("a small product makes no more than two items a thread")
    func small() {
        #expect(WorkShares(panels: 16, weight: 200_000, threads: 2, pairs: false).count == 2)
        #expect(WorkShares(panels: 16, weight: 600_000, threads: 2, pairs: false).count == 4)
        #expect(WorkShares(panels: 2, weight: 600_000, threads: 8, pairs: true).count == 2)
    }
}

@Suite("Stalls of the pool") struct StallBackoffTests {
    private func stall(_ backoff: StallBackoff) { backoff.record(ownSeconds: 1e-5, waitedSeconds: 4e-3) }
    private func join(_ backoff: StallBackoff, times: Int = 1) {
        for _ in 0..<times { backoff.record(ownSeconds: 1e-4, waitedSeconds: 1e-6) }
    }
    private func jobsAlone(_ backoff: StallBackoff) -> Int {
        var count = 0
        while backoff.callerWorksAlone() { count += 1 }
        return count
    }

    @Test("one stall alone costs nothing, a second one close by does, each the double of the one before")
    func repeated() {
        let backoff = StallBackoff()
        stall(backoff)
        #expect(jobsAlone(backoff) == 0)
        join(backoff, times: 100)
        stall(backoff)
        let first = jobsAlone(backoff)
        #expect(first > 0)
        stall(backoff)
        #expect(jobsAlone(backoff) == 2 * first)
    }

    @Test("after many prompt joins a stall counts as the first again")
    func forgotten() {
        let backoff = StallBackoff()
        for _ in 0..<5 {
            stall(backoff)
            join(backoff, times: 1000)
        }
        #expect(jobsAlone(backoff) == 0)
        stall(backoff)
        stall(backoff)
        let first = jobsAlone(backoff)
        join(backoff, times: 1000)
        stall(backoff)
        stall(backoff)
        #expect(first > 0 && jobsAlone(backoff) == first)
    }

    @Test("waits that are short, or shorter than the caller's own work, are no stalls")
    func noise() {
        let backoff = StallBackoff()
        for _ in 0..<10 {
            backoff.record(ownSeconds: 0, waitedSeconds: 50e-6)
            backoff.record(ownSeconds: 5e-3, waitedSeconds: 4e-3)
        }
        #expect(jobsAlone(backoff) == 0)
    }
}

@Suite("Patience of a worker") struct SpinPatienceTests {
    @Test("short sleeps make it spin longer, long ones sooner sleep, within limits")
    func learning() {
        var patience = SpinPatience(isAdaptive: true)
        #expect(patience.spins == SpinPatience.least)
        patience.record(sleptSeconds: 20e-6)
        #expect(patience.spins == 2 * SpinPatience.least)
        for _ in 0..<10 { patience.record(sleptSeconds: 20e-6) }
        #expect(patience.spins == SpinPatience.most)
        patience.record(sleptSeconds: 0.1)
        #expect(patience.spins == SpinPatience.most / 2)
        for _ in 0..<10 { patience.record(sleptSeconds: 0.1) }
        #expect(patience.spins == SpinPatience.least)
    }

    @Test("with more threads than processors it sleeps soon")
    func crowded() {
        var patience = SpinPatience(isAdaptive: false)
        for _ in 0..<10 { patience.record(sleptSeconds: 20e-6) }
        #expect(patience.spins == SpinPatience.least)
    }
}
