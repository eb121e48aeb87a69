// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/semantic_tokens.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <utility>

#include "sdk/core/detect/token_library.h"

namespace aispm::detect {
namespace {

constexpr const char* kModule = "lib/aispm/aispm_tokens.so";

// The module binds to what it was linked with, not to names of this program. Sanitizers replace
// names of all libraries, and refuse that.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kBinding = 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int kBinding = 0;
#else
constexpr int kBinding = RTLD_DEEPBIND;
#endif
#else
constexpr int kBinding = RTLD_DEEPBIND;
#endif

// Beside the program: /usr/lib/aispm for /usr/bin, and lib/aispm of a build folder.
Result<std::string> find_module() {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(Errc::kUnavailable, "/proc/self/exe: " + error.message());
  for (int up = 0; up < 4 && folder.has_relative_path(); ++up) {
    folder = folder.parent_path();
    if (std::filesystem::exists(folder / kModule, error)) return (folder / kModule).string();
  }
  return fail(Errc::kUnavailable, std::string(kModule) + " is not installed");
}

Result<const aispm_token_library*> load_library() {
  AISPM_TRY(const std::string path, find_module());
  // Never closed: the library outlives every model.
  void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | kBinding);
  if (module == nullptr) return fail(Errc::kUnavailable, ::dlerror());
  const auto entry =
      reinterpret_cast<aispm_token_library_entry>(::dlsym(module, AISPM_TOKENS_ENTRY));
  if (entry == nullptr) return fail(Errc::kUnavailable, path + ": " + ::dlerror());
  const aispm_token_library* const library = entry();
  if (library->version != AISPM_TOKENS_VERSION)
    return fail(Errc::kUnavailable, path + ": of another version");
  return library;
}

}  // namespace

struct SemanticTokens::Library {
  const aispm_token_library* calls = nullptr;
  aispm_tokens* tokens = nullptr;

  Library(const aispm_token_library* library, aispm_tokens* opened)
      : calls(library), tokens(opened) {}
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { calls->close(tokens); }
};

SemanticTokens::SemanticTokens(std::unique_ptr<Library> library) : library_(std::move(library)) {}
SemanticTokens::SemanticTokens(SemanticTokens&&) noexcept = default;
SemanticTokens& SemanticTokens::operator=(SemanticTokens&&) noexcept = default;
SemanticTokens::~SemanticTokens() = default;

Result<SemanticTokens> SemanticTokens::open(std::string_view model) {
  static const Result<const aispm_token_library*> loaded = load_library();
  if (!loaded) return fail(loaded.error());
  std::array<char, 256> error{};
  aispm_tokens* const tokens =
      (*loaded)->open(model.data(), model.size(), error.data(), error.size());
  if (tokens == nullptr)
    return fail(Errc::kInvalid, std::string("semantic model: vocabulary: ") + error.data());
  auto library = std::make_unique<Library>(*loaded, tokens);
  if ((*loaded)->begin_mark(tokens) < 0 || (*loaded)->end_mark(tokens) < 0)
    return fail(Errc::kInvalid, "semantic model: vocabulary without marks of begin and end");
  return SemanticTokens(std::move(library));
}

void SemanticTokens::split(std::string_view text, std::vector<Token>& tokens) const {
  tokens.clear();
  struct Sink {
    std::vector<Token>& tokens;
    std::size_t limit;
  } sink{tokens, text.size()};
  const auto add = [](void* context, const aispm_token* token) {
    Sink& to = *static_cast<Sink*>(context);
    to.tokens.push_back(
        {token->id, std::min(token->begin, to.limit), std::min(token->end, to.limit)});
  };
  library_->calls->split(library_->tokens, text.data(), text.size(), add, &sink);
}

std::size_t SemanticTokens::size() const {
  return static_cast<std::size_t>(std::max(0, library_->calls->size(library_->tokens)));
}
std::uint32_t SemanticTokens::begin_mark() const {
  return static_cast<std::uint32_t>(library_->calls->begin_mark(library_->tokens));
}
std::uint32_t SemanticTokens::end_mark() const {
  return static_cast<std::uint32_t>(library_->calls->end_mark(library_->tokens));
}

}  // namespace aispm::detect
