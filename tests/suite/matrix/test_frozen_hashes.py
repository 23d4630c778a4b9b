"""The hashes of frozen benchmarks, a second time: whoever redefines a version edits two files."""

from __future__ import annotations

from suite.matrix.registry import load_registry

FROZEN = {
    "core-1": "4e16ca09f9499ea8",
    "core-1.image_classification": "0b3194c483c6809b",
    "core-1.language_modeling": "2efd344e8123126b",
    "core-1.ner": "91c4bf301ab2c323",
    "core-1.sentiment": "f32c341ef107d91f",
    "core-1.translation": "549793cb4de11c87",
    "core-2": "8884ca4016decff7",
    "core-2.sentiment": "dfe28a922e9a7789",
    "long_text-1": "bf3ac2602f28ca9d",
    "long_text-1.language_modeling": "510d2772eef878ba",
    "method_costs-1": "b7b3fd9f05f10ea0",
    "methods-1": "9b37d7b4022b5c00",
    "methods-1.image_classification": "de06bef964eb6787",
    "methods-1.ner": "7db52291a52aea8b",
    "methods-1.question_answering": "532e121b1b51c379",
    "methods-1.sentiment": "a3ac4b8daf4a40c6",
    "optimizers-1": "f5bdee011bd92c93",
    "optimizers-1.image_classification": "8359b17620aa8f22",
    "optimizers-1.ner": "2e987bcbf302256e",
    "quick-1": "d5f7e68041b4f897",
    "quick-2": "5dce2a57bae6dbe8",
    "quick-3": "ce2dcf79c1b4e6a6",
    "quick-4": "f16862ee2eb6fd44",
    "quick-4.duplication": "c27e5713e055d454",
    "quick-4.image_classification": "0ad49b38d3a5b1c2",
    "quick-4.language_modeling": "7f50dde6ec5c79ca",
    "quick-4.listops": "f764413a74bec36c",
    "quick-4.ner": "736fbe8cc9038dfd",
    "quick-4.sentiment": "f764413a74bec36c",
    "quick-4.translation": "eaab71ebbd2cb807",
    "quick-5": "30121498877c2c6c",
    "quick-5.duplication": "afd40f7918dbaf69",
    "quick-5.image_classification": "8cc8295e80ff7881",
    "quick-5.language_modeling": "c450bb46fa27222f",
    "quick-5.listops": "88f411ea132ca530",
    "quick-5.ner": "517583402a057f5d",
    "quick-5.sentiment": "88f411ea132ca530",
    "quick-5.translation": "0573195964e90d1f",
    "smoke-1": "195f45d5779f6404",
    "smoke-1.image_classification": "a0b598410a35f8db",
    "smoke-1.language_modeling": "e0be57a92b02f72a",
    "smoke-1.ner": "75f78567ae2a39f3",
    "smoke-1.sentiment": "1409741814a416c7",
    "smoke-1.translation": "7c472dfbc9085d1a",
}


def test_no_frozen_version_was_redefined():
    benchmarks = load_registry(()).benchmarks.plugins.values()
    found = {
        f"{benchmark.name}-{version}": frozen
        for benchmark in benchmarks
        for version, frozen in benchmark.frozen.items()
    }
    assert found == FROZEN
