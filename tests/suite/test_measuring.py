"""The instruments against known answers."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from suite.child.measuring import Blocks, PeakMemory, measurement, steps_per_block, time_repeats

MEBIBYTE = 2**20

PEAK = """
import sys
import numpy as np
from suite.child.measuring import PeakMemory
size = int(sys.argv[1])
spoilt = np.ones(48 * 2**20, np.uint8); del spoilt
memory = PeakMemory(); memory.start()
held = np.ones(size, np.uint8)
memory.watch(); del held
memory.reset(); small = np.ones(2**20, np.uint8); memory.watch()
print(memory.measured()["peak_memory_bytes"]["value"])
"""


@pytest.mark.parametrize("mebibytes", [64, 512])
def test_peak_memory_is_what_was_held(mebibytes):
    size = mebibytes * MEBIBYTE
    result = subprocess.run(
        [sys.executable, "-c", PEAK, str(size)], capture_output=True, text=True, check=True
    )
    assert abs(float(result.stdout) - size) < max(0.03 * size, 8 * MEBIBYTE)


COMPILING = """
import numpy as np
from suite.child.measuring import PeakMemory
memory = PeakMemory(); memory.start()
compiler = np.ones(200 * 2**20, np.uint8); del compiler
memory.compiled()
held = np.ones(64 * 2**20, np.uint8); memory.watch()
measured = memory.measured()
print(measured["compile_peak_memory_bytes"]["value"], measured["peak_memory_bytes"]["value"])
"""


def test_what_compiling_takes_is_kept_apart():
    result = subprocess.run(
        [sys.executable, "-c", COMPILING], capture_output=True, text=True, check=True
    )
    compiling, peak = (float(word) / MEBIBYTE for word in result.stdout.split())
    assert abs(compiling - 200) < 8
    assert abs(peak - 64) < 8


def test_blocks_measure_a_known_step():
    blocks = time_repeats(lambda: time.sleep(0.02), 100, 200, PeakMemory())
    measured = blocks.measured()
    assert measured["step_seconds"]["n"] >= 5
    assert sum(blocks.seconds) >= 1.0
    assert 0.02 <= measured["step_seconds"]["value"] < 0.03
    speed = measured["tokens_per_second"]["value"]
    assert measured["padded_tokens_per_second"]["value"] == pytest.approx(2 * speed)
    assert measured["tokens_per_second"]["samples"]
    low, high = measured["tokens_per_second"]["quartiles"]
    assert low <= speed <= high


def test_the_median_of_samples_is_the_value_and_nothing_has_none():
    assert measurement([3.0, 1.0, 2.0], "by hand")["value"] == 2.0
    assert measurement([], "by hand")["value"] is None
    assert Blocks().measured()["tokens_per_second"]["value"] is None
    assert steps_per_block(0.05) == 4 and steps_per_block(10) == 1
