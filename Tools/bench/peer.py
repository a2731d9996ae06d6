# SPDX-License-Identifier: Apache-2.0
"""Times llama.cpp, either its llama-bench program or the PyPI package llama-cpp-python, on a GGUF file.

Both ways give tokens per second for the rows of ``tandem bench``: "pp8" reads a prompt of 8 tokens, "tg128" generates 128
tokens one by one. Contexts are empty at the start, caches are f16, every time is the median of
some samples after a warm-up.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import time
from pathlib import Path
from typing import Protocol


class Peer(Protocol):
    """Something that measures the rows."""

    label: str

    def measure(self, model: Path, rows: list[str], threads: int, repeats: int) -> dict[str, float]:
        """The median of ``repeats`` samples of every row, in tokens per second."""
        ...


def length_of(row: str, kind: str) -> int | None:
    """The tokens of a row of that kind ("pp" or "tg"); None for another kind."""
    match = re.fullmatch(kind + r"(\d+)", row)
    return int(match[1]) if match else None


class BenchProgram:
    """llama-bench, built by the caller."""

    def __init__(self, program: Path, label: str | None = None) -> None:
        self.program = program
        self.label = label or "llama.cpp"

    def measure(self, model: Path, rows: list[str], threads: int, repeats: int) -> dict[str, float]:
        prompts = [str(n) for row in rows if (n := length_of(row, "pp"))]
        lengths = [str(n) for row in rows if (n := length_of(row, "tg"))]
        command = [str(self.program), "-m", str(model), "-t", str(threads), "-r", str(repeats), "-o", "json",
                   "-p", ",".join(prompts) or "0", "-n", ",".join(lengths) or "0"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = {}
        for entry in json.loads(output):
            name = f"pp{entry['n_prompt']}" if entry["n_gen"] == 0 else f"tg{entry['n_gen']}"
            found[name] = statistics.median(entry["samples_ts"])
        return found


class PythonPackage:
    """llama-cpp-python, through the functions of its C library; the interpreter stands outside of the timed loops but
    for one call a pass."""

    def __init__(self) -> None:
        import llama_cpp

        self.library = llama_cpp
        self.label = f"llama-cpp-python {llama_cpp.__version__}"
        self._log = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self._log, None)
        llama_cpp.llama_backend_init()

    def measure(self, model: Path, rows: list[str], threads: int, repeats: int) -> dict[str, float]:
        library = self.library
        weights = library.llama_model_load_from_file(str(model).encode(), library.llama_model_default_params())
        if not weights:
            raise RuntimeError(f"{model} could not be loaded")
        longest = max(n for row in rows for kind in ("pp", "tg") if (n := length_of(row, kind)))
        options = library.llama_context_default_params()
        options.n_ctx = max(64, longest + 1)
        options.n_batch = options.n_ubatch = min(512, options.n_ctx)
        options.n_threads = options.n_threads_batch = threads
        context = library.llama_init_from_model(weights, options)
        if not context:
            raise RuntimeError(f"{model}: no context could be made")
        try:
            found = {}
            for row in rows:
                prompt, generated = length_of(row, "pp"), length_of(row, "tg")
                passes = [prompt] if prompt else [1] * (generated or 0)
                self._run(context, passes[:4])
                found[row] = sum(passes) / statistics.median(self._run(context, passes) for _ in range(repeats))
            return found
        finally:
            library.llama_free(context)
            library.llama_model_free(weights)

    def _run(self, context: object, passes: list[int]) -> float:
        """Seconds of these passes from an empty context."""
        library = self.library
        library.llama_memory_clear(library.llama_get_memory(context), True)
        batches = []
        for position, count in enumerate(passes):
            tokens = (library.llama_token * count)(*[(position + 7 * index) % 1000 + 3 for index in range(count)])
            batches.append((tokens, library.llama_batch_get_one(tokens, count)))
        start = time.perf_counter()
        for _, batch in batches:
            if library.llama_decode(context, batch) != 0:
                raise RuntimeError("llama_decode failed")
        library.llama_synchronize(context)
        return time.perf_counter() - start
