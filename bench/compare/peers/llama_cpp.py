"""llama.cpp, built for this machine."""
import llama_cpp

from . import ggml


class Peer(ggml.Peer):
    def __init__(self):
        shorten = lambda context, sequence, length: llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(context), sequence, length, -1)
        super().__init__(llama_cpp, llama_cpp.llama_model_load_from_file, shorten)
