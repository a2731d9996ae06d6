// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Processors this process may really use: its affinity mask, capped by the CPU quota of its control group.
///
/// At least 1. Reads `/sys/fs/cgroup` (version 2 and version 1); unreadable files mean no quota.
public func availableProcessorCount() -> Int {
    var count = affinityCount() ?? 0
    if count == 0 { count = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
    if let quota = controlGroupQuota() {
        count = min(count, max(1, Int(quota.rounded(.up))))
    }
    return max(1, count)
}

/// Processors in the affinity mask of the process, or `nil` when unknown.
private func affinityCount() -> Int? {
    guard let status = readSmallFile("/proc/self/status") else { return nil }
    for line in status.split(separator: "\n") where line.hasPrefix("Cpus_allowed:") {
        var count = 0
        for character in line.dropFirst("Cpus_allowed:".count) {
            count += character.hexDigitValue?.nonzeroBitCount ?? 0
        }
        return count
    }
    return nil
}

/// CPU quota in processors, or `nil` when there is none.
private func controlGroupQuota() -> Double? {
    if let text = readSmallFile("/sys/fs/cgroup/cpu.max") {
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        if fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]), period > 0 {
            return quota / period
        }
        return nil
    }
    guard let quotaText = readSmallFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
        let periodText = readSmallFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
        let quota = Double(quotaText.filter { $0 != "\n" }),
        let period = Double(periodText.filter { $0 != "\n" }),
        quota > 0, period > 0
    else { return nil }
    return quota / period
}

/// The first 4 KiB of a file as text, or `nil`.
private func readSmallFile(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe read(descriptor, buffer.baseAddress, buffer.count)
    }
    guard count > 0 else { return nil }
    return String(decoding: bytes[0..<count], as: UTF8.self)
}
