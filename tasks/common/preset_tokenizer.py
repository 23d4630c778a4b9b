"""The tokenizer of a keras-hub preset.

Planning reads the folder without keras-hub. Encoding loads keras-hub, and with it TensorFlow.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.api import RequestError, digest_paths
from tasks.common.tokenization import SPACE, Tokenizer, replace_surrogates

TOKENIZER = "tokenizer.json"
CONFIGS = ("config.json", TOKENIZER)
ASSETS = Path("assets", "tokenizer")
WORD_PIECES = "vocabulary.txt"
"""The file of a vocabulary of word pieces; byte pairs and SentencePiece have other files."""
BYTE_PIECE = re.compile("<0x([0-9A-F]{2})>")
"""A piece of SentencePiece that is a byte."""
CONTINUATION = range(0x80, 0xC0)
"""The bytes of UTF-8 that continue a character."""


def check_preset(preset: str) -> None:
    """Check that keras-hub is installed and that a folder holds a preset with its tokenizer.

    Raises:
        RequestError: the name is empty, keras-hub is missing, or the folder is no such preset.
    """
    if not preset:
        raise RequestError(
            "The option units=preset needs the folder of a preset of keras-hub",
            received="units=preset without preset",
            remedy="Add --option preset=DIR",
        )
    if importlib.util.find_spec("keras_hub") is None:
        raise RequestError(
            "The option units=preset needs keras-hub",
            received="an environment without it",
            remedy="Install it with `pip install -e '.[hub]'`",
        )
    folder = _folder(preset)
    missing = [name for name in CONFIGS if not _names_a_class(folder / name)]
    if not any((folder / ASSETS).glob("vocabulary.*")):
        missing.append(f"{ASSETS}/vocabulary.*")
    if missing:
        raise RequestError(
            "The option 'preset' must name a folder that keras-hub's `save_to_preset` wrote, "
            "with a backbone and its tokenizer",
            received=f"preset={preset}, without a valid {' and '.join(missing)}",
            remedy="Save backbone and tokenizer of one model into one folder",
        )


def check_spaces_are_kept(preset: str) -> None:
    """Check that the tokens of a preset restore the text, so that its characters can be counted.

    Raises:
        RequestError: the tokens are word pieces, which drop the spaces.
    """
    if (_folder(preset) / ASSETS / WORD_PIECES).exists():
        raise RequestError(
            "Bits per character need a tokenizer that keeps spaces: byte pairs or SentencePiece",
            received=f"preset={preset}, whose tokens are word pieces",
            remedy="Choose the preset of a decoder, or other units",
        )


def digest_with_preset(source_digest: str | None, options: Mapping[str, Any]) -> str | None:
    """Return the digest of a source, and with units=preset also that of all files of the preset."""
    if source_digest is None or options["units"] != "preset":
        return source_digest
    return f"{source_digest}-{digest_paths(_files(_folder(options['preset'])))}"


class PresetTokenizer(Tokenizer):
    """Tokens of a preset's tokenizer, with the ids that the preset's backbone embeds.

    As with other units, no token marks the start or the end of a text. The id 0 may be a real
    token: only the padding mask marks padding.
    """

    def __init__(self, preset: str) -> None:
        import keras_hub

        self._preset = preset
        folder = _folder(preset).resolve()  # a bare name could be that of a preset to download
        # A tokenizer with a length would pad and cut the texts.
        self._tokenizer: Any = keras_hub.models.Tokenizer.from_preset(
            str(folder), sequence_length=None
        )
        tokenizer = self._tokenizer
        self._ids = {token: tokenizer.token_to_id(token) for token in tokenizer.get_vocabulary()}
        # Ids may have gaps, so that there are more than tokens.
        self.vocabulary_size = max(tokenizer.vocabulary_size(), 1 + max(self._ids.values()))
        self.fingerprint = digest_paths([folder / TOKENIZER, *_files(folder / ASSETS)])
        self.given = self.fingerprint
        self.unknown_id = self._find_unknown()
        of_bytes = isinstance(tokenizer, keras_hub.tokenizers.BytePairTokenizer)
        self._bytes_of = _bytes_of_pairs if of_bytes else _bytes_of_piece

    def _find_unknown(self) -> int:
        """Return the id of the unknown token, or of the end where all bytes are known."""
        try:
            unknown = getattr(self._tokenizer, "oov_token", "<unk>")
            return int(self._tokenizer.token_to_id(unknown))
        except ValueError:
            return int(self._tokenizer.end_token_id)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the token ids of each text; a text without tokens is one unknown token."""
        rows = self._tokenizer.tokenize(replace_surrogates(texts))
        return [np.array(row if len(row) else [self.unknown_id], np.int32) for row in rows]

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each row."""
        special = set(self._tokenizer.special_token_ids)
        kept = [[int(token) for token in row if token not in special] for row in rows]
        return list(self._tokenizer.detokenize(kept))

    def pieces(self) -> list[bytes]:
        """Return the bytes of each token."""
        found = [b""] * self.vocabulary_size
        special = set(self._tokenizer.special_token_ids)
        for token, index in self._ids.items():
            if index not in special:
                found[index] = self._bytes_of(token)
        return found

    def state(self) -> str:
        """Return the folder of the preset, as the user named it."""
        return self._preset

    def count_characters(self, token_ids: np.ndarray) -> np.ndarray:
        """Return the number of characters in each token, including a leading space.

        A character of several tokens counts in the one that holds its first byte. The unknown token
        counts as one character.
        """
        lengths = np.ones(self.vocabulary_size, np.int32)
        for token, index in self._ids.items():
            lengths[index] = sum(byte not in CONTINUATION for byte in self._bytes_of(token))
        lengths[self.unknown_id] = 1
        counts: np.ndarray = lengths[token_ids]
        return counts


def _folder(preset: str) -> Path:
    return Path(preset).expanduser()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _names_a_class(config: Path) -> bool:
    """Return whether a file is the configuration of an object of Keras."""
    try:
        return bool(json.loads(config.read_text(encoding="utf-8"))["class_name"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _bytes_of_piece(piece: str) -> bytes:
    """Return the bytes of a piece of SentencePiece."""
    byte = BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace(SPACE, " ").encode()


def _bytes_of_pairs(token: str) -> bytes:
    """Return the bytes of a token of byte-pair encoding; other characters are UTF-8."""
    alphabet = _alphabet_of_bytes()
    return b"".join(alphabet.get(character) or character.encode() for character in token)


@functools.cache
def _alphabet_of_bytes() -> dict[str, bytes]:
    """Return the byte of each character by which byte-pair encoding writes bytes, as GPT-2 does.

    A printable character of Latin-1 is its own byte. Characters from 256 on are the other bytes.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {
        **{chr(byte): bytes([byte]) for byte in printable},
        **{chr(0x100 + place): bytes([byte]) for place, byte in enumerate(others)},
    }
