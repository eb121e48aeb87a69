// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/common/result.hpp"

// JSON-RPC 2.0 as MCP and A2A use it, read strictly: what two readers could take for two messages
// is refused.
namespace aispm::codec {

// One message, batch brackets included.
inline constexpr std::size_t kMaxRpcBytes = 8U << 20;
inline constexpr std::size_t kMaxRpcBatch = 128;
inline constexpr std::size_t kMaxRpcDepth = 64;
inline constexpr std::size_t kMaxRpcIdBytes = 256;

enum class RpcKind : std::uint8_t { kRequest, kNotification, kResult, kError };

struct RpcMessage {
  RpcKind kind = RpcKind::kRequest;
  // The id as JSON text (7, "a"), so that 7 and "7" differ; empty when there is none or it is null.
  std::string id;
  std::string_view method;               // as long as the tree
  std::size_t params = JsonTree::kNone;  // node; kNone when absent
  std::size_t result = JsonTree::kNone;  // node, kResult only
  std::int64_t error_code = 0;           // kError only
  std::string_view error_message;        // kError only
  std::size_t error_data = JsonTree::kNone;
};

// Reads the object at the root of `tree`. kInvalid when it is no JSON-RPC 2.0 message: "jsonrpc" is
// not "2.0", an id that is neither string nor number, a method beside a result or an error, none or
// two of those, params that are neither object nor array. kTooLarge for a long id.
Result<RpcMessage> read_rpc(const JsonTree& tree, std::string_view text);

}  // namespace aispm::codec
