// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the system says about this process.
struct ProcessFigures: Sendable {
    var residentBytes = 0
    var openFiles = 0
    var processorSeconds = 0.0

    init() {
        if let text = try? readTextFile("/proc/self/statm", limit: 4096) {
            let fields = text.split(separator: " ")
            if fields.count > 1, let pages = Int(fields[1]) {
                residentBytes = pages * max(1, Int(sysconf(Int32(_SC_PAGESIZE))))
            }
        }
        if let directory = unsafe opendir("/proc/self/fd") {
            // Without ".", ".." and the directory itself.
            openFiles = -3
            while unsafe readdir(directory) != nil { openFiles += 1 }
            unsafe closedir(directory)
        }
        var usage = rusage()
        if unsafe getrusage(RUSAGE_SELF.rawValue, &usage) == 0 {
            for time in [usage.ru_utime, usage.ru_stime] {
                processorSeconds += Double(time.tv_sec) + Double(time.tv_usec) * 1e-6
            }
        }
    }
}
