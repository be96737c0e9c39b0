// Indexes of folders: made, saved, reopened, brought up to date, damaged.
#include <doctest/doctest.h>
#include <axiform/search/corpus.hpp>
#include <axiform/search/index_codes.hpp>
#include <axiform/search/model_identity.hpp>
#include <axiform/search/passage_index.hpp>
#include <axiform/search/update_index.hpp>

#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/io/json.hpp>
#include <axiform/tasks/quantized_search.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "support/files.hpp"

using namespace axiform;

namespace {

std::filesystem::path const fixture_models = std::filesystem::path(AXIFORM_FIXTURES) / "models";

// A file that was written an hour ago, so that its time tells whether it has changed.
void write_old(std::filesystem::path const& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  test::write_bytes(path, text);
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - std::chrono::hours(1));
}

// Three numbers a text, and a list of those that were asked for.
struct CountingModel {
  Tokenizer tokenizer = Tokenizer::from_directory(fixture_models / "bert-tiny");
  std::vector<std::string> embedded = {};
  std::string hash = "0123456789abcdef";

  PassageModel as_model() {
    return {.identity = {.name = "counting", .hash = hash},
            .tokenizer = &tokenizer,
            .max_length = 100,
            .dimensions = 3,
            .embed = [this](std::span<std::string_view const> texts, EmbedOptions const&, std::span<float> rows) {
              for (std::size_t i = 0; i < texts.size(); ++i) {
                embedded.emplace_back(texts[i]);
                for (std::size_t j = 0; j < 3; ++j) rows[3 * i + j] = static_cast<float>(texts[i].size() * (j + 1) % 17);
              }
            }};
  }
};

struct Folder {
  test::TemporaryDirectory files, beside;
  std::filesystem::path saved = beside / "saved.index";
  CountingModel model = {};
  Corpus corpus = {};
  SerialExecutor executor = {};

  Folder() {
    write_old(files / "b.md", "# Towers\n\nThe tower is tall.\n");
    write_old(files / "a.txt", "A cat sat on the mat.");
    write_old(files / "sub/c.txt", "Music of the violin.\n\n" + std::string(300, 'x') + "\n");
    write_old(files / "empty.txt", "");
    write_old(files / ".hidden", "hidden words");
    write_old(files / ".git/config", "hidden words");
  }
  PassageIndex known() const { return std::filesystem::exists(saved) ? PassageIndex::open(saved) : PassageIndex(); }
  // Brings the saved index up to date. @return What was embedded.
  std::vector<std::string> update(IndexOptions const& options = {}) {
    auto const before = known();
    corpus = read_corpus(files, before, {}, executor);
    model.embedded.clear();
    if (!corpus.is_as_indexed()) update_index(before, corpus, model.as_model(), options, executor).index.save(saved);
    return model.embedded;
  }
  // The bytes that an index of the folder has when it is made at once.
  std::string made_anew() {
    auto const anew = beside / "anew.index";
    update_index({}, read_corpus(files, {}, {}, executor), CountingModel().as_model(), {}, executor).index.save(anew);
    return test::read_bytes(anew);
  }
  std::vector<std::string> names() const {
    auto const index = known();
    std::vector<std::string> result;
    for (std::size_t i = 0; i < index.file_count(); ++i) result.emplace_back(index.file(i).name);
    return result;
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("passage index: what is saved is what is opened: files, passages, words and embeddings") {
  Folder folder;
  CHECK(folder.update().size() == 3);
  auto const index = PassageIndex::open(folder.saved);
  CHECK(folder.names() == Names{"a.txt", "b.md", "empty.txt", "sub/c.txt"});
  REQUIRE(index.size() == 3);
  CHECK(index.passage(1).file == "b.md");
  CHECK(index.passage(1).text == "# Towers\n\nThe tower is tall.");
  CHECK(index.passage(1).line == 1);
  CHECK(index.passage(2).file == "sub/c.txt");
  CHECK(index.passage(2).begin == 0);
  CHECK(index.passage(2).end == 322);
  CHECK(index.file(2).passage_count == 0);
  CHECK(index.file(2).first_passage == 2);
  CHECK(in_hexadecimal(index.file(2).hash) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(index.embeddings().rows() == 3);
  CHECK(index.embeddings()(1, 2) == 28 * 3 % 17);
  CHECK(index.words().search("the towers").front().index == 1);
  CHECK(index.manifest().model.name == "counting");
  CHECK(index.manifest().length == 100);
  CHECK(index.manifest().overlap == 12);
  CHECK_THROWS_AS(index.passage(3), ArgumentError);
  CHECK_THROWS_AS(index.file(4), ArgumentError);
  CHECK(folder.beside.file_count() == 1);  // no temporary file is left
}

TEST_CASE("passage index: only what has changed is embedded again, and the file has the bytes of one that is made anew") {
  Folder folder;
  folder.update();
  CHECK(folder.update().empty());
  CHECK(folder.corpus.is_as_indexed());

  write_old(folder.files / "a.txt", "A dog sat on the mat.");  // of the same length, and maybe of the same time
  std::filesystem::last_write_time(folder.files / "a.txt",
                                   std::filesystem::last_write_time(folder.files / "a.txt") - std::chrono::hours(1));
  CHECK(folder.update() == Names{"A dog sat on the mat."});
  CHECK((folder.corpus.changed == 1 && folder.corpus.added == 0 && folder.corpus.removed == 0));
  CHECK(test::read_bytes(folder.saved) == folder.made_anew());
  CHECK(folder.known().words().search("cat").empty());

  write_old(folder.files / "aa/new.txt", "Something new.");
  CHECK(folder.update() == Names{"Something new."});
  CHECK(folder.corpus.added == 1);
  CHECK(test::read_bytes(folder.saved) == folder.made_anew());

  std::filesystem::remove(folder.files / "b.md");
  CHECK(folder.update().empty());
  CHECK(folder.corpus.removed == 1);
  CHECK(folder.names() == Names{"a.txt", "aa/new.txt", "empty.txt", "sub/c.txt"});
  CHECK(test::read_bytes(folder.saved) == folder.made_anew());

  // The same bytes at another time, and under another name.
  std::filesystem::last_write_time(folder.files / "a.txt",
                                   std::filesystem::last_write_time(folder.files / "a.txt") - std::chrono::hours(2));
  std::filesystem::rename(folder.files / "sub/c.txt", folder.files / "moved.txt");
  CHECK(folder.update().empty());
  CHECK((folder.corpus.touched == 1 && folder.corpus.added == 1 && folder.corpus.removed == 1));
  CHECK(test::read_bytes(folder.saved) == folder.made_anew());
  std::filesystem::copy(folder.files / "moved.txt", folder.files / "copy.txt");
  CHECK(folder.update().size() == 1);
  CHECK(folder.known().size() == 4);
  CHECK(folder.corpus.notes.empty());
}

TEST_CASE("passage index: a file that was just written is read again, for its time says nothing") {
  Folder folder;
  test::write_bytes(folder.files / "a.txt", "one word");
  folder.update();
  CHECK(folder.known().file(0).modified == 0);
  test::write_bytes(folder.files / "a.txt", "two word");
  CHECK(folder.update() == Names{"two word"});
  CHECK(folder.update().empty());
  CHECK(folder.corpus.is_as_indexed());
  std::filesystem::last_write_time(folder.files / "a.txt",
                                   std::filesystem::last_write_time(folder.files / "a.txt") - std::chrono::hours(1));
  CHECK(folder.update().empty());
  CHECK(folder.corpus.touched == 1);
  CHECK(folder.known().file(0).modified != 0);
}

TEST_CASE("passage index: binary files, bytes that are not UTF-8, what is gone, too large or may not be read are noted") {
  Folder folder;
  write_old(folder.files / "image.png", std::string_view("\x89PNG\0\0", 6));
  write_old(folder.files / "latin.txt", "caf\xE9 noir");
  std::filesystem::create_symlink("nowhere", folder.files / "dangling.txt");
  std::filesystem::create_directory_symlink(folder.files.path(), folder.files / "loop");
  REQUIRE(::mkfifo((folder.files / "pipe").c_str(), 0600) == 0);
  folder.update();
  REQUIRE(folder.corpus.notes.size() == 2);
  CHECK(folder.corpus.notes[0].file == "image.png");
  CHECK(folder.corpus.notes[0].what == "is no text: it has a zero byte; left out");
  CHECK(folder.corpus.notes[1].file == "latin.txt");
  CHECK(folder.corpus.notes[1].what == "has bytes that are not UTF-8; they are read as U+FFFD");
  CHECK(folder.names() == Names{"a.txt", "b.md", "empty.txt", "image.png", "latin.txt", "sub/c.txt"});
  CHECK(folder.known().words().search("noir").size() == 1);
  folder.update();
  CHECK(folder.corpus.notes.empty());  // they have not changed: nobody is told twice

  auto const small = read_corpus(folder.files, folder.known(), {.largest = 3}, folder.executor);
  CHECK(small.notes.empty());  // nothing is read
  auto const anew = read_corpus(folder.files, {}, {.largest = 25}, folder.executor);
  REQUIRE(anew.notes.size() == 4);
  CHECK(anew.notes[0].what.ends_with("has 29 bytes, expected at most 25; left out"));
  CHECK_THROWS_AS(read_corpus(folder.files / "nowhere", {}, {}, folder.executor), FileError);

  auto const chosen = read_corpus(folder.files, {}, {.patterns = {"*.md", "sub/*"}, .left_out = folder.files / "b.md"}, folder.executor);
  REQUIRE(chosen.files.size() == 1);
  CHECK(chosen.files[0].name == "sub/c.txt");
  auto const one = read_corpus(folder.files / "b.md", {}, {}, folder.executor);
  REQUIRE(one.files.size() == 1);
  CHECK(one.files[0].name == "b.md");
  // One file that is asked for by name and cannot be read is more than a note.
  CHECK_THROWS_WITH_AS(read_corpus(folder.files / "b.md", {}, {.largest = 3}, folder.executor),
                       ((folder.files / "b.md").string() + ": has 29 bytes, expected at most 3").c_str(), FormatError);
  CHECK_THROWS_WITH_AS(read_corpus(folder.files / "pipe", {}, {}, folder.executor),
                       ((folder.files / "pipe").string() + ": is not a regular file").c_str(), FileError);
}

TEST_CASE("passage index: another model, other passages and another corpus are refused by name") {
  Folder folder;
  folder.update();
  auto const index = folder.known();
  index.check_model({.name = "moved", .hash = "0123456789abcdef"});
  CHECK(test::message_of<IndexError>([&] { index.check_model({.name = "other", .hash = "ffff", .weights = "q8_0"}); }) ==
        folder.saved.string() + ": found embeddings of the model counting (0123456789ab), expected those of other in q8_0 (ffff)");
  folder.model.hash = "ffff";
  write_old(folder.files / "a.txt", "changed");
  CHECK_THROWS_AS(folder.update(), IndexError);
  folder.model.hash = "0123456789abcdef";
  CHECK(test::message_of<IndexError>([&] { folder.update({.passages = {.chunks = {.length = 50}}}); }) ==
        folder.saved.string() +
            ": found an index of paragraphs of 100 tokens that overlap by 12, expected one of paragraphs of 50 tokens that overlap "
            "by 12");
  CHECK_THROWS_AS(folder.update({.passages = {.split = PassageSplit::lines}}), IndexError);
  CHECK_THROWS_AS(index.check_passages({.split = PassageSplit::lines}), IndexError);
  CHECK_NOTHROW(index.check_passages({}));
  CHECK(folder.update().size() == 1);

  test::TemporaryDirectory other;
  for (char const* name : {"", "z.txt"}) {
    if (*name != 0) write_old(other / name, "another corpus");
    CHECK(test::contains(test::message_of<IndexError>([&] { read_corpus(other, index, {}, folder.executor); }),
                         ": found none of the 4 files of the index, the first of which is \"a.txt\": is it another corpus's?"));
  }

  // Words alone.
  PassageModel const words{.tokenizer = &folder.model.tokenizer, .max_length = 100};
  auto const without = update_index({}, read_corpus(folder.files, {}, {}, folder.executor), words, {}, folder.executor).index;
  without.save(folder.beside / "words.index");
  auto const reopened = PassageIndex::open(folder.beside / "words.index");
  CHECK(reopened.size() == 3);
  CHECK(reopened.embeddings().rows() == 0);
  CHECK(reopened.words().search("tower").front().index == 1);
  CHECK(test::contains(test::message_of<IndexError>([&] { reopened.check_model({.name = "mine", .hash = "1"}); }),
                       "found an index of words alone, expected one with the embeddings of mine"));
  CHECK_THROWS_AS(update_index(reopened, folder.corpus, folder.model.as_model(), {}, folder.executor), IndexError);
  CHECK_THROWS_AS(update_index(index, folder.corpus, words, {}, folder.executor), IndexError);
}

TEST_CASE("passage index: work that is stopped is kept, and goes on from there") {
  Folder folder;
  for (int i = 0; i < 3; ++i) {
    std::string text;
    for (int line = 0; line < 600; ++line) text += "word number " + std::to_string(1000 * i + line) + "\n";
    write_old(folder.files / ("many" + std::to_string(i)), text);
  }
  std::stop_source source;
  auto model = folder.model.as_model();
  std::size_t groups = 0;
  model.embed = [&, embed = model.embed](auto texts, auto const& options, auto rows) {
    if (++groups == 2) source.request_stop();
    if (source.stop_requested()) throw StoppedError("stopped");
    embed(texts, options, rows);
  };
  IndexOptions const options{.passages = {.split = PassageSplit::lines}, .stop = source.get_token()};
  auto const stopped = update_index({}, read_corpus(folder.files, {}, {}, folder.executor), model, options, folder.executor);
  CHECK(stopped.files_left == 4);  // two of the large ones, sub/c.txt, and the empty one, which may not have been looked at
  CHECK(stopped.passages_embedded == 603);
  stopped.index.save(folder.saved);
  folder.model.embedded.clear();
  auto const rest = read_corpus(folder.files, folder.known(), {}, folder.executor);
  CHECK(rest.added == 4);
  auto const finished =
      update_index(folder.known(), rest, folder.model.as_model(), {.passages = {.split = PassageSplit::lines}}, folder.executor);
  CHECK(finished.files_left == 0);
  CHECK(finished.index.size() == 1800 + 5);
  CHECK(finished.passages_embedded == finished.index.size() - stopped.index.size());
}

TEST_CASE("passage index: a file that is damaged, cut short, or none is refused by what is wrong, and nothing is read beyond it") {
  Folder folder;
  folder.update();
  std::string const good = test::read_bytes(folder.saved);
  auto const broken = folder.beside / "broken.index";
  auto const message = [&](std::string const& bytes) {
    test::write_bytes(broken, bytes);
    return test::message_of<FormatError>([&] {
      auto const index = PassageIndex::open(broken);
      for (std::size_t i = 0; i < index.size(); ++i) index.passage(i);
      for (char const* word : {"the", "tower", "of"}) index.words().search(word);
    });
  };
  CHECK(message(good) == "no exception");
  for (std::size_t size = 0; size < good.size(); size += 1 + size / 7)
    CHECK(test::contains(message(good.substr(0, size)), broken.string() + ": "));
  CHECK(test::contains(message("{}"), "expected a safetensors file"));

  auto const changed = [&](std::string_view from, std::string_view to) {
    std::string bytes = good;
    auto const place = bytes.find(from);
    REQUIRE(place != bytes.npos);
    REQUIRE(from.size() == to.size());
    return message(bytes.replace(place, from.size(), to));
  };
  CHECK(test::contains(changed("axiform_index", "another_index"), "found no \"axiform_index\" in the metadata: this is no index"));
  CHECK(test::contains(changed("\\\"version\\\":1", "\\\"version\\\":2"), "version: found 2, expected 1 (make the index anew)"));
  CHECK(test::contains(changed("\\\"version\\\":1", "\\\"version\\\":-"), "axiform_index"));
  CHECK(test::contains(changed("paragraphs\\\"", "paragrap_s\\\""), "split: found \"paragrap_s\", expected \"paragraphs\" or \"lines\""));
  CHECK(test::contains(changed("\\\"dimensions\\\":3", "\\\"dimensions\\\":4"),
                       "embeddings.floats: found the shape [3, 3], expected rows of 4"));
  CHECK(test::contains(changed("\\\"dimensions\\\":3", "\\\"dimensions\\\":0"), "found no hash or no dimensions"));
  CHECK(test::contains(changed("\"files.sizes\"", "\"files.other\""), "files.sizes: is missing"));
  CHECK(test::contains(changed("\"dtype\":\"I64\"", "\"dtype\":\"U64\""), "files.times: found the element type U64, expected I64"));
  CHECK(test::contains(changed("a.txtb.md", "z.txtb.md"), "files.names: found \"b.md\" behind \"z.txt\""));

  // Any byte of the numbers may be another: it is an error or a result, and no access beyond the arrays.
  std::size_t const data = good.find("}}") + 2;
  std::size_t errors = 0;
  for (std::size_t i = data; i < good.size(); i += 3) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x81);
    errors += message(bytes) != "no exception";
  }
  CHECK(errors > 20);
}

TEST_CASE("passage index: an index that is open stays what it is while another takes its place") {
  Folder folder;
  folder.update();
  auto const before = folder.known();
  write_old(folder.files / "a.txt", "changed");
  folder.update();
  CHECK(before.passage(0).text == "A cat sat on the mat.");
  CHECK(before.words().search("cat").size() == 1);
  CHECK(folder.known().passage(0).text == "changed");
}

TEST_CASE("model identity: is that of the files that embeddings depend on, and of how weights are kept") {
  test::TemporaryDirectory copy;
  auto const model = copy / "model";
  std::filesystem::copy(fixture_models / "bert-tiny", model);
  auto const identity = identify_model(model);
  CHECK(identity.name == "model");
  CHECK(identity.hash.size() == 64);
  CHECK(identity.pooling == Names{"mean"});
  CHECK(identity.is_same_as(identify_model(fixture_models / "bert-tiny")));
  CHECK(identify_model(model / "").name == "model");
  CHECK(!identity.is_same_as(identify_model(model, {.weights = WeightFormat::q8_0})));
  test::write_bytes(model / "README.md", "says nothing");
  CHECK(identity.is_same_as(identify_model(model)));
  std::string weights = test::read_bytes(model / "model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  test::write_bytes(model / "model.safetensors", weights);
  CHECK(!identity.is_same_as(identify_model(model)));
  CHECK(!identity.is_same_as(identify_model(fixture_models / "mpnet-tiny")));
}

TEST_CASE("passage index: a model's embeddings are found again in a saved index, with the bits that it gives") {
  Folder folder;
  Context context = Context::with_threads(2);
  auto const directory = fixture_models / "bert-tiny";
  auto const model = SentenceEmbedding<>::from_directory(directory, context);
  auto const identity = identify_model(directory);
  auto const corpus = read_corpus(folder.files, {}, {}, context.executor());
  std::vector<std::size_t> seen;
  IndexOptions const options{.progress = [&](Progress const& progress) { seen.push_back(progress.total); }};
  update_index({}, corpus, passage_model(model, identity, context), options, context.executor()).index.save(folder.saved);
  CHECK(seen.back() == 3);
  auto const index = PassageIndex::open(folder.saved);
  index.check_model(identity);
  for (std::size_t i = 0; i < index.size(); ++i) {
    auto const expected = model.embed(index.passage(i).text, context);
    CHECK(std::memcmp(index.embeddings().row(i).data(), expected.data(), sizeof(float) * expected.size()) == 0);
    CHECK(semantic_search(expected, index.embeddings(), {.top_k = 1}, context).front().index == i);
  }
}

TEST_CASE("passage index: codes of a byte and of a bit are those of the embeddings, and are saved with them") {
  Folder folder;
  folder.update();
  Context context;
  auto const index = folder.known();
  CHECK(index.int8_embeddings().codes.rows() == 0);
  CHECK(index.binary_embeddings().bits.rows() == 0);
  auto const coded =
      with_codes(with_codes(index, CodePrecision::int8, ScoreFunction::dot, context), CodePrecision::binary, ScoreFunction::dot, context);
  coded.save(folder.saved);
  auto const reopened = folder.known();
  auto const expected = quantize_int8(index.embeddings(), context);
  auto const expected_bits = quantize_binary(index.embeddings(), context);
  CHECK(std::ranges::equal(reopened.arrays().codes, expected.codes.elements()));
  CHECK(std::ranges::equal(reopened.arrays().code_ranges, expected.ranges.elements()));
  CHECK(std::ranges::equal(reopened.arrays().bits, expected_bits.bits.elements()));
  Tensor<float, axes::Hidden> query(std::size_t{3});
  std::ranges::copy(index.embeddings().row(1), query.data());
  auto const exact = semantic_search(query, index.embeddings(), {.top_k = 3}, context);
  QuantizedSearchOptions const options{.top_k = 3};
  auto const by_bytes = quantized_search(query, reopened.int8_embeddings(), reopened.embeddings(), options, context);
  auto const by_bits = quantized_search(query, reopened.binary_embeddings(), reopened.embeddings(), options, context);
  for (auto const& found : {by_bytes, by_bits})
    CHECK(
        std::ranges::equal(found, exact, [](SearchHit const& a, SearchHit const& b) { return a.index == b.index && a.score == b.score; }));
  write_old(folder.files / "a.txt", "changed");
  folder.update();
  CHECK(folder.known().arrays().bits.empty());
  CHECK(with_codes(PassageIndex(), CodePrecision::int8, ScoreFunction::cosine, context).size() == 0);
}
