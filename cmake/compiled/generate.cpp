// What generation does beside running a model.
#define AXIFORM_COMPILING_generate 1

#include <axiform/generate/beam_search.hpp>
#include <axiform/generate/log_probabilities.hpp>
#include <axiform/generate/logits_processors.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/packed_sources.hpp>
#include <axiform/generate/profiles.hpp>
#include <axiform/generate/prompt_lookup.hpp>
#include <axiform/generate/sampler.hpp>
#include <axiform/generate/stopping.hpp>
#include <axiform/generate/token_chooser.hpp>
