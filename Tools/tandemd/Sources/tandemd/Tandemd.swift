// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Logging
import TandemFormat

/// The program.
@main
struct Tandemd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tandemd",
        abstract: "Serve .tandem models over HTTP, with OpenAI's interface.",
        discussion: """
            Every setting can also stand in a configuration file ('port = 8080') and in the environment \
            (TANDEM_PORT=8080); a flag wins over the environment, the environment over the file.
            """,
        version: LibraryVersion.current)

    @Option(help: "A configuration file; also TANDEM_CONFIG.")
    var config: String?

    @Flag(help: "Check the settings, print what is wrong with them, and end.")
    var checkConfig = false

    @OptionGroup(title: "Models") var models: ModelFlags
    @OptionGroup(title: "Listening") var listening: ListenFlags
    @OptionGroup(title: "Limits") var limits: LimitFlags
    @OptionGroup(title: "Logging") var logging: LogFlags

    func run() async throws {
        let environment = processEnvironment()
        let settings: Settings
        let daemon: Daemon
        let logger: Logger
        do throws(SettingsError) {
            let path = config ?? environment["TANDEM_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
            let file = try path.map { (path) throws(SettingsError) in try ConfigurationFile(path: path) }
            var flags = models.values
            for more in [listening.values, limits.values, logging.values] { flags.merge(more) { $1 } }
            settings = try Settings(SettingsReader(flags: flags, environment: environment, file: file))
            logger = Logger(label: "tandemd") { [settings] _ in
                LineLogHandler(level: settings.logLevel, format: settings.logFormat)
            }
            let keys = try APIKeys(keys: settings.apiKeys, path: settings.apiKeyFile)
            daemon = Daemon(settings: settings, keys: keys, logger: logger)
        } catch {
            throw ValidationError(error.description)
        }
        if checkConfig { return }
        // A client that goes away is an error of write(2), not the end.
        signal(SIGPIPE, SIG_IGN)
        logger.info("Starting", metadata: ["version": "\(LibraryVersion.current)"])
        do {
            try await Lifecycle(
                daemon: daemon, notifier: ServiceNotifier(environment: environment), logger: logger
            ).run()
        } catch {
            logger.critical("The daemon cannot go on", metadata: ["reason": "\(Self.text(of: error))"])
            throw ExitCode(1)
        }
    }
}

extension Tandemd {
    /// Why the daemon ended, in words.
    private static func text(of error: any Error) -> String {
        (error as? APIError)?.message ?? "\(error)"
    }
}

/// The environment of this process.
private func processEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = unsafe environ
    while let pointer = unsafe entry.pointee {
        let text = unsafe String(cString: pointer)
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
        unsafe entry += 1
    }
    return variables
}
