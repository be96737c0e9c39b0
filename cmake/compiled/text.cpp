// Tokenizers.
#define AXIFORM_COMPILING_text 1

#include <axiform/text/tokenizer_files.hpp>
