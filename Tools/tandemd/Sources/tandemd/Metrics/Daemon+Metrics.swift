// SPDX-License-Identifier: Apache-2.0

import Tandem

extension Daemon {
    /// All metrics as text.
    func metricsText() -> String {
        var text = PrometheusText()
        addRequests(to: &text)
        addTokens(to: &text)
        addModels(to: &text)
        addProcess(to: &text)
        return text.text
    }

    private func addRequests(to text: inout PrometheusText) {
        text.counters(
            "tandem_requests_total", "Requests answered.", labels: ["route", "status"],
            metrics.requests.totals)
        text.gauge("tandem_requests_active", "Requests to the engine under way.", Double(activeRequests))
        text.counter(
            "tandem_queue_rejected_total", "Requests refused because the queue was full.",
            metrics.rejected.total)
        text.gauge("tandem_draining", "1 while the daemon shuts down.", isDraining ? 1 : 0)
        text.histogram("tandem_request_seconds", "Time of whole requests.", metrics.requestSeconds)
        text.histogram(
            "tandem_queue_seconds", "Time generations waited for their turn.", metrics.queueSeconds)
        text.histogram(
            "tandem_time_to_first_token_seconds", "Time from a request's start to its first token.",
            metrics.firstTokenSeconds)
        text.histogram(
            "tandem_time_between_tokens_seconds",
            "Time from token to token; tokens that come together share it.",
            metrics.tokenSeconds)
    }

    private func addTokens(to text: inout PrometheusText) {
        text.counters(
            "tandem_generations_total", "Generations that have ended.", labels: ["reason"],
            metrics.generationTotals)
        text.counter("tandem_embeddings_total", "Embeddings computed.", metrics.embeddings.total)
        text.counter("tandem_prompt_tokens_total", "Tokens of prompts.", metrics.promptTokens.total)
        text.counter(
            "tandem_prompt_tokens_cached_total", "Tokens of prompts found in caches, not run again.",
            metrics.cachedPromptTokens.total)
        text.counter("tandem_generated_tokens_total", "Tokens generated.", metrics.generatedTokens.total)
        text.gauge(
            "tandem_tokens_per_second", "Tokens generated per second, over the last ten seconds.",
            metrics.tokenRate.rate())
        text.counter("tandem_drafted_tokens_total", "Tokens drafted.", metrics.drafted.total)
        text.counter("tandem_accepted_tokens_total", "Drafted tokens that were kept.", metrics.accepted.total)
        let drafted = metrics.drafted.total
        text.gauge(
            "tandem_acceptance_ratio", "Share of drafted tokens that were kept.",
            drafted > 0 ? Double(metrics.accepted.total) / Double(drafted) : 0)
    }

    private func addModels(to text: inout PrometheusText) {
        func add(_ name: String, _ kind: String, _ help: String, _ value: (ModelHost) -> Double) {
            text.perModel(name, kind, help, hosts.map { ($0.name, value($0)) })
        }
        add("tandem_running", "gauge", "Generations that run.") { Double($0.gate.running) }
        add("tandem_queued", "gauge", "Generations that wait for their turn.") { Double($0.gate.waiting) }
        add("tandem_model_loaded", "gauge", "1 while the model is in memory.") { $0.loaded == nil ? 0 : 1 }
        add("tandem_model_loads_total", "counter", "How often the model was loaded.") { Double($0.loads) }
        add("tandem_memory_plan_bytes", "gauge", "What the model's memory plan adds up to.") {
            Double($0.loaded?.model.memoryPlan.totalBytes ?? 0)
        }
        add("tandem_bytes_streamed_total", "counter", "Bytes of weights read from storage in passes.") {
            Double($0.totals.bytesStreamed)
        }
        add(
            "tandem_primary_passes_total", "counter",
            "Passes of the primary, each for one or more generations."
        ) {
            Double($0.totals.primaryPasses)
        }
        add("tandem_primary_rows_total", "counter", "Positions that went through the primary.") {
            Double($0.totals.primaryRows)
        }
        add("tandem_pass_seconds_total", "counter", "Time in which passes were under way.") {
            $0.totals.passSeconds
        }
    }

    private func addProcess(to text: inout PrometheusText) {
        let figures = ProcessFigures()
        text.gauge("process_resident_memory_bytes", "Resident memory.", Double(figures.residentBytes))
        text.gauge("process_open_fds", "Open files.", Double(figures.openFiles))
        text.gauge("process_start_time_seconds", "Start of the process, seconds since 1970.", Double(started))
        text.gauge("process_cpu_seconds_total", "Processor time of the process.", figures.processorSeconds)
    }
}
