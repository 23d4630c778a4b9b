"""GPT-2: a causal stack, normalisation before each sub-layer, learned positions.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
"""

from __future__ import annotations

from typing import Any

from suite.api import Architecture, BuildRequest, Form, Inputs

EPSILON = 1e-5


class Gpt(Architecture):
    """GPT-2's decoder; with a state it decodes one position at a time.

    With `scaled_residuals`, kernels at the end of residual branches start divided by √N for N
    branches, two a layer (section 2.3).
    """

    version = 3
    title = "GPT-2"
    paper = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
    forms = frozenset({Form.DECODER})
    inputs = frozenset(Inputs)
    claimed_time = "n^2"
    claimed_memory = "n"
    options = {"scaled_residuals": True}

    def mixing_operations(self, request: BuildRequest) -> float:
        """Return the operations of full attention."""
        from baselines.layers.flops import full_attention_operations

        return full_attention_operations(request)

    def assemble(self, request: BuildRequest) -> Any:
        """Build the decoder."""
        from baselines.layers.backbone import Backbone
        from baselines.layers.full_attention import FullAttention
        from baselines.layers.initialization import embedding_stddev
        from baselines.layers.input_embedding import InputEmbedding
        from baselines.layers.positions import LearnedPositions
        from baselines.layers.transformer_layer import TransformerStack, stack_layers

        size = request.model_size
        branches = 2 * size.num_layers if request.options["scaled_residuals"] else 1
        stack = TransformerStack(
            stack_layers(
                request,
                lambda: FullAttention(size.num_heads, causal=True, num_residual_branches=branches),
                activation="gelu_tanh",
                norm_first=True,
                epsilon=EPSILON,
                num_residual_branches=branches,
            ),
            final_epsilon=EPSILON,
        )
        positions = LearnedPositions(request.sequence_length, embedding_stddev(request))
        embedding = InputEmbedding.of_request(request, positions)
        return Backbone(decoder=stack, decoder_embedding=embedding)


ARCHITECTURE = Gpt()
