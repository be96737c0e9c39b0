// What tokenizers and chat templates need of the rooms below them.
#define AXIFORM_COMPILING_core 1
#define AXIFORM_COMPILING_io 1

#include <axiform/core/stable_sort.hpp>
#include <axiform/core/thread_pool.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
