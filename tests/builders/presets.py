"""A tiny preset of keras-hub."""

from __future__ import annotations

import keras

LONGEST, WORDS = 128, 31
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]


def save_preset(folder):
    """Save a tiny random BERT with its tokenizer, and return that BERT."""
    import keras_hub

    keras.utils.set_random_seed(3)
    bert = keras_hub.models.BertBackbone(WORDS, 2, 2, 8, 12, max_sequence_length=LONGEST)
    bert.save_to_preset(str(folder))
    keras_hub.models.BertTokenizer(VOCABULARY).save_to_preset(str(folder))
    return bert
