// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The address of a Unix socket: a path, or an abstract name written with `@` first.
struct UnixAddress: Sendable {
    private let name: [UInt8]
    private let isAbstract: Bool

    /// - Parameter name: at most 107 bytes, which callers check.
    init(_ name: String) {
        isAbstract = name.utf8.first == UInt8(ascii: "@")
        self.name = (isAbstract ? [0] : []) + Array(name.utf8.dropFirst(isAbstract ? 1 : 0).prefix(107))
    }

    /// A socket that is connected to the address; nil when nobody listens there. The caller closes it.
    func connectedSocket(type: __socket_type) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            unsafe field.copyBytes(from: name)
        }
        // Abstract names are as long as the address says; paths end with a zero byte.
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let length = socklen_t(offset + name.count + (isAbstract ? 0 : 1))
        let status = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(descriptor, address, length)
            }
        }
        guard status == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
