// Kernels, for the instruction set of the compiler's options.
#define AXIFORM_COMPILING_kernels 1

#include <axiform/kernels/attention.hpp>
#include <axiform/kernels/codes.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/integer_product.hpp>
#include <axiform/kernels/layer_norm.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/packed_pairs.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/kernels/random.hpp>
#include <axiform/kernels/rms_norm.hpp>
#include <axiform/kernels/rotary.hpp>
#include <axiform/kernels/rounded_rows.hpp>
#include <axiform/kernels/row_products.hpp>
#include <axiform/kernels/softmax.hpp>
#include <axiform/kernels/weights.hpp>
