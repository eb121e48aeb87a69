// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "sandbox/requirements/requirements.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxLineBytes = 16384;  // with its continuations
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxMarkerDepth = 16;
constexpr std::string_view kHashOption = "--hash=";

bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_name_character(char c) { return is_word(c) || c == '.' || c == '_' || c == '-'; }
bool is_version_character(char c) {
  return is_name_character(c) || c == '+' || c == '!' || c == '*';
}

// Reads one requirement from left to right. The grammar is that of PEP 508 without URLs.
// Source: packaging.python.org, "Dependency specifiers".
class Reader {
 public:
  Reader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Result<std::string> read() {
    AISPM_TRY(std::string result, read_name());
    if (take('[')) AISPM_CHECK(read_extras(result));
    AISPM_CHECK(read_specifiers(result));
    if (take(';')) {
      std::string marker;
      AISPM_CHECK(read_marker(marker, 0));
      result += " ; " + marker;
    }
    AISPM_CHECK(read_hashes(result));
    skip();
    if (at_ != text_.size()) return wrong("unexpected text after the requirement");
    return result;
  }

 private:
  tl::unexpected<Error> wrong(const std::string& what) const {
    return fail(Errc::kInvalid, where_ + what + ". Write name==version, e.g. requests==2.32.3");
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    skip();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  template <typename Accept>
  std::string_view run_of(Accept accept) {
    skip();
    const std::size_t from = at_;
    while (at_ < text_.size() && accept(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

  Result<std::string> read_name() {
    const auto name = run_of(is_name_character);
    if (name.empty() || name.size() > kMaxNameBytes || !is_word(name.front()) ||
        !is_word(name.back()))
      return wrong("a requirement begins with the name of a package");
    // Only these look like a file to pip.
    for (const char* ending : {".whl", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".tbz"})
      if (name.ends_with(ending))
        return wrong("'" + std::string(name) + "' is a file, not the name of a package");
    return std::string(name);
  }

  Result<> read_extras(std::string& result) {
    result += '[';
    do {
      const auto extra = run_of(is_name_character);
      if (extra.empty() || extra.size() > kMaxNameBytes) return wrong("an extra has no name");
      if (result.back() != '[') result += ',';
      result += extra;
    } while (take(','));
    if (!take(']')) return wrong("']' is missing after the extras");
    result += ']';
    return {};
  }

  Result<> read_specifiers(std::string& result) {
    static constexpr std::array<std::string_view, 8> kOperators = {
        "===", "==", "~=", "!=", "<=", ">=", "<", ">"};
    bool is_first = true;
    do {
      const auto* const found = std::find_if(kOperators.begin(), kOperators.end(),
                                             [&](std::string_view word) { return take(word); });
      if (found == kOperators.end()) {
        if (is_first) return {};
        return wrong("a version must follow ','");
      }
      const auto version = run_of(is_version_character);
      if (version.empty() || version.size() > kMaxNameBytes)
        return wrong("'" + std::string(*found) + "' has no version");
      result += (is_first ? "" : ",") + std::string(*found) + std::string(version);
      is_first = false;
    } while (take(','));
    return {};
  }

  // A variable of the interpreter or a quoted text.
  Result<> read_operand(std::string& result) {
    static constexpr std::array<std::string_view, 11> kVariables = {"python_full_version",
                                                                    "python_version",
                                                                    "os_name",
                                                                    "sys_platform",
                                                                    "platform_release",
                                                                    "platform_system",
                                                                    "platform_version",
                                                                    "platform_machine",
                                                                    "implementation_version",
                                                                    "implementation_name",
                                                                    "extra"};
    skip();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote == '"' || quote == '\'') {
      const auto end = text_.find(quote, at_ + 1);
      if (end == std::string_view::npos) return wrong("a text of the marker has no end");
      const auto inner = text_.substr(at_ + 1, end - at_ - 1);
      if (inner.find_first_of("\"'\\#") != std::string_view::npos)
        return wrong("a text of the marker holds a quote, '\\' or '#'");
      result += "\"" + std::string(inner) + "\"";
      at_ = end + 1;
      return {};
    }
    const auto word = run_of([](char c) { return is_word(c) || c == '_'; });
    if (word == "platform_python_implementation" ||
        std::find(kVariables.begin(), kVariables.end(), word) != kVariables.end()) {
      result += word;
      return {};
    }
    return wrong("'" + std::string(word.substr(0, 40)) +
                 "' is no environment marker that is supported (python_version, sys_platform, "
                 "platform_machine, ...)");
  }

  Result<> read_comparison(std::string& result) {
    AISPM_CHECK(read_operand(result));
    static constexpr std::array<std::string_view, 9> kOperators = {
        "===", "==", "~=", "!=", "<=", ">=", "<", ">", "in "};
    for (const auto word : kOperators)
      if (take(word)) {
        result += " " + std::string(word) + (word == "in " ? "" : " ");
        return read_operand(result);
      }
    if (take("not ") && take("in ")) {
      result += " not in ";
      return read_operand(result);
    }
    return wrong("a marker must compare (python_version >= \"3.9\")");
  }

  Result<> read_marker(std::string& result, std::size_t depth) {
    if (depth > kMaxMarkerDepth) return wrong("the marker is nested too deeply");
    for (;;) {
      if (take('(')) {
        result += '(';
        AISPM_CHECK(read_marker(result, depth + 1));
        if (!take(')')) return wrong("')' is missing in the marker");
        result += ')';
      } else {
        AISPM_CHECK(read_comparison(result));
      }
      if (take("and "))
        result += " and ";
      else if (take("or "))
        result += " or ";
      else
        return {};
    }
  }

  Result<> read_hashes(std::string& result) {
    while (take(kHashOption)) {
      if (!take("sha256:")) return wrong("only sha256 is a hash here (--hash=sha256:...)");
      const auto hash =
          run_of([](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
      if (hash.size() != 64) return wrong("a sha256 has 64 hex digits, in small letters");
      result += " --hash=sha256:" + std::string(hash);
    }
    return {};
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

bool starts_with_word(std::string_view line, std::string_view option) {
  return line.starts_with(option) &&
         (line.size() == option.size() || !is_word(line[option.size()]) || option.size() == 2);
}

// What must never reach a package tool, each with what to do instead. Never repeats a URL: it may
// hold a password.
Result<> refuse_what_is_no_name(std::string_view line, const std::string& where) {
  struct Rule {
    std::initializer_list<std::string_view> options;
    const char* why;
  };
  static const std::array<Rule, 3> kRules = {
      {{{"-e", "--editable"},
        "editable installs run code of a folder. Name a published package, or share the folder "
        "with --ro"},
       {{"-r", "--requirement", "-c", "--constraint"},
        "other files are not read. Put their lines into this one"},
       {{"-i", "--index-url", "--extra-index-url", "--find-links", "-f", "--no-index",
         "--trusted-host"},
        "where packages come from is not the file's choice. Use aispm-run --index"}}};
  if (line.starts_with('-')) {
    for (const auto& rule : kRules)
      for (const auto option : rule.options)
        if (starts_with_word(line, option))
          return fail(Errc::kInvalid, where + std::string(option) + ": " + rule.why);
    return fail(Errc::kInvalid, where + "options are not taken. Remove the line");
  }
  for (const char* scheme : {"git+", "hg+", "svn+", "bzr+"})
    if (line.find(scheme) != std::string_view::npos)
      return fail(Errc::kInvalid, where +
                                      "version control addresses are refused: what they hold can "
                                      "change. Name a published version (name==version)");
  if (line.find("://") != std::string_view::npos || line.find("file:") != std::string_view::npos ||
      line.find('@') != std::string_view::npos)
    return fail(Errc::kInvalid, where +
                                    "addresses are refused: packages come from the index alone. "
                                    "Write name==version, with --hash=sha256:... to pin the file");
  if (line.find_first_of("/\\") != std::string_view::npos)
    return fail(Errc::kInvalid, where + "paths are refused. Name a published package");
  if (line.find('$') != std::string_view::npos)
    return fail(Errc::kInvalid, where + "variables are not expanded. Write the value");
  return {};
}

struct Line {
  std::string text;
  std::size_t number = 0;  // of its first line in the file
};

// Joins continued lines and takes comments away.
Result<std::vector<Line>> split_lines(std::string_view text, const std::string& name) {
  std::vector<Line> lines;
  Line line;
  bool is_continued = false;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const std::string where = name + ":" + std::to_string(number) + ": ";
    if (part.ends_with('\r')) part.remove_suffix(1);
    for (const char c : part)
      if (c != '\t' && (c < ' ' || c > '~'))
        return fail(Errc::kInvalid, where + "holds a byte that is no plain text (ASCII)");
    if (!is_continued) line = {"", number};
    for (auto hash = part.find('#'); hash != std::string_view::npos;
         hash = part.find('#', hash + 1))
      if (hash == 0 || part[hash - 1] == ' ' || part[hash - 1] == '\t') part = part.substr(0, hash);
    is_continued = part.ends_with('\\');
    if (is_continued) part.remove_suffix(1);
    line.text += part;
    if (line.text.size() > kMaxLineBytes)
      return fail(Errc::kTooLarge,
                  where + "longer than " + std::to_string(kMaxLineBytes) + " bytes");
    if (is_continued && !text.empty()) {
      line.text += ' ';
      continue;
    }
    const auto from = line.text.find_first_not_of(" \t");
    if (from == std::string::npos) continue;
    line.text = line.text.substr(from, line.text.find_last_not_of(" \t") - from + 1);
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

Result<std::string> canonical_requirement(std::string_view line, const std::string& where) {
  AISPM_CHECK(refuse_what_is_no_name(line, where));
  return Reader(line, where).read();
}

Result<Requirements> parse_requirements_txt(std::string_view text, const std::string& name) {
  if (text.size() > kMaxRequirementsBytes)
    return fail(Errc::kTooLarge,
                name + ": larger than " + std::to_string(kMaxRequirementsBytes) + " bytes");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  AISPM_TRY(const std::vector<Line> lines, split_lines(text, name));
  if (lines.size() > kMaxRequirements)
    return fail(Errc::kTooLarge,
                name + ": more than " + std::to_string(kMaxRequirements) + " requirements");
  Requirements result;
  for (const auto& line : lines) {
    AISPM_TRY(const std::string requirement,
              canonical_requirement(line.text, name + ":" + std::to_string(line.number) + ": "));
    result.text += requirement + "\n";
    ++result.count;
  }
  return result;
}

}  // namespace aispm::sandbox
