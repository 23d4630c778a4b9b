"""Brief measurements in the cells that the tests run: their fork server imports this module.

The rules of the protocol take seconds for each phase, and three times as long beside other work.
Tests of the measurements themselves use the fixture `measured_in_full`.
"""

from __future__ import annotations

from tests.fakes.baselines.hasty import measure_briefly

measure_briefly()
