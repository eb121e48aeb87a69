// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/common/result.hpp"

// Requests and replies of language models, as bytes and as meaning at once: every text comes
// decoded and with the span of its JSON token, so a rule can judge the one and a redactor can patch
// the other. Bodies that two JSON parsers could read differently are refused with the position:
// repeated keys, invalid UTF-8, depth beyond the limit, anything that is not RFC 8259. All
// functions are thread-safe; each thread keeps its own scratch memory.
namespace aispm::codec {

inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxLlmBodyBytes = 32U << 20;
// String tokens reported from one body.
inline constexpr std::size_t kMaxTextParts = 200'000;
inline constexpr std::size_t kMaxToolsOffered = 1024;
// Tool calls and text channels of one reply.
inline constexpr std::size_t kMaxReplyChannels = 512;
// Text and tool arguments kept from one streamed reply; more is scanned by the caller but not kept
// (is_cut()).
inline constexpr std::size_t kMaxKeptReplyBytes = 4U << 20;
// Object keys inside tool schemas and tool arguments are text too, when long enough to say
// something.
inline constexpr std::size_t kMinKeyTextBytes = 16;
// Models named by one list.
inline constexpr std::size_t kMaxListedModels = 1024;
// Names, ids and model names longer than this are cut when copied out (the text itself is still
// reported as a part).
inline constexpr std::size_t kMaxNameBytes = 256;

enum class Surface : std::uint8_t {
  kSystem,           // system and developer messages
  kPrompt,           // user messages, and roles we do not know
  kAssistant,        // earlier answers sent back
  kToolResult,       // what a tool returned
  kToolArguments,    // earlier tool calls sent back
  kToolDescription,  // names, descriptions and schemas of the tools offered
  kOther,     // every other string of the body (metadata, response format, stop sequences, ...)
  kMedia,     // base64 or data: URL of an image, sound or file
  kDocument,  // a document or search result given along with a message
};
// "system", "prompt", "assistant", "tool_result", "tool_arguments", "tool_description", "other",
// "media", "document"
std::string_view name_of(Surface surface);

// One string of a request, never empty. `text` points into the body when it held no escapes, else
// into the request.
struct TextPart {
  Surface surface = Surface::kOther;
  std::string_view text;
  JsonSpan span;
  bool is_key = false;      // an object key: replacing it must not make it equal to another one
  bool is_message = false;  // content of a message: counts for the prompt hash
  // Of results and arguments: the tool's name as the client tells it; "" when it does not.
  std::string_view tool = {};
  // Of which of the body's messages, counted from 1; 0: of what stands before them.
  std::uint32_t message = 0;
  // Stands in a block that the provider signed (Anthropic's thinking): it may be withheld but not
  // edited.
  bool is_sealed = false;
};

// A request body taken apart. Move-only. Views live as long as both this object and the body it was
// parsed from.
struct LlmRequest {
  Api api = Api::kOpenAiChat;
  std::string model;
  bool stream = false;
  bool include_usage = false;  // stream_options.include_usage
  // The provider itself is to ask MCP servers that the request names: what goes there and comes
  // back, nobody here sees before.
  bool has_remote_mcp = false;
  std::optional<std::uint64_t> max_tokens;  // max_tokens, max_output_tokens, num_predict, ...
  std::uint64_t choices = 1;                // n; kOpenAiCompletions: of all prompts together
  std::string message_type;                 // kOpenAiRealtime: "response.create", ...
  // Input given as token numbers, which nobody can read as text.
  bool has_tokens = false;
  // The member that means text kept by the provider, or has it keep some: files and stores of files
  // ("file_id", "file_search", "fileUri", ...). kOpenAiResponses: "previous_response_id",
  // "conversation", "prompt", "item_reference", "background", "store"; Gemini: "cachedContent".
  // Empty: none.
  std::string history;
  std::size_t message_count = 0;
  std::vector<std::string> tools_offered;
  // In body order. Together they hold every string value of the body but the protocol's own words
  // (role, type, ids).
  std::vector<TextPart> parts;

  JsonSpan model_span;
  JsonSpan stream_options_span;     // empty: not in the body
  JsonSpan store_span;              // of the value of "store"; empty: not in the body
  std::size_t end_offset = 0;       // of the closing brace of the body
  std::unique_ptr<char[]> decoded;  // what `parts` with escapes point into
};

// kInvalid with "byte N: ..." when the body is not acceptable JSON or not a request of that API;
// kTooLarge past a limit.
Result<LlmRequest> parse_request(Api api, std::string_view body);
// The same with what the path says: the model where the body names none, and whether it streams.
Result<LlmRequest> parse_request(const ApiRoute& route, std::string_view body);

// The text of all messages in body order, joined by newlines: what LlmCall.prompt_text holds.
std::string prompt_text(const LlmRequest& request);
// Lower-case hex SHA-256 of prompt_text(), without building it. About 3 us per KiB: keep it off the
// path that a client waits on.
std::string prompt_sha256(const LlmRequest& request);

// The patch that makes a streaming OpenAI request (chat, completions) ask for usage; nullopt when
// it does already or does not stream.
std::optional<JsonPatch> include_usage_patch(const LlmRequest& request, std::string_view body);

// The patch that says `"store":false` where the request does not say what to store (the API stores
// then); nullopt when it says so, and for every other API.
std::optional<JsonPatch> no_store_patch(const LlmRequest& request, std::string_view body);

struct Usage {
  std::uint64_t input_tokens = 0;  // prompt tokens, cached ones included
  std::uint64_t output_tokens = 0;
  // Parts of input_tokens that have prices of their own: read from the provider's cache, written
  // into it.
  std::uint64_t cached_tokens = 0;
  std::uint64_t cache_written_tokens = 0;
};

enum class ChannelKind : std::uint8_t {
  kText,  // what the user reads
  kRefusal,
  kReasoning,      // thinking; signed by Anthropic, so it can be withheld but not edited
  kToolArguments,  // decoded argument text (OpenAI: a JSON document in a string; Anthropic stream:
                   // partial_json)
  kOther,          // any other string: annotations, citations, fields we do not know
};
std::string_view name_of(ChannelKind kind);

// A text that grows: (choice, index) is (choice index, tool index, or which of its texts) for
// OpenAI and (0, content block) for Anthropic.
struct Channel {
  ChannelKind kind = ChannelKind::kText;
  std::uint32_t choice = 0;
  std::uint32_t index = 0;
  auto operator<=>(const Channel&) const = default;
};

// A string of a reply. `text` lives as long as the object that reported it and the bytes parsed.
struct ReplyText {
  Channel channel;
  std::string_view text;
  JsonSpan span;  // in the body, or in the event's `document`
  bool is_key = false;
  // Says again what earlier deltas of the channel said (Responses: the `done` events): to be
  // redacted like them, not to be read as more text.
  bool is_repeat = false;
};

struct ToolCall {
  Channel channel;
  std::string id;
  std::string name;
  std::string arguments;  // JSON text, complete when the channel ended
  // Where a reply or an event says the arguments whole, and whether that is a string which holds
  // JSON or the JSON itself.
  JsonSpan arguments_span = {};
  bool arguments_are_text = false;
};

// An error body or event of any dialect.
struct LlmError {
  std::string type;
  std::string code;
  std::string message;
};

// A reply body taken apart. Move-only; lifetimes as for LlmRequest.
struct LlmReply {
  std::string id;
  std::string model;
  std::string finish_reason;  // of the first choice: the provider's own word
  std::optional<Usage> usage;
  std::vector<ReplyText> texts;
  std::vector<ToolCall> tool_calls;
  // Non-null `logprobs` and `token_ids`, and the sound of a spoken answer. They repeat the text
  // token by token: whoever redacts must replace them by `null`.
  std::vector<JsonSpan> logprobs;
  std::optional<LlmError> error;
  std::vector<std::string> models;  // kOpenAiModels, kOllamaTags
  // kGeminiGenerate: every choice with its finish reason, and whether a tool call cannot be
  // followed (as StreamEvent::has_odd_call).
  std::vector<std::uint32_t> finished;
  bool has_odd_call = false;
  std::unique_ptr<char[]> decoded;
};

// Any status: error bodies are recognised by shape. Errors as for parse_request.
Result<LlmReply> parse_reply(Api api, std::string_view body);

// Texts of kText channels joined by newlines, and their hash.
std::string reply_text(const LlmReply& reply);
std::string reply_sha256(const LlmReply& reply);

// What one event of a streamed reply says.
struct StreamEvent {
  enum class Type : std::uint8_t {
    kNothing,  // comment, ping, or fields only: nothing a scanner must see
    kStart,    // OpenAI: first chunk; Anthropic: message_start, content_block_start
    kDelta,
    kStop,    // Anthropic content_block_stop, Responses output_item.done: the channels of block or
              // item `index` are complete
    kRepeat,  // Responses: a part of an item is complete and said again
    kFinish,  // a choice has its finish reason: its channels are complete
    kUsage,   // OpenAI: the extra chunk with usage and no choices
    kEnd,     // [DONE], message_stop
    kError,   // an error in mid-stream
  };
  Type type = Type::kNothing;
  std::uint32_t index = 0;  // choice (kFinish, OpenAI) or content block (kStop, kStart)
  std::vector<ReplyText> deltas;
  std::vector<JsonSpan> logprobs;
  std::vector<std::uint32_t> finished;  // kFinish: every choice that this event finished
  JsonSpan finish_reason_span;          // empty when the event has none
  // Tool calls that this event says whole: as the dialect gives them, or again.
  std::vector<ToolCall> calls;
  // Begins a tool call that cannot be followed: in the place of another, one too many, or with
  // arguments that are no text where they come as text. Whoever enforces must stop then.
  bool has_odd_call = false;
  // Anthropic: the signature of what block `index` has thought, which is complete.
  bool signs_thought = false;
  JsonSpan sequence_span;      // Responses: of the event's number; empty when it has none
  std::uint64_t sequence = 0;  // that number
  // What the spans refer to: the event's `data`, or what Bedrock had wrapped in it.
  std::string_view document;
};

// Follows one streamed reply. An OpenAI event may carry text and a finish reason at once: deltas
// are always to be handled before the type. Not thread-safe.
class StreamReply {
 public:
  explicit StreamReply(Api api);
  ~StreamReply();
  StreamReply(StreamReply&&) noexcept;
  StreamReply& operator=(StreamReply&&) noexcept;

  // Reads one event; of other framings than SSE as ReplyFramer gives it. The answer lives until the
  // next call; its views also need `event.data`. kInvalid when the data is neither the protocol's
  // JSON nor an end marker: whoever enforces must stop then.
  Result<const StreamEvent*> read(const SseEvent& event);

  const std::string& id() const;
  const std::string& model() const;
  const std::string& finish_reason() const;
  const std::optional<Usage>& usage() const;
  const std::optional<LlmError>& error() const;
  const std::vector<ToolCall>& tool_calls() const;
  bool ended() const;   // the end marker was seen
  bool is_cut() const;  // more than kMaxKeptReplyBytes came: texts, arguments and hash are partial
  std::size_t kept_bytes() const;  // memory held for text and arguments
  // Text kept so far: kText channels in channel order, joined by newlines, and its hash.
  std::string text() const;
  std::string sha256() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aispm::codec
