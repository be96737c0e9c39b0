// Search along a graph of neighbours (hnswlib, where it was found when this was built): it looks at some hundred vectors of a hundred thousand,
// and may miss one. The graph is kept beside the index, and made again when the index is another.
#pragma once

#include <stop_token>

#include <axiform/search/passage_index.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/similarity.hpp>

#ifdef AXIFORM_HNSWLIB
#include <algorithm>
#include <array>
#include <bit>
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
#include <unistd.h>

#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/io/crc32.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/sha256.hpp>
#include <axiform/kernels/pooling.hpp>
#endif

#ifdef AXIFORM_HNSWLIB

class ApproximateSearch {
 public:
  // `file` is that of the index, or empty; `saves` says whether anything may be written beside it.
  ApproximateSearch(axiform::PassageIndex const& index, std::string const& file, bool saves, axiform::Executor& executor,
                    std::stop_token const& stop)
      : rows_(index.embeddings()),
        space_(rows_.columns()),
        file_(file),
        start_(file_.filename().string() + "." + fingerprint(index) + "-") {
    if (!file.empty() && load()) return;
    make(executor, stop);
    if (!file.empty() && saves) save();
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

  // A graph's name: FILE.INDEX-BYTES.hnsw, with 12 digits that tell indexes apart, and 8 that tell the bytes of the graph.
  std::string name_of(std::filesystem::path const& graph) const {
    auto const mapping = axiform::File::open_read(graph).map();
    axiform::Crc32 checksum;
    checksum.add(mapping.bytes());
    auto const bytes = std::bit_cast<std::array<std::byte, 4>>(checksum.value());
    return start_ + axiform::in_hexadecimal(bytes) + ".hnsw";
  }
  std::vector<std::filesystem::path> graphs_beside() const {
    std::string const prefix = file_.filename().string() + ".";
    auto const folder = file_.parent_path();
    std::vector<std::filesystem::path> graphs;
    for (auto const& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder)) {
      std::string const name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.ends_with(".hnsw") && name.size() == start_.size() + 8 + 5) graphs.push_back(entry.path());
    }
    return graphs;
  }

  // Whether it was there and whole. hnswlib follows links wherever they lead: one that is damaged is not opened, and made again.
  bool load() {
    for (std::filesystem::path const& graph : graphs_beside()) {
      if (!graph.filename().string().starts_with(start_)) continue;
      try {
        if (graph.filename() != name_of(graph)) continue;
        graph_ = std::make_unique<Graph>(&space_, graph.string());
        if (graph_->cur_element_count == rows_.rows()) return true;
      } catch (std::exception const&) {  // hnswlib's, or that of a file that is gone
      }
    }
    return false;
  }

  void make(axiform::Executor& executor, std::stop_token const& stop) {
    graph_ = std::make_unique<Graph>(&space_, std::max<std::size_t>(rows_.rows(), 1), 16, 200);
    if (rows_.rows() == 0) return;
    graph_->addPoint(unit_length(rows_.row(0)).data(), 0);
    executor.parallel_for(rows_.rows() - 1, [&](std::size_t i) {
      if (!stop.stop_requested()) graph_->addPoint(unit_length(rows_.row(i + 1)).data(), i + 1);
    });
    if (stop.stop_requested()) throw axiform::StoppedError("stopped");
  }

  // Under its name when it is whole; those of the index as it was before go.
  void save() const {
    auto const unfinished = file_.parent_path() / (start_ + std::to_string(getpid()));  // another program may write its own
    graph_->saveIndex(unfinished.string());
    std::string const name = name_of(unfinished);
    std::filesystem::rename(unfinished, file_.parent_path() / name);
    for (std::filesystem::path const& other : graphs_beside())
      if (other.filename() != name) std::filesystem::remove(other);
  }

  axiform::View<axiform::axes::Sequences, axiform::axes::Hidden> rows_;
  hnswlib::InnerProductSpace space_;
  std::filesystem::path file_;  // of the index
  std::string start_;           // of a graph's name
  std::unique_ptr<Graph> graph_;
};

#else

class ApproximateSearch {
 public:
  ApproximateSearch(axiform::PassageIndex const&, std::string const&, bool, axiform::Executor&, std::stop_token const&) {
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
