/// @file
/// Causal models: a prompt, and tokens behind a context that is there.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <axiform/models/gpt2.hpp>
#include <axiform/models/llama.hpp>

#include "work.hpp"

namespace bench {

template <class Model>
auto prefill(std::shared_ptr<Model> const& model, std::size_t tokens) {
  return repeated([=, source = TokenSource(model->vocabulary())](Context& context) mutable {
    auto cache = model->make_cache(1, tokens);
    auto const ids = source.next(tokens);
    return seconds([&] { benchmark::DoNotOptimize(model->last_logits(ids, equal_sequences(1, tokens), cache, context).data()); });
  });
}

/// `steps` tokens for each of `sequences`, one after another behind a context of `first`, which is read once and shortened again.
template <class Model>
auto decode(std::shared_ptr<Model> const& model, std::size_t sequences, std::size_t first, Context& context) {
  constexpr std::size_t steps = 16;
  auto const cache = std::make_shared<typename Model::Cache>(model->make_cache(sequences, first + steps));
  TokenSource source(model->vocabulary());
  model->last_logits(source.next(sequences * first), equal_sequences(sequences, first), *cache, context);
  return repeated([=](Context& own) mutable {
    auto const one = equal_sequences(sequences, 1);
    auto const ids = source.next(sequences * steps);
    double taken = 0;
    {
      Context::Pass const pass(own);
      taken = seconds([&] {
        for (std::size_t i = 0; i < steps; ++i)
          benchmark::DoNotOptimize(model->last_logits(ids.subspan(i * sequences, sequences), one, *cache, own).data());
      });
    }
    for (std::size_t s = 0; s < sequences; ++s) cache->truncate(s, first);
    return taken;
  });
}

/// smollm2/q4_1/prefill/512, smollm2/q4_1/decode/512, smollm2/q4_1/decode8/128.
template <class Model>
Work causal(std::shared_ptr<Model> const& model, std::string const& task, std::size_t tokens, std::filesystem::path const& ids,
            Context& context) {
  Work work;
  if (task == "prefill")
    work.run = prefill(model, tokens);
  else
    work.run = decode(model, task == "decode8" ? 8 : 1, tokens, context);
  work.result = [=](Context& own) {
    auto const some = read_ids(ids);
    auto cache = model->make_cache(1, some.size());
    auto const logits = model->last_logits(some, equal_sequences(1, some.size()), cache, own);
    return std::vector<float>(logits.data(), logits.data() + logits.size());
  };
  return work;
}

}  // namespace bench
