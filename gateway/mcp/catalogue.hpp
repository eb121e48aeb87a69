// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// The prompts, resources or templates of resources of one MCP server. Pure.
namespace aispm::gateway {

enum class Shelf : std::uint8_t { kPrompts, kResources, kTemplates };
inline constexpr std::size_t kShelves = 3;
// "prompts/list", "resources/list", "resources/templates/list".
std::string_view list_method(Shelf shelf);
// The member of its result: "prompts", "resources", "resourceTemplates".
std::string_view list_key(Shelf shelf);

// One entry as its server tells of it.
struct ShelfItem {
  std::string name;         // of a prompt; else its URI, or the template of URIs
  std::string shown;        // JSON for clients, with the prefixed name
  std::string texts;        // every word that a model or its user would be told, one a line
  bool hides_text = false;  // letters that people do not see
  struct Argument {
    std::string name;
    bool is_required = false;
  };
  std::vector<Argument> arguments;  // of a prompt
};

// Immutable once it is read; any thread.
class Catalogue {
 public:
  static constexpr std::size_t kMaxItems = 4096;  // of one server
  static constexpr std::size_t kMaxPages = 64;
  static constexpr std::size_t kMaxBytes = 8U << 20;  // as clients get it
  static constexpr std::size_t kMaxUriBytes = 1024;

  explicit Catalogue(Shelf shelf) : shelf_(shelf) {}

  // Adds a page; gives its nextCursor, "" = the last. An entry whose name cannot be taken, is
  // missing or was there before is left out, the others stay. kInvalid: no such list; kTooLarge.
  Result<std::string> add_page(std::string_view server, std::string_view result);
  // After the last page: looks at the words of each.
  void finish(std::string_view server);

  Shelf shelf() const { return shelf_; }
  const std::vector<ShelfItem>& items() const { return items_; }
  const ShelfItem* find(std::string_view name) const;
  // Names of those that were left out, as far as they are shown; they count for kMaxItems.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  // Whether an entry of that name is kept; false: it is left out.
  Result<bool> take_name(const std::string& name);

  const Shelf shelf_;
  std::vector<ShelfItem> items_;
  std::vector<std::string> left_out_;
  std::size_t pages_ = 0;
  std::size_t bytes_ = 0;
};

// The arguments of prompts/get, a JSON object, against what the prompt says of itself: those that
// are required are there, all of them are texts, and no others. kInvalid says what is wrong.
Result<> check_prompt_arguments(const ShelfItem& prompt, std::string_view arguments);

}  // namespace aispm::gateway
