// Tokenizers.
#define AXIFORM_COMPILING_text 1

#include <axiform/text/chat_template_files.hpp>
#include <axiform/text/sequence_to_sequence_tokenizers.hpp>
#include <axiform/text/streaming_decoder.hpp>
#include <axiform/text/tokenizer_files.hpp>
