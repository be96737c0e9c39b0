// Search along a graph of neighbours (hnswlib, where it was found when this was built): it looks at some hundred vectors of a hundred thousand,
// and may miss one. The graph is kept beside the index, and made again when the index is another.
#pragma once

#include <axiform/search/passage_index.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/similarity.hpp>

#ifdef AXIFORM_HNSWLIB
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <hnswlib/hnswlib.h>

#include <axiform/core/executor.hpp>
#include <axiform/io/sha256.hpp>
#include <axiform/kernels/pooling.hpp>
#endif

#ifdef AXIFORM_HNSWLIB

class ApproximateSearch {
 public:
  // `file` is that of the index, or empty; `saves` says whether anything may be written beside it.
  ApproximateSearch(axiform::PassageIndex const& index, std::string const& file, bool saves, axiform::Executor& executor)
      : rows_(index.embeddings()), space_(rows_.columns()) {
    std::string const graph = file.empty() ? "" : file + "." + fingerprint(index) + ".hnsw";
    if (!graph.empty() && load(graph)) return;
    make(executor);
    if (!graph.empty() && saves) save(graph, file);
  }

  template <axiform::TensorLike Q>
  std::vector<std::vector<axiform::SearchHit>> search(Q const& questions,
                                                      axiform::View<axiform::axes::Sequences, axiform::axes::Hidden> rows,
                                                      axiform::ScoreFunction score, std::size_t top_k) {
    std::vector<std::vector<axiform::SearchHit>> result(questions.rows());
    if (questions.columns() != rows_.columns())
      throw axiform::ShapeError("--approximate: found questions of " + std::to_string(questions.columns()) + " numbers, expected the " +
                                std::to_string(rows_.columns()) + " of the index");
    graph_->setEf(std::max<std::size_t>(100, 2 * top_k));
    for (std::size_t q = 0; q < questions.rows() && rows.rows() != 0; ++q) {
      auto const question = unit_length(questions.row(q));
      for (auto nearest = graph_->searchKnn(question.data(), std::min(top_k, rows.rows())); !nearest.empty(); nearest.pop())
        if (nearest.top().second < rows.rows()) result[q].push_back({nearest.top().second, 0});
      for (auto& hit : result[q]) hit.score = exact_score(questions.row(q), rows.row(hit.index), score);
      auto const rank = [](axiform::SearchHit const& hit) {
        return std::isnan(hit.score) ? -std::numeric_limits<float>::infinity() : hit.score;
      };
      std::ranges::sort(result[q],
                        [&](auto const& a, auto const& b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a.index < b.index; });
    }
    return result;
  }

 private:
  using Graph = hnswlib::HierarchicalNSW<float>;
  using Row = axiform::View<axiform::axes::Queries, axiform::axes::Hidden>;

  // The graph is of cosines, as most models' scores are.
  static std::vector<float> unit_length(std::span<float const> row) {
    std::vector<float> result(row.begin(), row.end());
    axiform::kernels::normalize_row(result.data(), result.size());
    return result;
  }
  static float exact_score(std::span<float const> a, std::span<float const> b, axiform::ScoreFunction score) {
    auto const view = [](std::span<float const> row) {
      return Row(row.data(), axiform::Shape<axiform::axes::Queries, axiform::axes::Hidden>(std::size_t{1}, row.size()));
    };
    return score == axiform::ScoreFunction::cosine ? axiform::cos_sim(view(a), view(b))(0, 0) : axiform::dot(view(a), view(b))(0, 0);
  }

  static std::string fingerprint(axiform::PassageIndex const& index) {
    axiform::Sha256 hash;
    hash.add(index.arrays().file_hashes);
    hash.add(std::as_bytes(index.arrays().ends));
    auto const& model = index.manifest().model;
    for (std::string const* const text : {&model.hash, &model.weights}) hash.add(std::as_bytes(std::span(text->data(), text->size())));
    return axiform::in_hexadecimal(hash.digest()).substr(0, 12);
  }

  // Whether it was there and whole. One that is damaged is made again.
  bool load(std::string const& graph) {
    std::error_code ignored;
    if (!std::filesystem::exists(graph, ignored)) return false;
    try {
      graph_ = std::make_unique<Graph>(&space_, graph);
    } catch (std::exception const&) {  // hnswlib's
      return false;
    }
    return graph_->cur_element_count == rows_.rows();
  }

  void make(axiform::Executor& executor) {
    graph_ = std::make_unique<Graph>(&space_, std::max<std::size_t>(rows_.rows(), 1), 16, 200);
    if (rows_.rows() == 0) return;
    graph_->addPoint(unit_length(rows_.row(0)).data(), 0);
    executor.parallel_for(rows_.rows() - 1, [&](std::size_t i) { graph_->addPoint(unit_length(rows_.row(i + 1)).data(), i + 1); });
  }

  // Under its name when it is whole; those of the index as it was before go.
  void save(std::string const& graph, std::string const& file) const {
    graph_->saveIndex(graph + ".tmp");
    std::filesystem::rename(graph + ".tmp", graph);
    auto const folder = std::filesystem::path(file).parent_path();
    std::string const prefix = std::filesystem::path(file).filename().string() + ".";
    for (auto const& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder)) {
      auto const name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.ends_with(".hnsw") && name.size() == prefix.size() + 17 &&
          name != std::filesystem::path(graph).filename().string())
        std::filesystem::remove(entry.path());
    }
  }

  axiform::View<axiform::axes::Sequences, axiform::axes::Hidden> rows_;
  hnswlib::InnerProductSpace space_;
  std::unique_ptr<Graph> graph_;
};

#else

class ApproximateSearch {
 public:
  ApproximateSearch(axiform::PassageIndex const&, std::string const&, bool, axiform::Executor&) {
    throw axiform::ArgumentError(
        "--approximate: this program was built without hnswlib; install it (Debian: libhnswlib-dev) and build again");
  }
  template <axiform::TensorLike Q>
  std::vector<std::vector<axiform::SearchHit>> search(Q const&, axiform::View<axiform::axes::Sequences, axiform::axes::Hidden>,
                                                      axiform::ScoreFunction, std::size_t) {
    return {};
  }
};

#endif
