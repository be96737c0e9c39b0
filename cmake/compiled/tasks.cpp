// What tasks do beside running a model.
#define AXIFORM_COMPILING_tasks 1

#include <axiform/tasks/agreement.hpp>
#include <axiform/tasks/answer_spans.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/generation_config.hpp>
#include <axiform/tasks/hypotheses.hpp>
#include <axiform/tasks/late_interaction_tokens.hpp>
#include <axiform/tasks/m3_heads.hpp>
#include <axiform/tasks/m3_scores.hpp>
#include <axiform/tasks/multi_vectors.hpp>
#include <axiform/tasks/pool_sequences.hpp>
#include <axiform/tasks/quantized_embeddings.hpp>
#include <axiform/tasks/quantized_search.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_dense.hpp>
#include <axiform/tasks/similarity.hpp>
#include <axiform/tasks/sparse_vectors.hpp>
#include <axiform/tasks/text_chunks.hpp>
#include <axiform/tasks/text_task_config.hpp>
#include <axiform/tasks/token_labels.hpp>
#include <axiform/tasks/translation_route.hpp>
#include <axiform/tasks/windows.hpp>
