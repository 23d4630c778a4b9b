"""A TFDS builder for Multi30k, which TFDS lacks.

Importing this module registers `multi30k/en_de` and `multi30k/en_fr` with TFDS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from tasks.translation.multi30k_files import LANGUAGES, read_raw_files


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """Image captions in English and a second language (Elliott et al. 2016)."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=pair, description=" and ".join(languages))
        for pair, languages in LANGUAGES.items()
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Put the raw files of Multi30k's task 1 here, plain or as .gz."

    def _info(self) -> Any:
        """Return the features of an example."""
        return self.dataset_info_from_configs(
            features=tfds.features.Translation(languages=LANGUAGES[self.builder_config.name]),
            homepage="https://github.com/multi30k/dataset",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        """Return the generator of each split's examples."""
        lines = read_raw_files(Path(dl_manager.manual_dir), self.builder_config.name)
        return {split: self._generate_examples(*sides) for split, sides in lines.items()}

    def _generate_examples(
        self, first: list[str], second: list[str]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield numbered sentence pairs."""
        languages = LANGUAGES[self.builder_config.name]
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield number, dict(zip(languages, pair, strict=True))
