/// @file
/// The exceptions of the library. All derive from `axiform::Error`; nothing aborts or exits.
///
/// A message names the thing, what was found and what was expected:
///
///     bert.encoder.layer.3.output.dense.weight: found shape [768, 3071], expected [768, 3072]
#pragma once

#include <stdexcept>
#include <string>

#include <axiform/core/config.hpp>

namespace axiform {

/// Base of every exception that the library throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Two lengths that must agree do not: axes of operands, offsets and their tokens, a view and its buffer.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An argument has a value that the operation cannot take: a temperature of zero, an id outside the vocabulary.
class ArgumentError : public Error {
 public:
  using Error::Error;
};

/// A file cannot be opened, read or written.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A file was read, and its content is not what its format allows: JSON, safetensors, a vocabulary.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// A checkpoint or another file of tensors is well-formed but is not what was asked for: tensors missing, of another shape or type, an
/// unsupported setting.
class CheckpointError : public Error {
 public:
  using Error::Error;
};

/// What is asked for takes more memory than there is: found out before it is taken.
class MemoryError : public Error {
 public:
  using Error::Error;
};

}  // namespace axiform
