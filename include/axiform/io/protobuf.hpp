/// @file
/// Protocol buffers, as far as reading a message takes: its fields one after another, with every bound checked.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>

namespace axiform::detail {

/// A field of a message: its number, and its content as its wire type has it.
struct ProtobufField {
  enum class Type : std::uint8_t { varint = 0, eight_bytes = 1, bytes = 2, four_bytes = 5 };
  std::uint32_t number;
  Type type;
  std::uint64_t value;     // Of the numbers.
  std::string_view bytes;  // Of `bytes`: a text, or a message within.
};

/// Reads the fields of one message. Messages within are read by a reader of their own, so that nesting is as deep as its caller goes.
class ProtobufReader {
 public:
  /// Of `bytes`, which outlive it; `where` says in messages what they are.
  ProtobufReader(std::string_view bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}

  /// The next field; nothing at the end. @throws FormatError where the bytes are no field.
  std::optional<ProtobufField> next() {
    if (place_ == bytes_.size()) return std::nullopt;
    std::uint64_t const tag = varint();
    ProtobufField field{static_cast<std::uint32_t>(tag >> 3), static_cast<ProtobufField::Type>(tag & 7), 0, {}};
    if (tag >> 3 == 0 || tag >> 3 > greatest_number) refuse("a field of the number " + std::to_string(tag >> 3));
    switch (field.type) {
      case ProtobufField::Type::varint:
        field.value = varint();
        break;
      case ProtobufField::Type::eight_bytes:
        field.value = little_endian(take(8));
        break;
      case ProtobufField::Type::bytes:
        field.bytes = take(varint());
        break;
      case ProtobufField::Type::four_bytes:
        field.value = little_endian(take(4));
        break;
      default:
        refuse("a field of the wire type " + std::to_string(tag & 7));
    }
    return field;
  }

  /// What a field holds, which must be of that type. @throws FormatError when it is of another.
  std::string_view bytes(ProtobufField const& field) const { return check(field, ProtobufField::Type::bytes).bytes; }
  bool boolean(ProtobufField const& field) const { return check(field, ProtobufField::Type::varint).value != 0; }
  std::int32_t integer(ProtobufField const& field) const {  // Of more bits, the lowest count.
    return static_cast<std::int32_t>(check(field, ProtobufField::Type::varint).value);
  }
  float number(ProtobufField const& field) const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(check(field, ProtobufField::Type::four_bytes).value));
  }
  std::string const& where() const noexcept { return where_; }

 private:
  static constexpr std::uint64_t greatest_number = (1u << 29) - 1;

  [[noreturn]] void refuse(std::string const& what) const {
    throw FormatError(where_ + ": byte " + std::to_string(place_) + ": found " + what + ", expected a field of a protocol buffer");
  }
  ProtobufField const& check(ProtobufField const& field, ProtobufField::Type expected) const {
    if (field.type != expected)
      throw FormatError(where_ + ": field " + std::to_string(field.number) + ": found the wire type " +
                        std::to_string(static_cast<int>(field.type)) + ", expected " + std::to_string(static_cast<int>(expected)));
    return field;
  }
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - place_)
      refuse(std::to_string(count) + " bytes announced, and " + std::to_string(bytes_.size() - place_) + " left");
    std::string_view const taken = bytes_.substr(place_, static_cast<std::size_t>(count));
    place_ += taken.size();
    return taken;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      auto const byte = static_cast<unsigned char>(take(1).front());
      value |= shift == 63 ? std::uint64_t{byte & 1u} << 63 : std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    refuse("a number of more than ten bytes");
  }
  static std::uint64_t little_endian(std::string_view bytes) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
    return value;
  }

  std::string_view bytes_;
  std::string where_;
  std::size_t place_ = 0;
};

}  // namespace axiform::detail
