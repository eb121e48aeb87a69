// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <aispm.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// C++17 over the C of libaispm. Header only, so it needs no C++ ABI of ours.
namespace aispm::sdk {

// A bundle that was loaded. Any thread; move-only.
class Policy {
 public:
  // Throws std::runtime_error that says what is wrong. `keys`: one of these public keys (PEM) must
  // have signed; empty: a signature is not asked for. `registry`: folder of the collector's
  // registry, which counts beside the bundle; "" = none.
  static Policy open(const std::string& folder, const std::vector<std::string>& keys = {},
                     const std::string& registry = {}) {
    std::vector<const char*> texts;
    texts.reserve(keys.size());
    for (const std::string& key : keys) texts.push_back(key.c_str());
    char* error = nullptr;
    Policy policy(aispm_policy_open_with_registry(folder.c_str(), registry.c_str(), texts.data(),
                                                  texts.size(), &error));
    const Text owned(error);
    if (!policy.handle_) throw std::runtime_error(error == nullptr ? "no memory" : error);
    return policy;
  }

  std::string version() const { return aispm_policy_version(handle_.get()); }
  // JSON in and out, see aispm.h.
  std::string decide(std::string_view action) const {
    return take(aispm_policy_decide(handle_.get(), action.data(), action.size()));
  }
  std::string command(std::string_view line) const {
    return take(aispm_policy_command(handle_.get(), line.data(), line.size()));
  }

 private:
  struct Close {
    void operator()(aispm_policy* policy) const { aispm_policy_close(policy); }
    void operator()(char* text) const { aispm_text_free(text); }
  };
  using Text = std::unique_ptr<char, Close>;

  explicit Policy(aispm_policy* handle) : handle_(handle) {}
  static std::string take(char* text) {
    const Text owned(text);
    if (text == nullptr) throw std::bad_alloc();
    return text;
  }
  std::unique_ptr<aispm_policy, Close> handle_;
};

}  // namespace aispm::sdk
