// Threads, memory, sorting.
#define AXIFORM_COMPILING_core 1

#include <axiform/core/available_memory.hpp>
#include <axiform/core/block_panels.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/weight_blocks.hpp>
