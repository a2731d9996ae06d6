# SPDX-License-Identifier: Apache-2.0
"""ggml's own quantisers through ctypes, and what its bytes mean by the `gguf` package."""

from __future__ import annotations

import ctypes
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np

TYPES = ("Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q4_1", "Q4_0")
# What llama.cpp takes for a matrix whose rows are no multiple of 256 (llama-quant.cpp, tensor_type_fallback).
FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


class Ggml:
    """The library that llama-cpp-python has built."""

    def __init__(self) -> None:
        spec = find_spec("llama_cpp")
        if spec is None or spec.origin is None:
            raise SystemExit("error: llama-cpp-python is not installed")
        folder = Path(spec.origin).parent / "lib"
        found = sorted(folder.glob("libggml-base.*"))
        if not found:
            raise SystemExit(f"error: no libggml-base in {folder}")
        self.library = ctypes.CDLL(str(found[0]), mode=ctypes.RTLD_GLOBAL)
        self.version = f"llama-cpp-python {version('llama-cpp-python')}"
        quantize = self.library.ggml_quantize_chunk
        quantize.restype = ctypes.c_size_t
        quantize.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                             ctypes.c_int64, ctypes.c_void_p]

    def round_trip(self, weights: np.ndarray, name: str, importance: np.ndarray | None = None) -> tuple[np.ndarray, int]:
        """Quantises [rows, columns] as `name` and back; also returns the bytes. `importance` is per column (imatrix)."""
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows, columns = weights.shape
        assert columns % block == 0, (name, columns)
        source = np.ascontiguousarray(weights, dtype=np.float32)
        target = np.zeros(rows * columns // block * size, dtype=np.uint8)
        weight = None if importance is None else np.ascontiguousarray(importance, dtype=np.float32)
        written = self.library.ggml_quantize_chunk(
            kind.value, source.ctypes.data, target.ctypes.data, 0, rows, columns,
            None if weight is None else weight.ctypes.data)
        assert written == target.size, (name, written, target.size)
        back = gguf.quants.dequantize(target.reshape(rows, -1), kind).astype(np.float32)
        return back.reshape(rows, columns), target.size

    def matrix(self, weights: np.ndarray, name: str, mode: str,
               importance: np.ndarray | None = None) -> tuple[np.ndarray, int, str]:
        """One matrix as llama.cpp would store it (`mode` "native") or with blocks of 256 cut from the rows one after the
        other ("flat": super-blocks then straddle rows, sub-blocks of 32 do not). Returns weights, bytes, type."""
        block, _ = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
        rows, columns = weights.shape
        if columns % block == 0:
            back, size = self.round_trip(weights, name, importance)
            return back, size, name
        if mode == "native":
            name = FALLBACK[name]
            back, size = self.round_trip(weights, name, importance)
            return back, size, name
        # A row of lcm(columns, 256) elements: importance repeats with the columns.
        period = int(np.lcm(columns, block))
        assert weights.size % period == 0, weights.shape
        tiled = None if importance is None else np.tile(importance, period // columns)
        back, size = self.round_trip(weights.reshape(-1, period), name, tiled)
        return back.reshape(rows, columns), size, name
