// Pages, tables and trees.
#define AXIFORM_COMPILING_inspect 1

#include <axiform/inspect/attention_table.hpp>
#include <axiform/inspect/attention_view.hpp>
#include <axiform/inspect/beam_view.hpp>
#include <axiform/inspect/chosen_attention.hpp>
#include <axiform/inspect/family_words.hpp>
#include <axiform/inspect/generation_view.hpp>
#include <axiform/inspect/model_summary.hpp>
#include <axiform/inspect/module_node.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/inspect/statistics.hpp>
#include <axiform/inspect/statistics_print.hpp>
