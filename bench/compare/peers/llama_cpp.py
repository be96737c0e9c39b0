"""llama.cpp, built for this machine. Where that has AMX the binding's release ends with a segmentation fault in its own product by tiles, of q8_0 and q4_0: there it goes
without weights that are laid out anew, which are those for tiles and those for vectors alike."""
import pathlib

import llama_cpp

from . import ggml


class Peer(ggml.Peer):
    def __init__(self):
        shorten = lambda context, sequence, length: llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(context), sequence, length, -1)
        has_tiles = "amx_int8" in pathlib.Path("/proc/cpuinfo").read_text().split()
        super().__init__(llama_cpp, llama_cpp.llama_model_load_from_file, shorten, {"use_extra_bufts": not has_tiles})
