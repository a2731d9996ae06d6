// SPDX-License-Identifier: Apache-2.0

import Tandem
import Testing

/// The ring's arithmetic, and what the kernel says about memory.
@Suite("Residency: parts") struct ResidencyPartsTests {
    @Test(
        "regions in the ring never overlap and every length finds a place", arguments: [UInt64(1), 2, 3, 4])
    func ring(seed: UInt64) {
        var random = TestRandom(seed: seed)
        var ring = StreamRing(size: 1000)
        var live: [Range<Int>] = []
        var placed = 0
        var waits = 0
        while placed < 3000 {
            let length = 1 + random.index(below: random.index(below: 4) == 0 ? 1000 : 200)
            while true {
                if let start = ring.place(length) {
                    let region = start..<start + length
                    #expect(region.upperBound <= 1000)
                    #expect(live.allSatisfy { !$0.overlaps(region) })
                    live.append(region)
                    break
                }
                waits += 1
                guard !live.isEmpty else {
                    Issue.record("no place for \(length) in an empty ring")
                    return
                }
                live.removeFirst()
                ring.removeFirst()
            }
            placed += 1
            if random.index(below: 5) == 0, !live.isEmpty {
                live.removeLast()
                ring.removeLast()
            }
            if random.index(below: 100) == 0 {
                live = []
                ring.removeAll()
            }
            #expect(ring.count == live.count)
        }
        #expect(waits > 100)
        #expect(ring.place(1001) == nil)
    }

    private static let mounts = """
        22 1 0:20 / /sys rw,nosuid - sysfs sysfs rw
        30 22 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        31 22 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw

        """

    private func available(_ files: [String: String]) -> AvailableMemory? {
        availableMemory(pageSize: 4096) { files[$0] }
    }

    @Test("the least of all limits counts, version 1")
    func versionOne() {
        var files = [
            "/proc/meminfo": "MemTotal:       1000000 kB\nMemAvailable:    900000 kB\n",
            "/proc/self/statm": "50000 3000 1000 1 0 2000 0\n",
            "/proc/self/cgroup": "4:memory:/box/job\n0::/\n",
            "/proc/self/mountinfo": Self.mounts,
            "/sys/fs/cgroup/memory/box/job/memory.limit_in_bytes": "300000000\n",
            "/sys/fs/cgroup/memory/box/job/memory.usage_in_bytes": "200000000\n",
            "/sys/fs/cgroup/memory/box/job/memory.stat":
                "cache 150000000\ntotal_inactive_file 90000000\ntotal_active_file 40000000\n",
            "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/box/memory.usage_in_bytes": "1\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ]
        let own = 2000 * 4096
        #expect(
            available(files)
                == AvailableMemory(
                    bytes: 300_000_000 - 200_000_000 + 130_000_000 + own,
                    limitedBy: "/sys/fs/cgroup/memory/box/job", ownBytes: own))
        // A tighter limit further up.
        files["/sys/fs/cgroup/memory/box/memory.limit_in_bytes"] = "100000000\n"
        files["/sys/fs/cgroup/memory/box/memory.usage_in_bytes"] = "60000000\n"
        #expect(
            available(files)
                == AvailableMemory(
                    bytes: 40_000_000 + own, limitedBy: "/sys/fs/cgroup/memory/box", ownBytes: own))
        files["/proc/meminfo"] = "MemAvailable: 1000 kB\n"
        #expect(
            available(files)
                == AvailableMemory(bytes: 1_024_000 + own, limitedBy: "MemAvailable", ownBytes: own))
        #expect(available([:]) == nil)
    }

    @Test("version 2: memory.high counts, and a group may be mounted as a root")
    func versionTwo() {
        let files = [
            "/proc/self/cgroup": "0::/pod/box/job\n",
            "/proc/self/mountinfo": "31 22 0:27 /pod/box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "/sys/fs/cgroup/job/memory.max": "max\n",
            "/sys/fs/cgroup/job/memory.high": "50000000\n",
            "/sys/fs/cgroup/job/memory.current": "20000000\n",
            "/sys/fs/cgroup/job/memory.stat": "anon 1\nfile 9\ninactive_file 5000000\nactive_file 1000000\n",
            "/sys/fs/cgroup/memory.max": "90000000\n",
            "/sys/fs/cgroup/memory.current": "10000000\n",
        ]
        #expect(
            available(files) == AvailableMemory(bytes: 36_000_000, limitedBy: "/sys/fs/cgroup/job"))
    }

    @Test("this machine says something")
    func here() throws {
        let memory = try #require(availableMemory())
        #expect(memory.bytes > 1 << 20)
    }
}
