"""`make test-blas`: the quick tests once for each kind of processor that this one can play.

OpenBLAS picks its kernels by the processor and splits sums by the number of threads, NumPy its
loops by the instructions found. A result that depends on either fails on somebody's machine.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

TESTS = ["-m", "pytest", "-q", "-n", "auto"]


def found() -> list[str]:
    """Instruction sets that NumPy uses here and that can be switched off."""
    settings = np.show_config(mode="dicts")["SIMD Extensions"]
    return list(settings.get("found", []))


def variants(instructions: list[str]) -> dict[str, dict[str, str]]:
    """Name to the environment that makes it, the ones this processor can play.

    OpenBLAS' kernels for a newer processor than this one would end in an illegal instruction.
    """
    wide = [name for name in instructions if name.startswith(("AVX512", "X86_V4"))]
    narrow = [name for name in instructions if name.startswith(("AVX2", "FMA", "X86_V3"))]

    def kernel(name: str, without: list[str]) -> dict[str, str]:
        off = {"NPY_DISABLE_CPU_FEATURES": " ".join(without)} if without else {}
        return {"OPENBLAS_CORETYPE": name, **off}

    made = {
        "one thread": {"OPENBLAS_NUM_THREADS": "1"},
        "two threads": {"OPENBLAS_NUM_THREADS": "2"},
    }
    if narrow or wide:
        made["Nehalem"] = kernel("Nehalem", narrow + wide)
    if narrow:
        made["Haswell"] = kernel("Haswell", wide)
    if wide:
        made["SkylakeX"] = kernel("SkylakeX", [])
    return made


def main(arguments: list[str]) -> int:
    """Run pytest with the arguments under every variant; 1 if any failed."""
    codes = {}
    for name, settings in variants(found()).items():
        print(f"\n{name}: {settings}", flush=True)
        command = [sys.executable, *TESTS, *arguments]
        codes[name] = subprocess.run(command, env=os.environ | settings, check=False).returncode
    print()
    for name, code in codes.items():
        print(f"{name:12} {'passed' if code == 0 else f'failed ({code})'}")
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
