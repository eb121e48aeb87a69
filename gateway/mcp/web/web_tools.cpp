// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/web/web_tools.hpp"

#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/web/page_text.hpp"
#include "gateway/mcp/web/web_search.hpp"
#include "gateway/mcp/web/web_url.hpp"
#include "gateway/proxy/message_io.hpp"
#include "gateway/proxy/providers/upstream.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {

using codec::http1::BodyKind;
using codec::http1::Head;
using net::Task;

namespace {

constexpr int kMaxRedirects = 5;

constexpr std::string_view kFetchDefinition =
    R"({"name":"web_fetch","title":"Fetch a page","description":"Reads a page of the public web as text, without its markup.","inputSchema":{"type":"object","properties":{"url":{"type":"string","maxLength":2048,"description":"https:// or http://"}},"required":["url"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":true}})";
constexpr std::string_view kSearchDefinition =
    R"({"name":"web_search","title":"Search the web","description":"Finds pages of the public web: title, URL and some words of each.","inputSchema":{"type":"object","properties":{"query":{"type":"string","minLength":1,"maxLength":1024}},"required":["query"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":true}})";

// One answer of a site: a page, or where else to look.
struct SiteAnswer {
  std::string location;  // "" = it is the page
  PageText page;
};

// "text/html; charset=x"
std::string_view media_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

std::string charset_of(std::string_view type) {
  const std::size_t at = type.find("charset=");
  if (at == std::string_view::npos) return {};
  std::string_view name = type.substr(at + 8);
  name = name.substr(0, name.find(';'));
  if (name.starts_with('"')) name.remove_prefix(1);
  return std::string(name.substr(0, name.find('"')));
}

bool is_html(std::string_view type) {
  return type.empty() || type == "text/html" || type == "application/xhtml+xml";
}

bool is_text(std::string_view type) {
  return type.starts_with("text/") || type == "application/json" || type.ends_with("+json") ||
         type == "application/xml" || type.ends_with("+xml");
}

Result<PageText> page_of(const Head& head, std::string_view body, std::size_t characters) {
  std::string content_type(head.content_type);
  for (char& c : content_type)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const std::string_view type = media_type(content_type);
  if (is_html(type)) return read_page(body, charset_of(content_type), characters);
  if (is_text(type) && codec::find_invalid_utf8(body) == std::string_view::npos)
    return read_plain(body, characters);
  return fail(Errc::kUnsupported, "it is no text but " + std::string(type));
}

Task<SiteAnswer> ask_site(Worker& worker, const FetchConfig& config, const WebUrl& url,
                          net::Stream*& in_flight) {
  AISPM_CO_CHECK(check_web_host(config, url));
  const bool is_exempt = may_be_private(config, url);
  const bool is_bracketed = url.host.starts_with('[');
  const net::Origin origin{
      url.tls, is_bracketed ? url.host.substr(1, url.host.size() - 2) : url.host, url.port};
  const net::DialOptions options{
      .allow_private = is_exempt, .refuse_own = !is_exempt, .deadline = config.time};
  const auto tls = url.tls ? config.tls : nullptr;
  AISPM_CO_TRY(const auto stream,
               co_await net::dial(worker.context(), worker.watchdog(), origin, tls, options));
  in_flight = stream.get();
  stream->expire_after(config.time);
  const std::string request =
      "GET " + url.target + " HTTP/1.1\r\nhost: " + origin.authority() +
      "\r\naccept: text/html, text/plain;q=0.9, application/json;q=0.8\r\n"
      "accept-encoding: identity\r\nuser-agent: aispm-gateway\r\nconnection: close\r\n\r\n";
  const std::string_view bytes = request;
  AISPM_CO_CHECK(co_await stream->write(bytes));
  InputBuffer input;
  codec::http1::HeadParser parser(codec::http1::HeadParser::Role::kReply);
  std::optional<Head> head;
  do {
    if (head) input.consume(head->size_bytes);
    AISPM_CO_TRY(head, co_await read_head(*stream, input, parser, "GET"));
    if (!head) co_return fail(Errc::kUnavailable, "the site says nothing");
  } while (head->status < 200);
  SiteAnswer answer;
  const bool is_elsewhere = head->status == 301 || head->status == 302 || head->status == 303 ||
                            head->status == 307 || head->status == 308;
  if (is_elsewhere) {
    answer.location = std::string(head->find("location").value_or(std::string_view{}));
    if (answer.location.empty()) co_return fail(Errc::kInvalid, "it redirects to nowhere");
    co_return answer;
  }
  if (head->status != 200)
    co_return fail(Errc::kUnavailable,
                   "the site answered with status " + std::to_string(head->status));
  if (!head->content_encoding.empty() && head->content_encoding != "identity")
    co_return fail(Errc::kUnsupported, "it is compressed, though that was not asked for");
  const std::string content_type(head->content_type);  // the body may move the head's bytes
  Head kept = *head;
  input.consume(head->size_bytes);
  std::string spill;
  AISPM_CO_TRY(const WholeBody whole,
               co_await read_whole_body(*stream, input, kept.body, kept.content_length,
                                        config.bytes, spill));
  kept.content_type = content_type;
  AISPM_CO_TRY(answer.page, page_of(kept, whole.bytes, config.characters));
  co_return answer;
}

std::string words_of(const WebUrl& url, const PageText& page) {
  std::string words = "URL: " + url.text() + "\n";
  if (!page.title.empty()) words += "Title: " + page.title + "\n";
  words += "\n" + page.text;
  if (page.is_cut) words += "\n\n[The page goes on; this is its beginning.]";
  if (page.hidden_passages > 0)
    words += "\n\n[" + std::to_string(page.hidden_passages) +
             " passages that the page hides from its readers are left out.]";
  return words;
}

// Follows redirects within a site; of others the model is told, so that a call for them is judged.
Task<std::string> fetch(Worker& worker, const FetchConfig& config, std::string text,
                        net::Stream*& in_flight) {
  AISPM_CO_TRY(WebUrl url, parse_web_url(text));
  for (int i = 0; i <= kMaxRedirects; ++i) {
    AISPM_CO_TRY(const SiteAnswer answer, co_await ask_site(worker, config, url, in_flight));
    if (answer.location.empty()) co_return words_of(url, answer.page);
    AISPM_CO_TRY(WebUrl next, resolve_web_url(url, answer.location));
    if (!is_same_site(url, next))
      co_return "URL: " + url.text() + "\n\nThe page is at another site: " + next.text() +
          "\nFetch that URL to read it.";
    url = std::move(next);
  }
  co_return fail(Errc::kTooLarge, "it redirects more than 5 times");
}

Task<std::string> search(Worker& worker, std::size_t server, const SearchConfig& config,
                         std::string query, net::Stream*& in_flight) {
  const Provider& provider = *worker.services().mcp_servers.all()[server];
  if (!provider.config().missing_key.empty())
    co_return fail(Errc::kUnavailable, provider.config().missing_key);
  const SearchQuestion question = search_question(config, query);
  std::string head = question.verb + " " + question.target + " HTTP/1.1\r\n";
  head.append(provider.request_lines());
  head += "accept: application/json\r\naccept-encoding: identity\r\nuser-agent: aispm-gateway\r\n";
  if (!question.body.empty())
    head += "content-type: application/json\r\ncontent-length: " +
            std::to_string(question.body.size()) + "\r\n";
  head += "\r\n";
  AISPM_CO_TRY(
      UpstreamReply reply,
      co_await ask_upstream(worker.context(), worker.watchdog(), provider, worker.mcp_pool(server),
                            {.head = head, .body = question.body, .method = question.verb},
                            {.connect = config.time, .silence = config.time}, &in_flight));
  const Head answered = reply.head;
  if (answered.status != 200)
    co_return fail(Errc::kUnavailable,
                   "the search engine answered with status " + std::to_string(answered.status));
  Upstream& upstream = *reply.upstream;
  upstream.input.consume(answered.size_bytes);
  std::string spill;
  AISPM_CO_TRY(const WholeBody whole,
               co_await read_whole_body(*upstream.stream, upstream.input, answered.body,
                                        answered.content_length, kMaxSearchReply, spill));
  AISPM_CO_TRY(std::string words, search_words(config, whole.bytes));
  upstream.input.consume(whole.in_place_bytes);
  if (answered.keep_alive && answered.body != BodyKind::kUntilClose)
    worker.mcp_pool(server).put(std::move(reply.upstream));
  co_return words;
}

std::string argument_of(std::string_view params, std::string_view name) {
  codec::JsonTree tree;
  if (!tree.read(params, codec::kMaxRpcDepth)) return {};
  const std::size_t arguments = tree.find(0, "arguments");
  return arguments == codec::JsonTree::kNone ? std::string()
                                             : std::string(tree.string_at(arguments, name));
}

}  // namespace

std::string list_web_tools(const WebConfig& config) {
  std::string json = "{\"tools\":[";
  if (config.fetch) json += kFetchDefinition;
  if (config.fetch && config.search) json += ",";
  if (config.search) json += kSearchDefinition;
  return json + "]}";
}

Task<std::string> call_web_tool(Worker& worker, std::size_t server, std::string_view tool,
                                std::string_view params, net::Stream*& in_flight) {
  const WebConfig& config = *worker.services().config.mcp.web;
  // No conditional expression: GCC 12 cannot be trusted with two co_await in one.
  Result<std::string> words = fail(Errc::kNotFound, "there is no such tool");
  if (tool == kFetchTool && config.fetch) {
    std::string url = argument_of(params, "url");
    auto task = fetch(worker, *config.fetch, std::move(url), in_flight);
    words = co_await net::with_deadline(std::move(task), config.fetch->time);
  } else if (tool == kSearchTool && config.search) {
    std::string query = argument_of(params, "query");
    auto task = search(worker, server, *config.search, std::move(query), in_flight);
    words = co_await net::with_deadline(std::move(task), config.search->time);
  }
  in_flight = nullptr;
  if (!words) co_return mcp_tool_error("AISPM: " + words.error().message);
  co_return "{\"content\":[{\"type\":\"text\",\"text\":" + codec::json_string(*words) + "}]}";
}

}  // namespace aispm::gateway
