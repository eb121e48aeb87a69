// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// How a stream of OpenAI's Responses is ended by the gateway.
namespace aispm::gateway {

// Where such a stream stands from the client's view.
struct ResponsesPosition {
  // Items are repeated at the end up to this size together; larger ones are left out there.
  static constexpr std::size_t kMaxItemBytes = 4U << 20;

  struct Item {
    std::string id;
    std::string type;
    std::uint32_t index = 0;
    std::vector<std::string> parts;     // JSON of those that are complete
    std::optional<std::uint32_t> part;  // content_index of the open one
  };

  bool started = false;             // response.created was sent
  std::uint64_t next_sequence = 0;  // of the next event
  std::vector<std::string> items;   // JSON of those that are complete
  std::size_t item_bytes = 0;
  std::uint32_t next_index = 0;  // first output_index not used yet
  std::optional<Item> open;      // begun and not complete

  // An event that is no delta was sent; `data` as the client got it.
  void note(std::string_view data);
};

// Who says it, and what.
struct ResponsesNotice {
  std::string_view id;  // of the response, "" when none came
  std::string_view model;
  std::int64_t created = 0;  // Unix seconds
  std::string_view shown;    // what the client has of the open text part
  std::string_view notice;
  bool as_complete = false;  // the client takes an incomplete answer for a broken connection
};

// Ends the stream as an incomplete answer: the notice as text, then every event that says again
// what there is, then response.incomplete with reason content_filter, or response.completed where
// it is to pass for complete.
std::string replace_responses(ResponsesPosition position, const ResponsesNotice& notice);

}  // namespace aispm::gateway
