// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/proxy/translate/answer.hpp"
#include "gateway/proxy/translate/conversation.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

// Replies of each protocol into an Answer and out of it. What cannot be understood is kInvalid: a
// reply that cannot be followed is not passed on.
namespace aispm::gateway::translate {

// Tool calls of one reply, and bytes of their names, ids and arguments together.
inline constexpr std::size_t kMaxCalls = 512;
inline constexpr std::size_t kMaxCallBytes = 4U << 20;

// Reads the events of one streamed reply. Not thread-safe.
class StreamReader {
 public:
  virtual ~StreamReader() = default;

  // Takes the next event; `answer().said` is what it added.
  Result<> read(const codec::SseEvent& event);

  const Answer& answer() const { return answer_; }
  bool started() const { return started_; }  // id and model are known
  bool ended() const { return ended_; }
  const std::optional<Failure>& failure() const { return failure_; }
  // The reply is over: its tool calls are checked. kInvalid when it came to no end.
  Result<> close();

 protected:
  virtual Result<> read_event(const codec::JsonTree& tree, const codec::SseEvent& event) = 0;
  // False when there are too many of them.
  bool keep(std::size_t bytes);
  void say(TextKind kind, std::string_view text);

  Answer answer_;
  bool started_ = false;
  bool ended_ = false;
  std::optional<Failure> failure_;

 private:
  std::size_t call_bytes_ = 0;
};

std::unique_ptr<StreamReader> make_stream_reader(codec::Api provider);
// One per protocol, for make_stream_reader().
std::unique_ptr<StreamReader> make_openai_reader();
std::unique_ptr<StreamReader> make_anthropic_reader();
std::unique_ptr<StreamReader> make_ollama_reader();
std::unique_ptr<StreamReader> make_gemini_reader();

// A reply that came whole.
Result<Answer> read_reply(codec::Api provider, std::string_view body);
Result<Answer> read_openai_reply(const codec::JsonTree& tree);
Result<Answer> read_anthropic_reply(const codec::JsonTree& tree, std::string_view body);

// Makes the calls of a complete reply fit for everybody: arguments are objects, and a call that was
// cut for length is left out, never completed.
Result<> settle_calls(Answer& answer);

// What stands in a reply where the provider gave nothing.
struct Names {
  std::string id;     // without a prefix
  std::string model;  // as the client asked for it
  WallTime now;
  bool as_array = false;         // Gemini: a stream is one array
  std::vector<Tool> tools = {};  // Responses: those that are no plain functions to the client
  // Null: a function by its own name.
  const Tool* find(std::string_view sent_name) const;
};

std::string write_openai_reply(const Answer& answer, const Names& names);
std::string write_anthropic_reply(const Answer& answer, const Names& names);
std::string write_ollama_reply(const Answer& answer, const Names& names);
std::string write_gemini_reply(const Answer& answer, const Names& names);
std::string write_responses_reply(const Answer& answer, const Names& names);
std::string write_reply(codec::Api client, const Answer& answer, const Names& names);

// Writes a streamed reply for a client. Tool calls come with the end: nobody gets one in parts.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  virtual void begin(const Answer& answer, std::string& out) = 0;
  virtual void say(const Said& said, std::string& out) = 0;
  virtual void end(const Answer& answer, std::string& out) = 0;
  // In place of an end.
  virtual void fail(const Failure& failure, std::string& out) = 0;
};
std::unique_ptr<StreamWriter> make_stream_writer(codec::Api client, const Names& names);
std::unique_ptr<StreamWriter> make_openai_writer(const Names& names);
std::unique_ptr<StreamWriter> make_anthropic_writer(const Names& names);
std::unique_ptr<StreamWriter> make_ollama_writer(const Names& names);
std::unique_ptr<StreamWriter> make_gemini_writer(const Names& names);
std::unique_ptr<StreamWriter> make_responses_writer(const Names& names);

// The error that a body or event of any protocol tells of.
std::optional<Failure> read_failure(const codec::JsonTree& tree);
// The client's error object. `status` 0: within a stream.
std::string write_failure(codec::Api client, int status, const Failure& failure);

}  // namespace aispm::gateway::translate
