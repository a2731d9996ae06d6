// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import NIOCore
import TandemJSON

extension Call {
    /// Runs a plan and writes its answer: as one object, or as a stream of events.
    func answer(
        _ plan: GenerationPlan, writer: any AnswerWriter, activity: Daemon.Activity
    ) async throws -> Response {
        record.note("model", plan.host.name)
        if daemon.settings.logsPrompts {
            for choice in plan.choices {
                let text = plan.head.tokenizer.decode(choice.prompt, skipSpecialTokens: false)
                daemon.logger.debug("Prompt", metadata: ["request": "\(record.id)", "text": "\(text)"])
            }
        }
        let presence = try await ClientPresence.of(context.channel)
        let job = try GenerationJob(
            plan.choices, host: plan.host, lease: plan.lease, isBackground: plan.isBackground,
            threads: daemon.threads, metrics: daemon.metrics)
        let run = AnswerRun(
            job, daemon: daemon, channel: context.channel, presence: presence, activity: activity)
        if plan.streams { return try await stream(run, writer) }
        defer { run.end() }
        var writer = writer
        var scratch = ByteBuffer()
        while run.remaining > 0 {
            for event in await run.next() {
                try run.take(event, &writer, into: &scratch)
                scratch.clear()
            }
        }
        record.note(writer.usage)
        return reply(writer.response())
    }

    /// What goes wrong before the first token is a status; later it is an event of the stream.
    private func stream(_ run: AnswerRun, _ writer: any AnswerWriter) async throws -> Response {
        let first = await run.next()
        if case .failed(let error)? = first.first {
            run.end()
            throw error
        }
        let body = ResponseBody { output in
            defer { run.end() }
            var writer = writer
            do {
                try await write(run, first, &writer, &output)
                record.note(writer.usage)
                record.finish(.ok)
                try await output.finish(nil)
            } catch {
                run.cancel(.clientClosed)
                record.note(writer.usage)
                record.finish(.clientClosedRequest)
                throw error
            }
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache, no-transform",
            ],
            body: body)
    }

    private func write(
        _ run: AnswerRun, _ first: [AnswerEvent], _ writer: inout any AnswerWriter,
        _ output: inout any ResponseBodyWriter
    ) async throws {
        let stall = StallGuard(context.channel, limit: daemon.settings.limits.keepAlive) {
            run.cancel(.clientClosed)
        }
        var buffer = ByteBuffer()
        writer.open(into: &buffer)
        var events = first
        while true {
            do throws(APIError) {
                for event in events { try run.take(event, &writer, into: &buffer) }
            } catch {
                record.note("error", error.message)
                buffer.writeEvent(error.json)
                run.finish()
            }
            if run.remaining == 0, !run.hasFailed {
                writer.close(into: &buffer)
                buffer.writeString("data: [DONE]\n\n")
            }
            let piece = buffer
            var sink = output
            try await stall.writing { try await sink.write(piece) }
            guard run.remaining > 0 else { return }
            buffer = ByteBuffer()
            events = await run.next()
        }
    }
}
