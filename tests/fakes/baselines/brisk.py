"""The vanilla Transformer with one layer and instant measurements, for tests of everything else."""

from dataclasses import replace

from baselines.vanilla import Vanilla

from .hasty import measure_briefly


class Brisk(Vanilla):
    def compile_with_xla(self, request):
        measure_briefly()
        return super().compile_with_xla(request)

    def build(self, request):
        one_layer = replace(request.model_size, num_layers=1)
        return super().build(replace(request, model_size=one_layer))


ARCHITECTURE = Brisk()
