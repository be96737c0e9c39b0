"""ik_llama.cpp, built for this machine, with what its documentation advises for processors: matrices packed again when they are loaded, and flash
attention."""
import ctypes
import importlib.util
import pathlib

# Built from its source package, its libraries do not know where they lie: the one that the other needs is loaded first.
ctypes.CDLL(str(pathlib.Path(importlib.util.find_spec("ik_llama_cpp").origin).parent / "lib/libggml.so"))

from ik_llama_cpp import _ctypes_api as api

from . import ggml


class Peer(ggml.Peer):
    def __init__(self):
        remove = api._lib.llama_kv_cache_seq_rm  # which the binding leaves out
        remove.argtypes, remove.restype = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32], ctypes.c_bool
        super().__init__(api, api.llama_model_load_from_file, lambda context, sequence, length: remove(context, sequence, length, -1),
                         {"repack_tensors": True}, {"flash_attn": True})
