// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_listing.hpp"

#include <algorithm>

#include "gateway/mcp/mcp_screen.hpp"
#include "gateway/mcp/mcp_subject.hpp"
#include "gateway/mcp/server_link.hpp"
#include "gateway/proxy/decide/offered_tools.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {

using model::Outcome;
using net::Task;
using net::asio::awaitable;

namespace {

// Of one list; more are counted, not recorded.
constexpr std::size_t kMaxRecorded = 32;

bool matches_any(const std::vector<std::string>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return policy::glob_matches(glob, text); });
}

// Asks servers at the same time: one that hangs holds up none of the others, only the end of the
// list, for its `call` limit.
class Round {
 public:
  Round(Worker& worker, McpSession& session) : worker_(worker), session_(session) {}

  void want(std::size_t server) { answers_.emplace_back().server = server; }
  // Nothing: tools.
  awaitable<void> ask_all(std::optional<Shelf> shelf) {
    if (!answers_.empty()) co_await ask_from(0, shelf);
  }

  // Null where it was not asked for, or there was no answer.
  struct Answer {
    std::size_t server = 0;
    std::shared_ptr<const ToolBook> tools;
    std::shared_ptr<const Catalogue> items;
  };
  const std::vector<Answer>& answers() const { return answers_; }

 private:
  awaitable<void> ask_from(std::size_t at, std::optional<Shelf> shelf) {
    using namespace net::asio::experimental::awaitable_operators;
    if (at + 1 == answers_.size())
      co_await ask(answers_[at], shelf);
    else
      co_await (ask(answers_[at], shelf) && ask_from(at + 1, shelf));
  }

  awaitable<void> ask(Answer& answer, std::optional<Shelf> shelf) {
    ServerLink link(worker_, session_, answer.server);
    if (shelf) {
      auto read = co_await link.catalogue(*shelf, std::chrono::milliseconds(0));
      if (read) answer.items = std::move(*read);
    } else {
      auto book = co_await link.tools(std::chrono::milliseconds(0));
      if (book) answer.tools = std::move(*book);
    }
  }

  Worker& worker_;
  McpSession& session_;
  std::vector<Answer> answers_;
};

// Looks at the tools of one server for one agent.
class Listing {
 public:
  Listing(Worker& worker, const Caller& caller, const ShownProofs& proofs, ScanContext scan)
      : worker_(worker),
        caller_(caller),
        scan_(std::move(scan)),
        policies_(scan_.policies),
        identity_(worker.services().identify(policies_, caller, proofs.delegation, proofs.intent)) {
  }

  void add(const McpServerConfig& server, const ToolBook& book, bool for_sessions) {
    for (const McpTool& tool : book.tools()) {
      if (!is_tool_granted(server, tool.definition.name)) continue;
      if (!may_call(server.endpoint.name, tool)) continue;
      ToolLook look = look_at_tool(scan_, tool);
      if (!look.objection && !tool.problem.empty())
        look.objection = McpObjection{"tools.schema", tool.problem};
      if (look.objection) {
        worker_.counters().mcp_tools_withheld.add();
        withhold(server.endpoint.name, tool.definition.name, {}, look);
      } else {
        const bool is_same = for_sessions || tool.shown_stateless.empty();
        shown_.push_back(is_same ? tool.shown : tool.shown_stateless);
      }
    }
    for (const std::string& name : book.left_out()) {
      if (!is_tool_granted(server, name) || !may_act(server.endpoint.name, name)) continue;
      ToolLook look;
      look.objection = McpObjection{
          "tools.name",
          "The tool's name cannot be taken: letters, digits, _ - . / only, 128 at most, each once"};
      worker_.counters().mcp_tools_withheld.add();
      withhold(server.endpoint.name, name, {}, look);
    }
  }

  void add(const McpServerConfig& server, const Catalogue& read) {
    const bool is_prompts = read.shelf() == Shelf::kPrompts;
    const std::string action(is_prompts ? kPromptAction : kResourceAction);
    if (!may_act(server.endpoint.name, action)) return;
    for (const ShelfItem& item : read.items()) {
      if (!is_item_granted(server, read.shelf(), item.name)) continue;
      const ToolLook look = look_at_item(scan_, item);
      if (look.objection) {
        worker_.counters().mcp_tools_withheld.add();
        withhold(server.endpoint.name, action,
                 is_prompts ? server_prompt(item.name, "{}") : server_read(item.name), look);
      } else {
        shown_.push_back(item.shown);
      }
    }
    for (const std::string& name : read.left_out()) {
      if (!is_item_granted(server, read.shelf(), name)) continue;
      ToolLook look;
      look.objection = McpObjection{
          "tools.name",
          is_prompts
              ? "The prompt's name cannot be taken: letters, digits, _ - . / only, 128 at most, "
                "each once"
              : "The URI cannot be taken: no spaces and controls, 1024 bytes at most, each once"};
      worker_.counters().mcp_tools_withheld.add();
      withhold(server.endpoint.name, action,
               is_prompts ? server_prompt(name, "{}") : server_read(name), look);
    }
  }

  // What it tells models of itself.
  void add(const McpServerConfig& server, const std::string& method, const std::string& text) {
    const bool has_policy = !policies_.enforced || policies_.enforced->bundle;
    if (identity_.objection || !has_policy) return;
    ToolLook look = look_at_instructions(scan_, server.endpoint.name, text);
    std::string words = mcp_instructions(server.endpoint.name, text);
    const bool is_long =
        text.size() > kMaxInstructions || shown_bytes_ + words.size() > kMaxAllInstructions;
    if (!look.objection && is_long)
      look.objection =
          McpObjection{"tools.instructions", "More than " + std::to_string(kMaxInstructions) +
                                                 " bytes of instructions of one server, or " +
                                                 std::to_string(kMaxAllInstructions) + " of all"};
    if (look.objection) {
      worker_.counters().mcp_tools_withheld.add();
      withhold(server.endpoint.name, method, {}, look);
    } else {
      shown_bytes_ += words.size();
      shown_.push_back(std::move(words));
    }
  }

  const std::vector<std::string>& shown() const { return shown_; }

 private:
  bool may_call(const std::string& server, const McpTool& tool) {
    if (!may_act(server, tool.definition.name)) return false;
    if (!policies_.enforced || policies_.enforced->bundle->tools() == nullptr) return true;
    const ActionAsk ask{.tool = tool.definition.name, .tool_provider = server};
    return OfferedTools::of(tool.definition)
               .judge(*policies_.enforced->bundle->tools(), caller_.tenant, caller_.agent_id, ask,
                      &worker_.services().sightings)
               .outcome != Outcome::kDeny;
  }

  // As an action without arguments would be judged by tools.yaml; its rules over arguments and
  // destinations can only be asked with them.
  bool may_act(const std::string& server, const std::string& name) {
    if (identity_.objection) return false;
    if (!policies_.enforced) return true;
    const auto& bundle = policies_.enforced->bundle;
    if (!bundle) return false;  // the policy cannot be used: all is denied
    if (bundle->tools() == nullptr) return true;
    const policy::Action action{.tool = name,
                                .tool_provider = server,
                                .surface = "mcp",
                                .agent = caller_.agent_id,
                                .agent_type = identity_.facts.type,
                                .roles = identity_.facts.roles,
                                .trust = identity_.facts.trust,
                                .environment = identity_.facts.environment};
    policy::ToolState state;
    state.scopes = identity_.facts.scopes;
    state.intent = identity_.intent;
    const policy::ToolVerdict said = bundle->tools()->judge(action, state);
    return said.outcome != Outcome::kDeny || said.rule_id == "tools.destination";
  }

  void withhold(const std::string& server, const std::string& name, const std::string& arguments,
                const ToolLook& look) {
    if (++recorded_ > kMaxRecorded) return;
    JudgedAction action;
    action.tool = name;
    action.shown = arguments;
    action.tool_provider = server;
    action.verdict.rule_id = look.objection->rule_id;
    action.verdict.reason = look.objection->reason;
    action.findings = look.detections;
    const ActionGate::Caller by{.agent_id = caller_.agent_id,
                                .tenant = caller_.tenant,
                                .session_id = caller_.session_id,
                                .facts = identity_.facts,
                                .surface = "mcp.list",
                                .provider = {},
                                .model = {}};
    model::Event event = action_event(action, by, {}, {.outcome = Outcome::kDeny, .reason = {}});
    event.tenant = caller_.tenant;
    event.host_id = worker_.services().host_id;
    event.session_id = caller_.session_id;
    event.trace_id = caller_.trace_id.empty() ? make_trace_id() : caller_.trace_id;
    event.span_id = make_span_id();
    worker_.record(std::move(event));
  }

  Worker& worker_;
  const Caller& caller_;
  const ScanContext scan_;
  const PolicySet policies_;
  const Identity identity_;
  std::vector<std::string> shown_;
  std::size_t shown_bytes_ = 0;  // of instructions
  std::size_t recorded_ = 0;
};

}  // namespace

std::optional<std::size_t> find_server(const McpConfig& config, std::string_view name,
                                       std::string_view agent_id) {
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    const McpServerConfig& server = config.servers[i];
    if (server.endpoint.name != name) continue;
    return matches_any(server.agents, agent_id) ? std::optional(i) : std::nullopt;
  }
  return std::nullopt;
}

bool is_tool_granted(const McpServerConfig& server, std::string_view tool) {
  return matches_any(server.tools, tool);
}

bool is_item_granted(const McpServerConfig& server, Shelf shelf, std::string_view name) {
  return matches_any(shelf == Shelf::kPrompts ? server.prompts : server.resources, name);
}

McpOffers offers_for(const McpConfig& config, std::string_view agent_id, const OfferBook& book) {
  McpOffers offers;
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    const McpServerConfig& server = config.servers[i];
    if (!matches_any(server.agents, agent_id)) continue;
    const bool prompts = !server.prompts.empty();
    const bool resources = !server.resources.empty();
    const ServerOffers known = book.of(i).value_or(ServerOffers{});
    offers.prompts = offers.prompts || prompts;
    offers.resources = offers.resources || resources;
    offers.tools_change = offers.tools_change || (known.tools_change && !server.tools.empty());
    offers.prompts_change = offers.prompts_change || (known.prompts_change && prompts);
    offers.resources_change = offers.resources_change || (known.resources_change && resources);
    offers.subscribe = offers.subscribe || (known.subscribe && resources);
  }
  return offers;
}

std::string instructions_for(Worker& worker, const Caller& caller, const ShownProofs& proofs,
                             const std::string& method) {
  const McpConfig& config = worker.services().config.mcp;
  std::vector<std::pair<std::size_t, std::string>> told;
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    if (find_server(config, config.servers[i].endpoint.name, caller.agent_id) != i) continue;
    std::string text = worker.services().mcp_offers.instructions(i);
    if (!text.empty()) told.emplace_back(i, std::move(text));
  }
  if (told.empty()) return {};
  auto scan =
      worker.open_rules(caller.tenant, {.agent = caller.agent_id, .provider = {}, .model = {}});
  if (!scan) {  // nothing can be judged, and nothing is listed either
    worker.counters().mcp_tools_withheld.add(told.size());
    return {};
  }
  Listing listing(worker, caller, proofs, std::move(*scan));
  for (const auto& [server, text] : told) listing.add(config.servers[server], method, text);
  std::string all;
  for (const std::string& words : listing.shown())
    all.append(all.empty() ? "" : "\n").append(words);
  return all;
}

Task<std::string> list_tools(Worker& worker, McpSession& session, const Caller& caller,
                             const ShownProofs& proofs, const McpMessage& asked) {
  AISPM_CO_TRY(
      ScanContext scan,
      worker.open_rules(caller.tenant, {.agent = caller.agent_id, .provider = {}, .model = {}}));
  const McpConfig& config = worker.services().config.mcp;
  Round servers(worker, session);
  for (std::size_t i = 0; i < config.servers.size(); ++i)
    if (find_server(config, config.servers[i].endpoint.name, caller.agent_id) == i) servers.want(i);
  co_await servers.ask_all(std::nullopt);
  Listing listing(worker, caller, proofs, std::move(scan));
  for (const Round::Answer& answer : servers.answers())
    if (answer.tools)
      listing.add(config.servers[answer.server], *answer.tools, !asked.is_stateless);
  co_return mcp_list(asked, "tools", listing.shown());
}

Task<std::string> list_shelf(Worker& worker, McpSession& session, const Caller& caller,
                             const ShownProofs& proofs, const McpMessage& asked, Shelf shelf) {
  AISPM_CO_TRY(
      ScanContext scan,
      worker.open_rules(caller.tenant, {.agent = caller.agent_id, .provider = {}, .model = {}}));
  const McpConfig& config = worker.services().config.mcp;
  Round servers(worker, session);
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    const McpServerConfig& server = config.servers[i];
    const bool has_any = !(shelf == Shelf::kPrompts ? server.prompts : server.resources).empty();
    if (has_any && find_server(config, server.endpoint.name, caller.agent_id) == i) servers.want(i);
  }
  co_await servers.ask_all(shelf);
  Listing listing(worker, caller, proofs, std::move(scan));
  for (const Round::Answer& answer : servers.answers())
    if (answer.items) listing.add(config.servers[answer.server], *answer.items);
  co_return mcp_list(asked, list_key(shelf), listing.shown());
}

}  // namespace aispm::gateway
