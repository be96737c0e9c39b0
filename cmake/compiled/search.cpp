// Search by words, fusion, passages of files and their index.
#define AXIFORM_COMPILING_search 1

#include <axiform/search/bm25.hpp>
#include <axiform/search/corpus.hpp>
#include <axiform/search/fusion.hpp>
#include <axiform/search/index_codes.hpp>
#include <axiform/search/model_identity.hpp>
#include <axiform/search/passage_index.hpp>
#include <axiform/search/passages.hpp>
#include <axiform/search/update_index.hpp>
#include <axiform/search/words.hpp>
