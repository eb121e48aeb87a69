// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/responses_notice.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using codec::json_string;

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::uint32_t index_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return 0;
  json::error_code error;
  const auto number = value->to_number<std::uint32_t>(error);
  return error ? 0 : number;
}

// Writes the events of an ending, numbered on from where the stream stands.
class Ending {
 public:
  Ending(ResponsesPosition position, const ResponsesNotice& notice)
      : at_(std::move(position)), notice_(notice) {}

  std::string write() {
    if (!at_.started) {
      event("response.created", R"("response":)" + response("in_progress", "null"));
      event("response.in_progress", R"("response":)" + response("in_progress", "null"));
    }
    if (at_.open && at_.open->type != "message") close_other();
    if (!at_.open) open_message();
    if (!at_.open->part) open_part();
    write_text();
    event("response." + std::string(end()),
          R"("response":)" +
              response(end(), notice_.as_complete ? "null" : R"({"reason":"content_filter"})"));
    return std::move(out_);
  }

 private:
  std::string_view end() const { return notice_.as_complete ? "completed" : "incomplete"; }

  void event(std::string_view type, const std::string& members) {
    out_ +=
        codec::serialise_sse(type, R"({"type":")" + std::string(type) + R"(","sequence_number":)" +
                                       std::to_string(at_.next_sequence++) + "," + members + "}");
  }

  std::string place() const {
    return R"("output_index":)" + std::to_string(at_.open->index) + R"(,"item_id":)" +
           json_string(at_.open->id) + R"(,"content_index":)" + std::to_string(*at_.open->part);
  }

  // What a client has begun to read and will not get the rest of.
  void close_other() {
    const auto& open = *at_.open;
    std::string item = R"({"id":)" + json_string(open.id) + R"(,"type":)" + json_string(open.type);
    item += open.type == "reasoning" ? R"(,"summary":[]})" : R"(,"status":"incomplete"})";
    event("response.output_item.done",
          R"("output_index":)" + std::to_string(open.index) + R"(,"item":)" + item);
    at_.items.push_back(std::move(item));
    at_.open.reset();
  }

  void open_message() {
    at_.open = ResponsesPosition::Item{"msg_aispm", "message", at_.next_index, {}, {}};
    event("response.output_item.added", R"("output_index":)" + std::to_string(at_.open->index) +
                                            R"(,"item":)" + message("in_progress"));
  }

  void open_part() {
    at_.open->part = static_cast<std::uint32_t>(at_.open->parts.size());
    event("response.content_part.added", place() + R"(,"part":)" + part(""));
  }

  void write_text() {
    const std::string whole = std::string(notice_.shown) + std::string(notice_.notice);
    event("response.output_text.delta",
          place() + R"(,"delta":)" + json_string(notice_.notice) + R"(,"logprobs":[])");
    event("response.output_text.done",
          place() + R"(,"text":)" + json_string(whole) + R"(,"logprobs":[])");
    event("response.content_part.done", place() + R"(,"part":)" + part(whole));
    at_.open->parts.push_back(part(whole));
    std::string item = message(end());
    event("response.output_item.done",
          R"("output_index":)" + std::to_string(at_.open->index) + R"(,"item":)" + item);
    at_.items.push_back(std::move(item));
  }

  static std::string part(std::string_view text) {
    return R"({"type":"output_text","text":)" + json_string(text) +
           R"(,"annotations":[],"logprobs":[]})";
  }

  static std::string join(const std::vector<std::string>& values) {
    std::string list = "[";
    for (const std::string& value : values) list += (list.size() > 1 ? "," : "") + value;
    return list + "]";
  }

  std::string message(std::string_view status) const {
    return R"({"id":)" + json_string(at_.open->id) + R"(,"type":"message","status":)" +
           json_string(status) + R"(,"role":"assistant","content":)" + join(at_.open->parts) + "}";
  }

  std::string response(std::string_view status, std::string_view details) const {
    const std::string id = notice_.id.empty() ? "resp_aispm" : std::string(notice_.id);
    return R"({"id":)" + json_string(id) + R"(,"object":"response","created_at":)" +
           std::to_string(notice_.created) + R"(,"status":)" + json_string(status) +
           R"(,"error":null,"incomplete_details":)" + std::string(details) +
           R"(,"instructions":null,"metadata":{},"model":)" + json_string(notice_.model) +
           R"(,"output":)" + join(at_.items) +
           R"(,"parallel_tool_calls":true,"temperature":null,"tool_choice":"auto","tools":[],)"
           R"("top_p":null,"usage":null})";
  }

  ResponsesPosition at_;
  const ResponsesNotice& notice_;
  std::string out_;
};

}  // namespace

void ResponsesPosition::note(std::string_view data) {
  json::error_code error;
  const json::value parsed = json::parse(json::string_view(data.data(), data.size()), error);
  const auto* event = error ? nullptr : parsed.if_object();
  if (event == nullptr) return;
  const std::string type = text_at(*event, "type");
  started = started || type == "response.created";
  const auto* item = event->if_contains("item");
  const auto* part = event->if_contains("part");
  if (type == "response.output_item.added" && item != nullptr && item->is_object()) {
    open = Item{text_at(item->get_object(), "id"),
                text_at(item->get_object(), "type"),
                index_at(*event, "output_index"),
                {},
                {}};
    next_index = std::max(next_index, open->index + 1);
  } else if (type == "response.output_item.done" && item != nullptr) {
    open.reset();
    std::string text = json::serialize(*item);
    item_bytes += text.size();
    if (item_bytes <= kMaxItemBytes) items.push_back(std::move(text));
  } else if (type == "response.content_part.added" && open) {
    open->part = index_at(*event, "content_index");
  } else if (type == "response.content_part.done" && open && part != nullptr) {
    open->part.reset();
    open->parts.push_back(json::serialize(*part));
  }
}

std::string replace_responses(ResponsesPosition position, const ResponsesNotice& notice) {
  return Ending(std::move(position), notice).write();
}

}  // namespace aispm::gateway
