// Search along a graph of neighbours (hnswlib, where it was found when this was built): it looks at some hundred vectors of a hundred thousand,
// and may miss one. The graph is kept beside the index, and made again when the index is another.
#pragma once

#include <axiform/search/passage_index.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/similarity.hpp>

#ifdef AXIFORM_HNSWLIB
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <hnswlib/hnswlib.h>

#include <axiform/core/executor.hpp>
#include <axiform/io/sha256.hpp>
#include <axiform/kernels/pooling.hpp>
#endif

#ifdef AXIFORM_HNSWLIB

class ApproximateSearch {
 public:
  // `file` is that of the index, or empty.
  ApproximateSearch(axiform::PassageIndex const& index, std::string const& file, axiform::Executor& executor)
      : rows_(index.embeddings()), space_(rows_.columns()) {
    std::string const graph = file.empty() ? "" : file + "." + fingerprint(index) + ".hnsw";
    if (!graph.empty() && std::filesystem::exists(graph)) {
      graph_ = std::make_unique<Graph>(&space_, graph);
    } else {
      make(executor);
      if (!graph.empty()) save(graph, file);
    }
  }

  template <axiform::TensorLike Q>
  std::vector<std::vector<axiform::SearchHit>> search(Q const& questions,
                                                      axiform::View<axiform::axes::Sequences, axiform::axes::Hidden> rows,
                                                      axiform::ScoreFunction score, std::size_t top_k) {
    std::vector<std::vector<axiform::SearchHit>> result(questions.rows());
    graph_->setEf(std::max<std::size_t>(100, 2 * top_k));
    for (std::size_t q = 0; q < questions.rows() && rows.rows() != 0; ++q) {
      auto const question = unit_length(questions.row(q));
      for (auto nearest = graph_->searchKnn(question.data(), std::min(top_k, rows.rows())); !nearest.empty(); nearest.pop())
        result[q].push_back({nearest.top().second, 0});
      for (auto& hit : result[q]) hit.score = exact_score(questions.row(q), rows.row(hit.index), score);
      std::ranges::sort(result[q], [](auto const& a, auto const& b) { return a.score != b.score ? a.score > b.score : a.index < b.index; });
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
    std::string const& model = index.manifest().model.hash;
    hash.add(std::as_bytes(std::span(model.data(), model.size())));
    return axiform::in_hexadecimal(hash.digest()).substr(0, 12);
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
  ApproximateSearch(axiform::PassageIndex const&, std::string const&, axiform::Executor&) {
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
