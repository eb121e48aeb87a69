// SPDX-License-Identifier: Apache-2.0
#include "sandbox/check/verdict.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::sandbox {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxReasonBytes = 2000;

// What the agent prints goes to standard error, so that the lines of this channel are only ours
// until its first line runs.
constexpr const char* kSteps = R"steps(
import ast, importlib.util, json, os, sys, traceback, warnings
channel = os.fdopen(os.dup(1), "w")
os.set_inheritable(channel.fileno(), False)
os.dup2(2, 1)
sys.dont_write_bytecode = True
path = sys.argv[1]
def tell(stage, reason="", line=0, column=0):
    channel.write(json.dumps({"stage": stage, "reason": reason[:500], "line": line or 0, "column": column or 0}) + "\n")
    channel.flush()
def stop(*facts):
    tell(*facts)
    os._exit(0)
with open(path, "rb") as file:
    source = file.read()
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source, path)
        code = compile(tree, path, "exec", dont_inherit=True)
except SyntaxError as error:
    stop("syntax", error.msg or "invalid syntax", error.lineno, error.offset)
except (ValueError, RecursionError, MemoryError) as error:
    stop("syntax", f"{type(error).__name__}: {error}")
if NEEDS_MAIN:
    named = [node for node in tree.body if getattr(node, "name", "") == "main"]
    if not named:
        stop("main", "there is no `async def main` at the top level of the file")
    if not isinstance(named[-1], ast.AsyncFunctionDef):
        stop("main", "`main` must be a coroutine: write `async def main`", named[-1].lineno, named[-1].col_offset + 1)
tell("parsed")
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(path)
name = os.path.splitext(os.path.basename(path))[0]
try:
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    exec(code, module.__dict__)
except BaseException as error:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SystemExit):
        reason = "it ends the interpreter when it is imported: put that below `if __name__ == '__main__':`"
    elif isinstance(error, ModuleNotFoundError):
        reason = f"{error}: name its package in a requirements file (--requirements)"
    else:
        reason = f"{type(error).__name__}: {error}"
    stop("import", reason, lines[-1] if lines else 0)
tell("imported")
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)
)steps";

Verdict fail_at(Verdict verdict, CheckStage stage, std::string reason, std::size_t line = 0,
                std::size_t column = 0) {
  verdict.is_valid = false;
  verdict.failed = stage;
  verdict.reason = to_utf8(reason);
  cut_utf8(verdict.reason, kMaxReasonBytes);
  for (char& c : verdict.reason)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  verdict.line = line;
  verdict.column = column;
  return verdict;
}

struct Told {
  std::string stage;
  std::string reason;
  std::size_t line = 0;
  std::size_t column = 0;
};

std::size_t number_of(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  const bool is_number = value != nullptr && value->is_int64() && value->get_int64() >= 0 &&
                         value->get_int64() <= static_cast<std::int64_t>(kMaxAgentBytes);
  return is_number ? static_cast<std::size_t>(value->get_int64()) : 0;
}

Result<Told> read_line(std::string_view line) {
  json::error_code error;
  const auto value = json::parse(json::string_view(line.data(), line.size()), error);
  const auto* object = error ? nullptr : value.if_object();
  const auto* stage = object == nullptr ? nullptr : object->if_contains("stage");
  const auto* reason = object == nullptr ? nullptr : object->if_contains("reason");
  if (stage == nullptr || !stage->is_string() || reason == nullptr || !reason->is_string())
    return fail(Errc::kInvalid, "a line that the check did not write");
  return Told{std::string(stage->get_string()), std::string(reason->get_string()),
              number_of(*object, "line"), number_of(*object, "column")};
}

Result<std::vector<Told>> read_lines(std::string_view output) {
  std::vector<Told> all;
  while (!output.empty()) {
    const auto end = output.find('\n');
    if (end == std::string_view::npos || all.size() == 2)
      return fail(Errc::kInvalid, "more than the check wrote");
    AISPM_TRY(Told told, read_line(output.substr(0, end)));
    all.push_back(std::move(told));
    output.remove_prefix(end + 1);
  }
  return all;
}

std::string how_it_ended(int exit_code, std::chrono::milliseconds limit) {
  if (exit_code == kExitWallTime)
    return "it takes longer than " + std::to_string(limit.count() / 1000) +
           " s. Move work out of the top level of the file";
  if (exit_code == kExitLimit) return "it reached a limit of the sandbox (see standard error)";
  if (exit_code > 128)
    return "signal " + std::to_string(exit_code - 128) + " ended the interpreter" +
           (exit_code == 137 ? " (as the memory limit does)" : "");
  return "the interpreter ended with exit code " + std::to_string(exit_code);
}

}  // namespace

const char* to_text(CheckStage stage) {
  switch (stage) {
    case CheckStage::kSize:
      return "size";
    case CheckStage::kEncoding:
      return "encoding";
    case CheckStage::kSyntax:
      return "syntax";
    case CheckStage::kMain:
      return "main";
    case CheckStage::kImport:
      return "import";
  }
  return "";
}

Verdict too_large() {
  return fail_at({}, CheckStage::kSize,
                 "larger than " + std::to_string(kMaxAgentBytes) +
                     " bytes: keep data in files of "
                     "its own");
}

Verdict check_source(std::string_view text) {
  if (text.size() > kMaxAgentBytes) return too_large();
  Verdict verdict;
  verdict.passed = {CheckStage::kSize};
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_length(text.substr(at));
    if (length == 0)
      return fail_at(std::move(verdict), CheckStage::kEncoding, "holds a byte that is not UTF-8",
                     line);
    if (text[at] == '\0')
      return fail_at(std::move(verdict), CheckStage::kEncoding, "holds a NUL byte", line);
    if (text[at] == '\n') ++line;
    at += length;
  }
  verdict.passed.push_back(CheckStage::kEncoding);
  return verdict;
}

Result<Verdict> judge(Verdict source, const std::string& output, int exit_code,
                      const CheckOptions& options) {
  Verdict verdict = std::move(source);
  const auto lines = read_lines(output);
  const bool is_before_the_agent = lines && lines->empty();
  if (is_before_the_agent && exit_code < 128 && exit_code != kExitWallTime &&
      exit_code != kExitLimit)
    return fail(Errc::kUnavailable, "the interpreter could not check it (exit code " +
                                        std::to_string(exit_code) + ", see standard error)");
  if (is_before_the_agent)
    return fail_at(std::move(verdict), CheckStage::kSyntax, how_it_ended(exit_code, options.limit));
  if (lines && lines->front().stage == "syntax")
    return fail_at(std::move(verdict), CheckStage::kSyntax, lines->front().reason,
                   lines->front().line, lines->front().column);
  verdict.passed.push_back(CheckStage::kSyntax);
  if (lines && lines->front().stage == "main")
    return fail_at(std::move(verdict), CheckStage::kMain, lines->front().reason,
                   lines->front().line, lines->front().column);
  if (options.needs_main) verdict.passed.push_back(CheckStage::kMain);
  if (!lines)
    return fail_at(std::move(verdict), CheckStage::kImport,
                   "it wrote to the check's own channel: " + lines.error().message);
  const Told& last = lines->back();
  if (lines->size() == 2 && last.stage == "import")
    return fail_at(std::move(verdict), CheckStage::kImport, last.reason, last.line);
  if (lines->size() != 2 || last.stage != "imported" || exit_code != 0)
    return fail_at(std::move(verdict), CheckStage::kImport, how_it_ended(exit_code, options.limit));
  verdict.passed.push_back(CheckStage::kImport);
  return verdict;
}

std::string check_steps(bool needs_main) {
  return std::string("NEEDS_MAIN = ") + (needs_main ? "True" : "False") + kSteps;
}

std::string to_json(const Verdict& verdict, const std::string& file) {
  json::object object;
  object["file"] = to_utf8(file);
  object["valid"] = verdict.is_valid;
  json::array passed;
  for (const auto stage : verdict.passed) passed.emplace_back(to_text(stage));
  object["passed"] = std::move(passed);
  if (!verdict.is_valid) {
    object["failed"] = to_text(verdict.failed);
    object["reason"] = verdict.reason;
    if (verdict.line != 0) object["line"] = verdict.line;
    if (verdict.column != 0) object["column"] = verdict.column;
  }
  return json::serialize(object);
}

std::string to_text(const Verdict& verdict, const std::string& file) {
  if (!verdict.is_valid)
    return file + (verdict.line == 0 ? "" : ":" + std::to_string(verdict.line)) +
           (verdict.column == 0 ? "" : ":" + std::to_string(verdict.column)) + ": " +
           to_text(verdict.failed) + ": " + verdict.reason;
  std::string stages;
  for (const auto stage : verdict.passed)
    stages += (stages.empty() ? "" : ", ") + std::string(to_text(stage));
  return file + ": valid (" + stages + ")";
}

}  // namespace aispm::sandbox
