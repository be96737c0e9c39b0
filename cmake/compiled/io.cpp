// Files: JSON, directories, checkpoints, safetensors, GGUF, NumPy's arrays.
#define AXIFORM_COMPILING_io 1

#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/late_interaction_config.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/npz.hpp>
#include <axiform/io/read_tensor.hpp>
#include <axiform/io/reranker_config.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/io/sha256.hpp>
#include <axiform/io/sparse_config.hpp>
