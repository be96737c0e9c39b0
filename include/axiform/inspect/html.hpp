/// @file
/// What the HTML pages of this room are written with: escaping, and the frame of a page that needs no network.
#pragma once

#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <axiform/core/function_ref.hpp>
#include <axiform/inspect/page_script.hpp>
#include <axiform/inspect/page_style.hpp>
#include <axiform/io/file.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// Takes the next piece of a page: appends it to a string, or writes it to a file.
using PageSink = FunctionRef<void(std::string_view)>;

/// Text as HTML shows it, wherever it stands, in attributes too. Invalid UTF-8 is replaced.
inline std::string html_text(std::string_view text) {
  std::string escaped;
  std::string const valid = replace_invalid_utf8(text);
  for (char const c : valid) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      case '\0': escaped += "\xEF\xBF\xBD"; break;  // HTML has no such character
      default: escaped += c;
    }
  }
  return escaped;
}

/// Text as a JSON string that may stand in a `<script>` element: nothing in it can end the element. Invalid UTF-8 is replaced.
/// (Not io/json.hpp's: its header costs three seconds of compile time, and escapes no `<`.)
inline std::string script_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string escaped = "\"";
  std::string const valid = replace_invalid_utf8(text);
  for (char const c : valid) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      escaped += '\\';
      escaped += c;
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      escaped += "\\u00";
      escaped += digits[byte >> 4];
      escaped += digits[byte & 15];
    } else {
      escaped += c;
    }
  }
  return escaped + '"';
}

/// A finite number as JSON, with every digit that tells it from its neighbours.
inline std::string script_number(double number) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
}

/// A range as a JSON array, each element as `write(element)` has it.
template <class Range, class Write>
std::string script_array(Range const& range, Write const& write) {
  std::string text = "[";
  for (auto const& element : range) {
    if (text.size() > 1) text += ',';
    text += write(element);
  }
  return text + ']';
}

/// What a page is made of, in the order in which it is written.
struct PageParts {
  std::string_view title;    ///< Plain text.
  std::string_view style;    ///< CSS, behind what all pages have.
  std::string_view body;     ///< HTML. What is to hold text is filled by the script.
  std::string data;          ///< JSON that the script finds as `page`.
  std::string_view scripts[4];  ///< JavaScript, behind what all pages have.
};

/// Writes a page. `write_more` adds elements between the data and the script. The page's own policy forbids whatever is not in it: loads
/// from a network, and handlers or scripts that text would bring along if it could.
inline void write_page(PageParts const& parts, PageSink sink, FunctionRef<void(PageSink)> write_more) {
  std::string const title = html_text(parts.title);
  for (std::string_view const piece :
       {std::string_view("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                         "script-src 'nonce-axiform'\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>"),
        std::string_view(title), std::string_view("</title>\n<style>"), page_style, parts.style,
        std::string_view("</style>\n</head>\n<body>\n<noscript><p>This page needs JavaScript, and no network.</p></noscript>\n"),
        parts.body,
        std::string_view("<script type=\"application/json\" id=\"page\">"), std::string_view(parts.data), std::string_view("</script>\n")})
    sink(piece);
  write_more(sink);
  sink("<script nonce=\"axiform\">");
  sink(page_script);
  for (std::string_view const script : parts.scripts) sink(script);
  sink("</script>\n</body>\n</html>\n");
}

/// What `write` gives its sink, as one string.
inline std::string page_text(FunctionRef<void(PageSink)> write) {
  std::string text;
  write([&text](std::string_view piece) { text += piece; });
  return text;
}

/// What `write` gives its sink, as a file: all of it, or what was there before.
inline void write_page_file(std::filesystem::path const& path, FunctionRef<void(PageSink)> write) {
  write_file_atomically(path, [&](FileWriter& file) { write([&file](std::string_view piece) { file.write(piece); }); });
}

}  // namespace axiform::detail
