// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/commands.hpp"
#include "sdk/cli/describe.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;
using enum Table::Align;

template <typename Texts>
std::string join(const Texts& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? "-" : out;
}

std::string count(std::uint64_t value) { return std::to_string(value); }

std::string render(const v1::HostList& list, const Output& output) {
  Table table({{"HOST"},
               {"HOST ID"},
               {"OS"},
               {"KERNEL"},
               {"REPORTING"},
               {"LAST SEEN"},
               {"EVENTS", kRight},
               {"AI PROCESSES", kRight}});
  for (const auto& host : list.hosts())
    table.add({host.hostname(),
               host.host_id(),
               host.os(),
               host.kernel(),
               {host.connected() ? "yes" : "no", host.connected() ? Style::kGood : Style::kBad},
               age_text(host.last_seen(), output.now),
               count(host.events()),
               count(host.ai_processes())});
  return table.render(output.screen, "No hosts have reported yet.");
}

std::string render(const v1::ProcessList& list, const Output& output) {
  Table table({{"VERDICT"},
               {"PROCESS"},
               {"USER"},
               {"HOST"},
               {"PROVIDERS"},
               {"MODELS"},
               {"CALLS", kRight},
               {"CONFIDENCE", kRight},
               {"LAST SEEN"},
               {"AGENT"},
               {"PROFILE"}});
  for (const auto& item : list.processes()) {
    const bool bad = item.verdict() == "unsanctioned";
    char confidence[16];
    std::snprintf(confidence, sizeof(confidence), "%.2f", item.confidence());
    const auto& process = item.process();
    table.add({{item.verdict(), bad ? Style::kBad : Style::kGood},
               process.comm() + "[" + count(process.pid()) + "]",
               process.user().empty() ? count(process.uid()) : process.user(),
               item.hostname().empty() ? item.host_id() : item.hostname(),
               join(item.providers()),
               join(item.models()),
               count(item.calls()),
               std::string(confidence),
               age_text(item.last_seen(), output.now),
               item.agent_id().empty() ? "-" : item.agent_id(),
               item.profile().empty() ? "-" : item.profile()});
  }
  return table.render(output.screen, "No AI use has been seen in any process.");
}

std::string render(const v1::AgentList& list, const Output& output) {
  Table table({{"AGENT"},
               {"SESSIONS", kRight},
               {"CALLS", kRight},
               {"DENIED", kRight},
               {"REDACTED", kRight},
               {"TOKENS IN", kRight},
               {"TOKENS OUT", kRight},
               {"MODELS"},
               {"LAST SEEN"},
               {"PROFILE"}});
  for (const auto& agent : list.agents())
    table.add({agent.agent_id(),
               count(agent.sessions()),
               count(agent.llm_calls()),
               {count(agent.denied()), agent.denied() > 0 ? Style::kBad : Style::kPlain},
               {count(agent.redacted()), agent.redacted() > 0 ? Style::kWarn : Style::kPlain},
               count(agent.input_tokens()),
               count(agent.output_tokens()),
               join(agent.models()),
               age_text(agent.last_seen(), output.now),
               agent.last_profile().empty() ? "-" : agent.last_profile()});
  return table.render(output.screen, "No agents have been seen yet.");
}

std::string render(const v1::ProviderList& list, const Output& output) {
  Table table({{"PROVIDER"},
               {"CALLS", kRight},
               {"UNSANCTIONED", kRight},
               {"TOKENS IN", kRight},
               {"TOKENS OUT", kRight},
               {"ENDPOINTS"},
               {"LAST SEEN"}});
  for (const auto& provider : list.providers())
    table.add({provider.provider(),
               count(provider.calls()),
               {count(provider.unsanctioned_calls()),
                provider.unsanctioned_calls() > 0 ? Style::kBad : Style::kPlain},
               count(provider.input_tokens()),
               count(provider.output_tokens()),
               join(provider.hosts()),
               age_text(provider.last_seen(), output.now)});
  return table.render(output.screen, "No provider has been called yet.");
}

std::string render(const v1::ModelList& list, const Output& output) {
  Table table({{"MODEL"},
               {"PROVIDER"},
               {"CALLS", kRight},
               {"TOKENS IN", kRight},
               {"TOKENS OUT", kRight},
               {"LAST SEEN"}});
  for (const auto& model : list.models())
    table.add({model.model(), model.provider(), count(model.calls()), count(model.input_tokens()),
               count(model.output_tokens()), age_text(model.last_seen(), output.now)});
  return table.render(output.screen, "No model has been called yet.");
}

// Asks for one list and gives it as text: a table, or the fields of a JSON object without its
// braces.
template <typename Reply, typename Items>
Result<std::string> section(Client& client, Client::Method<v1::ListRequest, Reply> method,
                            Items items, const std::string& query, std::size_t limit,
                            const Output& output) {
  v1::ListRequest request;
  request.set_query(query);
  AISPM_TRY(const Reply list, client.list(method, request, items, limit));
  if (!output.json) return render(list, output);
  AISPM_TRY(const std::string json, json_of(list, true));
  // The token of a page that was fetched to its end says nothing.
  const std::string empty_token = R"(,"next_page_token":"")";
  std::string fields = json.substr(1, json.size() - 2);
  if (fields.ends_with(empty_token)) fields.resize(fields.size() - empty_token.size());
  return fields;
}

}  // namespace

Result<> show_inventory(Client& client, const std::string& what, const std::string& query,
                        std::size_t limit, const Output& output) {
  std::string out;
  const auto add = [&](const char* title, auto method, auto items) -> Result<> {
    if (!what.empty() && what != title) return {};
    AISPM_TRY(const std::string text, section(client, method, items, query, limit, output));
    if (output.json)
      out += (out.empty() ? "" : ",") + text;
    else if (what.empty())
      out += (out.empty() ? "" : "\n") + paint(title, Style::kBold, output.screen.colours) + "\n" +
             text;
    else
      out += text;
    return {};
  };
  AISPM_CHECK(add("hosts", &Stub::ListHosts, &v1::HostList::hosts_size));
  AISPM_CHECK(add("processes", &Stub::ListProcesses, &v1::ProcessList::processes_size));
  AISPM_CHECK(add("agents", &Stub::ListAgents, &v1::AgentList::agents_size));
  AISPM_CHECK(add("providers", &Stub::ListProviders, &v1::ProviderList::providers_size));
  AISPM_CHECK(add("models", &Stub::ListModels, &v1::ModelList::models_size));
  output.stream << (output.json ? "{" + out + "}\n" : out);
  return {};
}

}  // namespace aispm::cli
