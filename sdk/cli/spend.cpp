// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "sdk/cli/describe.hpp"
#include "sdk/cli/fleet.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;
using enum Table::Align;

std::string usd(std::uint64_t nano) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4f", static_cast<double>(nano) / 1e9);
  return text;
}

// A cost that nobody knows is no 0.
std::string cost_of(const v1::SpendRow& row) {
  if (row.cost_nano_usd() == 0 && row.unpriced_calls() > 0) return "not known";
  return usd(row.cost_nano_usd()) + (row.unpriced_calls() > 0 ? "+" : "");
}

std::vector<Cell> cells_of(const std::string& name, const v1::SpendRow& row) {
  return {name,
          cost_of(row),
          std::to_string(row.calls()),
          std::to_string(row.input_tokens()),
          std::to_string(row.output_tokens()),
          std::to_string(row.unpriced_calls()),
          std::to_string(row.estimated_calls())};
}

}  // namespace

Result<> show_spend(Client& client, const std::string& by, std::uint32_t days,
                    const Output& output) {
  v1::GetSpendRequest request;
  request.set_by(by);
  request.set_days(days);
  AISPM_TRY(const v1::Spend spend, client.call(&Stub::GetSpend, request));
  if (output.json) return print_json(spend, output);
  Table table({{"NAME"},
               {"COST USD", kRight},
               {"CALLS", kRight},
               {"TOKENS IN", kRight},
               {"TOKENS OUT", kRight},
               {"NO PRICE", kRight},
               {"ESTIMATED", kRight}});
  for (const auto& row : spend.rows()) table.add(cells_of(safe(or_dash(row.name())), row));
  if (spend.rows_size() > 0) table.add(cells_of("total", spend.total()));
  output.stream << table.render(output.screen, "No calls in this time.")
                << paint("The last " + std::to_string(spend.days()) +
                             " days of UTC. + and \"not known\": without the calls that have no "
                             "known price." +
                             (spend.cut() ? " There are more rows." : ""),
                         Style::kDim, output.screen.colours)
                << "\n";
  return {};
}

}  // namespace aispm::cli
