// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/shown_entry.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;
using codec::JsonKind;
using codec::JsonTree;

constexpr std::size_t kNone = JsonTree::kNone;
constexpr std::string_view kObjectType = R"("type":"object")";

// As RFC 3339 has it, with an offset: "2026-11-23T12:00:00Z", at a day that there is.
bool is_timestamp(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  constexpr std::string_view kOffset = "+dd:dd";
  const auto fits = [](std::string_view part, std::string_view form) {
    return part.size() == form.size() &&
           std::equal(part.begin(), part.end(), form.begin(), [](char c, char wanted) {
             if (wanted == '+') return c == '+' || c == '-';
             return wanted == 'd' ? c >= '0' && c <= '9' : c == wanted;
           });
  };
  const auto two = [](std::string_view part, std::size_t at) {
    return static_cast<unsigned>((part[at] - '0') * 10 + part[at + 1] - '0');
  };
  const std::string_view when = text.substr(0, kForm.size());
  if (!fits(when, kForm)) return false;
  const std::chrono::year_month_day day{
      std::chrono::year(static_cast<int>(two(when, 0) * 100 + two(when, 2))),
      std::chrono::month(two(when, 5)), std::chrono::day(two(when, 8))};
  if (!day.ok() || two(when, 11) > 23 || two(when, 14) > 59 || two(when, 17) > 59) return false;
  text.remove_prefix(kForm.size());
  if (text.starts_with('.')) {
    const std::size_t end = text.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return false;
    text.remove_prefix(end);
  }
  return text == "Z" || (fits(text, kOffset) && two(text, 1) <= 23 && two(text, 4) <= 59);
}

class Writer {
 public:
  Writer(const JsonTree& tree, std::string_view text, const EntryView& as)
      : tree_(tree), text_(text), as_(as) {}

  std::string entry(std::size_t node) const {
    const std::string_view key = as_.kind == EntryKind::kResource   ? "uri"
                                 : as_.kind == EntryKind::kTemplate ? "uriTemplate"
                                                                    : "name";
    std::string json = object(node, [&](std::string_view name, std::size_t value) {
      return name == key ? json_string(as_.name) : member(name, value);
    });
    const std::size_t name = tree_.find(node, "name");
    if (key != "name" && (name == kNone || !tree_[name].is_string()))
      json.insert(1, "\"name\":" + json_string(tree_.string_at(node, key)) + ",");
    return json;
  }

  std::string raw(std::size_t node) const {
    const codec::JsonSpan span = tree_[node].span();
    return std::string(text_.substr(span.begin, span.size()));
  }

  // The object with what `value_of(name, value)` gives for each member; "" = it is left out.
  template <typename Use>
  std::string object(std::size_t node, Use value_of) const {
    std::string json = "{";
    tree_.each_member(node, [&](const codec::JsonNode& key, std::size_t value) {
      const std::string kept = value_of(key.text, value);
      if (kept.empty()) return;
      json.append(json.size() > 1 ? "," : "").append(json_string(key.text)).append(":" + kept);
    });
    return json + "}";
  }

  std::string unless_null(std::size_t node) const {
    return raw_if(!is(node, JsonKind::kNull), node);
  }

  // Whether the object, or one in the list, has a member that is null.
  bool has_null(std::size_t node, std::size_t list) const {
    bool has = false;
    const auto look = [&](const codec::JsonNode&, std::size_t value) {
      has = has || is(value, JsonKind::kNull);
    };
    tree_.each_member(node, look);
    tree_.each_element(list, [&](std::size_t one, std::size_t) { tree_.each_member(one, look); });
    return has;
  }

  // The list with objects that have no member that is null.
  std::string blocks(std::size_t list) const {
    std::string json = "[";
    tree_.each_element(list, [&](std::size_t one, std::size_t) {
      json.append(json.size() > 1 ? "," : "");
      json +=
          is(one, JsonKind::kObject)
              ? object(one, [&](std::string_view, std::size_t value) { return unless_null(value); })
              : raw(one);
    });
    return json + "]";
  }

 private:
  bool is(std::size_t node, JsonKind kind) const { return tree_[node].kind == kind; }
  bool is_flag(std::size_t node) const {
    return is(node, JsonKind::kTrue) || is(node, JsonKind::kFalse);
  }
  std::string raw_if(bool fits, std::size_t node) const { return fits ? raw(node) : ""; }
  template <typename Fits>
  bool is_list_of(std::size_t node, Fits fits) const {
    bool all = is(node, JsonKind::kArray);
    tree_.each_element(node, [&](std::size_t one, std::size_t) { all = all && fits(one); });
    return all;
  }
  bool is_string_list(std::size_t node) const {
    return is_list_of(node, [&](std::size_t one) { return tree_[one].is_string(); });
  }

  std::string member(std::string_view name, std::size_t value) const {
    const bool is_object = is(value, JsonKind::kObject);
    if (is(value, JsonKind::kNull)) return "";
    if (name == "name" || name == "title" || name == "description" || name == "mimeType")
      return raw_if(tree_[value].is_string(), value);
    if (name == "_meta") return raw_if(is_object, value);
    if (name == "icons") return raw_if(are_icons(value), value);
    if (name == "annotations") return is_object ? annotations(value) : "";
    if (as_.kind == EntryKind::kResource && name == "size")
      return raw_if(tree_.number(value).has_value(), value);
    if (as_.kind == EntryKind::kPrompt && name == "arguments") return arguments(value);
    if (as_.kind != EntryKind::kTool) return raw(value);
    if (name == "execution") return raw_if(is_object && is_execution(value), value);
    if (name == "inputSchema") return is_object ? schema(value) : "";
    if (name == "outputSchema") return is_object ? output_schema(value) : "";
    return raw(value);
  }

  bool are_icons(std::size_t list) const {
    return is_list_of(list, [&](std::size_t icon) {
      if (!is(icon, JsonKind::kObject) || tree_.string_at(icon, "src").empty()) return false;
      bool fits = true;
      tree_.each_member(icon, [&](const codec::JsonNode& key, std::size_t value) {
        const std::string_view text = tree_[value].is_string() ? tree_[value].text : "";
        if (key.text == "mimeType") fits = fits && tree_[value].is_string();
        if (key.text == "sizes") fits = fits && is_string_list(value);
        if (key.text == "theme") fits = fits && (text == "light" || text == "dark");
      });
      return fits;
    });
  }

  bool is_execution(std::size_t node) const {
    const std::string_view support = tree_.string_at(node, "taskSupport");
    return tree_.find(node, "taskSupport") == kNone || support == "required" ||
           support == "optional" || support == "forbidden";
  }

  std::string annotations(std::size_t node) const {
    return object(node, [&](std::string_view name, std::size_t value) {
      if (is(value, JsonKind::kNull)) return std::string();
      if (as_.kind != EntryKind::kTool) return raw_if(is_annotation(name, value), value);
      if (name == "title") return raw_if(tree_[value].is_string(), value);
      return raw_if(!name.ends_with("Hint") || is_flag(value), value);
    });
  }

  bool is_annotation(std::string_view name, std::size_t value) const {
    if (name == "audience")
      return is_list_of(value, [&](std::size_t one) {
        return tree_[one].is_string() &&
               (tree_[one].text == "user" || tree_[one].text == "assistant");
      });
    if (name == "lastModified") return tree_[value].is_string() && is_timestamp(tree_[value].text);
    if (name != "priority") return true;
    double priority = -1;
    if (is(value, JsonKind::kNumber)) {
      const std::string_view digits = tree_[value].text;
      (void)std::from_chars(digits.data(), digits.data() + digits.size(), priority);
    }
    return priority >= 0 && priority <= 1;
  }

  // Of a prompt; one without a name can be given no value.
  std::string arguments(std::size_t list) const {
    if (!is(list, JsonKind::kArray)) return "";
    std::string json = "[";
    tree_.each_element(list, [&](std::size_t one, std::size_t) {
      if (!is(one, JsonKind::kObject) || tree_.string_at(one, "name").empty()) return;
      json.append(json.size() > 1 ? "," : "");
      json += object(one, [&](std::string_view name, std::size_t value) {
        if (is(value, JsonKind::kNull)) return std::string();
        if (name == "required") return raw_if(is_flag(value), value);
        const bool is_text = name == "name" || name == "title" || name == "description";
        return raw_if(!is_text || tree_[value].is_string(), value);
      });
    });
    return json + "]";
  }

  std::string output_schema(std::size_t node) const {
    if (!as_.has_output_schema) return "";
    if (!as_.for_sessions) return raw(node);
    const bool is_of_object =
        tree_.find(node, "type") == kNone || tree_.string_at(node, "type") == "object";
    return is_of_object ? schema(node) : "";
  }

  // A schema of an object.
  std::string schema(std::size_t node) const {
    std::string json = object(node, [&](std::string_view name, std::size_t value) {
      if (!as_.for_sessions) return raw(value);
      if (name == "required") return raw_if(is_string_list(value), value);
      if (name != "properties") return raw(value);
      return is(value, JsonKind::kObject) ? properties(value) : "";
    });
    if (tree_.find(node, "type") == kNone)
      json.insert(1, std::string(kObjectType) + (json.size() > 2 ? "," : ""));
    return json;
  }
  std::string properties(std::size_t node) const {
    return object(node, [&](std::string_view, std::size_t value) -> std::string {
      if (is(value, JsonKind::kTrue)) return "{}";
      if (is(value, JsonKind::kFalse)) return R"({"not":{}})";
      return raw_if(is(value, JsonKind::kObject), value);
    });
  }

  const JsonTree& tree_;
  const std::string_view text_;
  const EntryView as_;
};

}  // namespace

std::string shown_entry(const JsonTree& tree, std::size_t node, std::string_view text,
                        const EntryView& as) {
  return Writer(tree, text, as).entry(node);
}

Result<std::string> shown_result(std::string_view result, bool for_sessions) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  const std::size_t structured = tree.find(0, "structuredContent");
  const std::size_t content = tree.find(0, "content");
  const bool has_structured = structured != kNone && tree[structured].kind != JsonKind::kNull;
  const bool is_shown =
      has_structured && (!for_sessions || tree[structured].kind == JsonKind::kObject);
  const bool has_list = content != kNone && tree[content].kind == JsonKind::kArray;
  const bool has_content = has_list && (!for_sessions || tree[content].next > content + 1);
  const bool says_all = has_structured ? is_shown && has_content : has_list;
  const Writer writer(tree, result, {});
  if (says_all && !writer.has_null(0, content)) return std::string(result);
  std::string json = writer.object(0, [&](std::string_view name, std::size_t value) {
    if (name == "content" || (name == "structuredContent" && !is_shown)) return std::string();
    return writer.unless_null(value);
  });
  std::string blocks = has_list ? writer.blocks(content) : "[]";
  if (has_structured && !has_content)
    blocks = R"([{"type":"text","text":)" + json_string(writer.raw(structured)) + "}]";
  return json.insert(1, "\"content\":" + blocks + (json.size() > 2 ? "," : ""));
}

}  // namespace aispm::gateway
