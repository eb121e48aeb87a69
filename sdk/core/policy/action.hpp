// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/trust.hpp"

namespace aispm::policy {

// A tool's arguments as their scalars: {"order": {"items": [{"price": 5}]}} is
// `order.items.0.price` = 5.
class Arguments {
 public:
  using Value = std::variant<bool, double, std::string>;
  struct Leaf {
    std::string path;
    Value value;
  };
  static constexpr std::size_t kMaxBytes = 1U << 20;
  static constexpr std::size_t kMaxLeaves = 4096;
  static constexpr unsigned kMaxDepth = 20;

  // kInvalid: not one JSON object, or a key stands twice (two readers might take different ones);
  // kTooLarge. Nulls and empty containers have no leaf.
  static Result<Arguments> parse(std::string_view json);

  // What is known of arguments that were not kept whole.
  static Arguments of(std::vector<Leaf> leaves);

  const std::vector<Leaf>& leaves() const { return leaves_; }

 private:
  std::vector<Leaf> leaves_;
};

// What somebody wants to do. Views must outlive the decision only. Agent, roles, trust and
// environment come from the registry; what a caller claims of itself has no place here.
struct Action {
  std::string_view tool = {};
  std::string_view tool_provider = {};
  std::string_view surface = {};
  std::string_view agent = {};
  std::string_view agent_type = {};
  std::span<const std::string> roles = {};
  TrustLevel trust = TrustLevel::kUntrusted;
  std::string_view environment = {};
  std::string_view provider = {};  // of the model
  std::string_view model = {};
  std::string_view destination = {};         // host, address or channel that data would go to
  std::span<const std::string> labels = {};  // classes of the data: "PII", "SECRET"
  // Mail addresses, where they are all that the label "PII" is for; empty: it is for other data.
  std::span<const std::string> addresses = {};
  std::string_view text = {};            // what is said; for tools the arguments as sent
  const Arguments* arguments = nullptr;  // null: there are none
};

}  // namespace aispm::policy
