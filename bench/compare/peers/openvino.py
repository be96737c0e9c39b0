"""OpenVINO: one request with the hint for latency, and where there are many sentences, as many requests as it asks for with the hint for throughput.
int8 is NNCF's, quantised after training with its settings for transformers."""
import functools

import numpy as np
import openvino

from . import inputs


class Peer(inputs.Encoder):
    def __init__(self):
        self.core = openvino.Core()

    @functools.cache
    def compiled(self, model, format, hint):
        settings = {"INFERENCE_NUM_THREADS": inputs.THREADS, "PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "bf16" if format == "bf16" else "f32"}
        file = f"{model}.int8.xml" if format == "q8_0" else f"{model}.onnx"
        return self.core.compile_model(inputs.FOLDER / file, "CPU", settings)

    @functools.cache
    def request(self, model, format):
        return self.compiled(model, format, "LATENCY").create_infer_request()

    @functools.cache
    def queue(self, model, format):
        compiled = self.compiled(model, format, "THROUGHPUT")
        return openvino.AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def hidden(self, model, format, ids, mask):
        request = self.request(model, format)
        request.infer({"ids": ids, "mask": mask})
        return request.get_output_tensor(0).data

    def embed(self, model, format, lines):
        queue, vectors = self.queue(model, format), np.zeros((len(lines), 384), np.float32)

        def done(request, about):
            part, mask = about
            vectors[part] = inputs.pooled(request.get_output_tensor(0).data, mask)

        queue.set_callback(done)
        for ids, mask, part in inputs.batches(model, lines, 8):
            queue.start_async({"ids": ids, "mask": mask}, (part, mask))
        queue.wait_all()
        return vectors
