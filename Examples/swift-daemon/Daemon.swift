// SPDX-License-Identifier: Apache-2.0
//
// A daemon with a protocol of its own: one model, many clients on a Unix socket.
//
//     swift-daemon MODEL SOCKET
//
// A client sends prompts, one to a line; an empty line stops the answer. The answer is the text as it is made, a NUL, and
// a line with the reason of its end. A client that goes away ends its answer.
//
//     printf 'Once upon a time\n' | socat -t 60 - UNIX-CONNECT:SOCKET

import Glibc
import Synchronization
import Tandem

/// One connection: a session of its own, and a thread that reads while another one generates.
final class Client: Sendable {
    private let descriptor: Int32
    private let session: Session
    /// Of the answer that is being made.
    private let running = Mutex<CancellationToken?>(nil)

    init(descriptor: Int32, model: TandemModel) throws {
        self.descriptor = descriptor
        session = try model.makeSession(
            options: SessionOptions(contextSize: min(1024, model.manifest.primary.maxPositions)))
    }

    /// The reading thread and the generating one both hold the client: the socket closes after the last of them.
    deinit { close(descriptor) }

    func serve() {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while line.count < 65_536 {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for byte in buffer[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    continue
                }
                if line.isEmpty { stop() } else { answer(String(decoding: line, as: UTF8.self)) }
                line = []
            }
        }
        stop()
    }

    private func stop() { running.withLock { $0?.cancel() } }

    private func answer(_ prompt: String) {
        let cancellation = CancellationToken()
        let isFree = running.withLock { running in
            if running != nil { return false }
            running = cancellation
            return true
        }
        guard isFree else { return send("\0error: the last answer has not ended\n") }
        startThread { [self] in
            var end: String
            do {
                let parameters = try GenerateParameters(maxTokens: 200)
                let result = try session.generate(prompt, parameters: parameters, cancellation: cancellation)
                {
                    send($0.text)
                }
                end = "\0\(result.finishReason.rawValue), \(result.usage.completionTokens) tokens\n"
            } catch {
                end = "\0error: \(error)\n"
            }
            running.withLock { $0 = nil }
            send(end)
        }
    }

    /// A client that takes nothing for ten seconds, or is gone, has its answer cancelled.
    private func send(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return stop() }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Runs `body` on a thread of its own.
func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Box(body))
    let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        if let argument = unsafe argument {
            unsafe Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
        }
        return nil
    }
    if unsafe pthread_create(&thread, nil, entry, box.toOpaque()) == 0 { pthread_detach(thread) }
}

/// A socket that listens under a path; one that was left over there is replaced.
func listening(on path: String) throws(Failure) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw Failure(text: "too long")
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    var status = stat()
    if unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unsafe unlink(path) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let bound = unsafe withUnsafeBytes(of: &address) {
        unsafe bind(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
    }
    guard bound == 0, listen(descriptor, 64) == 0 else {
        throw Failure(text: unsafe String(cString: strerror(errno)))
    }
    return descriptor
}

struct Failure: Error { let text: String }

@main enum Daemon {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { throw Failure(text: "usage: swift-daemon MODEL SOCKET") }
        let model = try TandemModel.load(from: arguments[1])
        let listener = try listening(on: arguments[2])
        print("listening on \(arguments[2])")
        while true {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { continue }
            var patience = timeval(tv_sec: 10, tv_usec: 0)
            unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            startThread {
                do { try Client(descriptor: descriptor, model: model).serve() } catch { close(descriptor) }
            }
        }
    }
}
