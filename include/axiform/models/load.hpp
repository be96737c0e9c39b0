/// @file
/// `load`: a model from a Hugging Face directory. Include the model beside it:
///
///     #include <axiform/models/gpt2.hpp>
///     #include <axiform/models/load.hpp>
///
///     auto const gpt2 = load<Gpt2<>>(directory, context);
#pragma once

#include <axiform/models/known.hpp>
#include <axiform/models/model_loader.hpp>
