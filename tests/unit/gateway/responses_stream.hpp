// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway {

// A stream of Responses as it is written, numbered.
class ResponsesStream {
 public:
  ResponsesStream() {
    event("response.created", R"("response":)" + response("in_progress", ""));
    event("response.in_progress", R"("response":)" + response("in_progress", ""));
  }

  ResponsesStream& message(const std::vector<std::string>& pieces) {
    const std::string at = place("msg_1");
    event(
        "response.output_item.added",
        at +
            R"("item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]})");
    event("response.content_part.added",
          at + R"("content_index":0,"part":{"type":"output_text","text":"","annotations":[]})");
    std::string whole;
    for (const std::string& piece : pieces) {
      whole += piece;
      event("response.output_text.delta",
            at + R"("content_index":0,"delta":)" + codec::json_string(piece) + R"(,"logprobs":[])");
    }
    const std::string part = R"({"type":"output_text","text":)" + codec::json_string(whole) +
                             R"(,"annotations":[],"logprobs":[{"token":)" +
                             codec::json_string(whole) + R"(,"logprob":-1}]})";
    event("response.output_text.done",
          at + R"("content_index":0,"text":)" + codec::json_string(whole));
    event("response.content_part.done", at + R"("content_index":0,"part":)" + part);
    const std::string item =
        R"({"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[)" +
        part + "]}";
    event("response.output_item.done", at + R"("item":)" + item);
    add(item);
    return *this;
  }

  ResponsesStream& call(const std::vector<std::string>& pieces, const std::string& said_again = "",
                        const std::string& name = "f") {
    const std::string at = place("fc_1");
    const auto item = [](const std::string& tool, const std::string& arguments) {
      return R"({"id":"fc_1","type":"function_call","call_id":"c1","name":")" + tool +
             R"(","arguments":)" + codec::json_string(arguments) + "}";
    };
    event("response.output_item.added", at + R"("item":)" + item("f", ""));
    std::string whole;
    for (const std::string& piece : pieces) {
      whole += piece;
      event("response.function_call_arguments.delta",
            at + R"("delta":)" + codec::json_string(piece));
    }
    event("response.function_call_arguments.done",
          at + R"("arguments":)" + codec::json_string(whole));
    const std::string last = item(name, said_again.empty() ? whole : said_again);
    event("response.output_item.done", at + R"("item":)" + last);
    add(last);
    return *this;
  }

  ResponsesStream& raw(const std::string& type, const std::string& members) {
    event(type, members);
    return *this;
  }

  std::string end() {
    event("response.completed", R"("response":)" + response("completed", items_));
    return out_;
  }
  const std::string& so_far() const { return out_; }

 private:
  void event(const std::string& type, const std::string& members) {
    out_ += codec::serialise_sse(type, R"({"type":")" + type + R"(","sequence_number":)" +
                                           std::to_string(sequence_++) + "," + members + "}");
  }
  std::string place(const std::string& id) const {
    return R"("output_index":)" + std::to_string(index_) + R"(,"item_id":")" + id + "\",";
  }
  void add(const std::string& item) {
    items_ += (items_.empty() ? "" : ",") + item;
    ++index_;
  }
  static std::string response(const std::string& status, const std::string& items) {
    return R"({"id":"resp_1","object":"response","created_at":1,"model":"m","status":")" + status +
           R"(","error":null,"output":[)" + items +
           R"(],"usage":{"input_tokens":5,"output_tokens":2}})";
  }
  std::string out_;
  std::string items_;
  int sequence_ = 0;
  int index_ = 0;
};

}  // namespace aispm::gateway
