/// @file
/// `Section`: an object of a tokenizer's files, read key by key, with messages that say where it stands.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>

namespace axiform::detail {

/// One object of the file and where it is, for messages: `tokenizer.json: post_processor.special_tokens`.
class Section {
 public:
  Section(Json const& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) throw_format_error({where_, ": found ", describe_json(json), ", expected an object"});
  }

  Json const& json() const noexcept { return json_; }
  std::string const& where() const noexcept { return where_; }

  template <class Value>
  Value require(std::string_view key) const {
    return axiform::require<Value>(json_, key, where_);
  }
  template <class Value>
  Value get_or(std::string_view key, Value otherwise) const {
    return axiform::get_or<Value>(json_, key, std::move(otherwise), where_);
  }
  template <class Value>
  std::optional<Value> get(std::string_view key) const {
    return get_optional<Value>(json_, key, where_);
  }

  AXIFORM_COLD Section section(std::string_view key) const { return {require_object(json_, key, where_), where_ + ": " + printable(key)}; }
  /// The object that `key` holds, or nothing when it is null or absent.
  AXIFORM_COLD std::optional<Section> optional_section(std::string_view key) const {
    Json const* const member = find_member(json_, key, where_);
    if (member == nullptr || member->is_null()) return std::nullopt;
    return Section(*member, where_ + ": " + printable(key));
  }
  /// The objects of an array.
  AXIFORM_COLD std::vector<Section> sections(std::string_view key) const {
    std::vector<Section> result;
    for (Json const& element : require_array(json_, key, where_))
      result.emplace_back(element, where_ + ": " + printable(key) + "[" + std::to_string(result.size()) + "]");
    return result;
  }

  /// @throws CheckpointError for a key that is none of these.
  AXIFORM_COLD void allow(std::initializer_list<std::string_view> keys) const {
    for (auto const& [key, value] : json_.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) refuse(key, value);
  }
  /// @throws CheckpointError when the setting has another value than the one that is supported.
  AXIFORM_COLD void expect_unset(std::string_view key) const {
    Json const* const value = find_member(json_, key, where_);
    bool const is_unset = value == nullptr || value->is_null() || *value == false || *value == 0 || *value == "";
    if (!is_unset) refuse(key, *value);
  }
  AXIFORM_COLD [[noreturn]] void refuse(std::string_view key, Json const& value) const {
    throw_checkpoint_error({where_, ": the setting ", in_quotes(key), ", here ", describe_json(value), ", is not supported"});
  }
  /// Whether a side is `left`: "Left" or "Right" in tokenizer.json, "left" or "right" in tokenizer_config.json; right when it is absent or null.
  AXIFORM_COLD bool is_left(std::string_view key) const {
    auto const side = get_or<std::string>(key, "Right");
    if (side == "Left" || side == "left") return true;
    if (side != "Right" && side != "right") refuse(key, json_[key]);
    return false;
  }
  /// The `type`, which must be one of these.
  AXIFORM_COLD std::string type(std::initializer_list<std::string_view> types) const {
    auto found = require<std::string>("type");
    if (std::find(types.begin(), types.end(), found) != types.end()) return found;
    std::string expected;
    for (std::string_view const t : types) expected.append(expected.empty() ? "" : " or ").append(t);
    throw_checkpoint_error({where_, ": the type ", in_quotes(found), " is not supported, expected ", expected});
  }

 private:
  Json const& json_;
  std::string where_;
};

}  // namespace axiform::detail
