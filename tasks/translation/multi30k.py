"""Multi30k as a TensorFlow data set: TFDS has no builder for it, so that ours reads its raw files.

Importing this module makes `multi30k/en_de` and `multi30k/en_fr` known to TFDS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from tasks.common.multi30k_files import LANGUAGES, read_raw


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """Captions of pictures in English and a second language (Elliott et al. 2016)."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=pair, description=" and ".join(languages))
        for pair, languages in LANGUAGES.items()
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Lay the raw files of Multi30k's task 1 here, plain or as .gz."

    def _info(self) -> Any:
        """Say what an example is."""
        return self.dataset_info_from_configs(
            features=tfds.features.Translation(languages=LANGUAGES[self.builder_config.name]),
            homepage="https://github.com/multi30k/dataset",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        """Return the examples of each split."""
        raw = read_raw(Path(dl_manager.manual_dir), self.builder_config.name)
        return {split: self._generate_examples(*lines) for split, lines in raw.items()}

    def _generate_examples(
        self, first: list[str], second: list[str]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the pairs, numbered."""
        languages = LANGUAGES[self.builder_config.name]
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield number, dict(zip(languages, pair, strict=True))
