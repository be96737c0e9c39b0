"""ONNX Runtime: the graph fused by its own optimiser for transformers, int8 by its dynamic quantisation of that graph."""
import functools

import numpy as np
import onnxruntime

from . import inputs


class Peer(inputs.Encoder):
    @functools.cache
    def session(self, model, format):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = inputs.THREADS
        file = f"{model}.{'int8' if format == 'q8_0' else 'fused'}.onnx"
        return onnxruntime.InferenceSession(str(inputs.FOLDER / file), options, providers=["CPUExecutionProvider"])

    def hidden(self, model, format, ids, mask):
        return self.session(model, format).run(None, {"ids": ids, "mask": mask})[0]

    def embed(self, model, format, lines):
        vectors = np.zeros((len(lines), 384), np.float32)
        for ids, mask, part in inputs.batches(model, lines, 16):
            vectors[part] = inputs.pooled(self.hidden(model, format, ids, mask), mask)
        return vectors
