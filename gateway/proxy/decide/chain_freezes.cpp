// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/chain_freezes.hpp"

#include <list>
#include <memory>

#include "gateway/proxy/decide/delegation.hpp"

namespace aispm::gateway {

using Entry = FreezeList::Entry;

namespace {

FreezeKey key_of(std::string agent) {
  return {.agent = std::move(agent), .session = {}, .tenant = {}};
}

}  // namespace

Entry::Hear hear_for_chain(FreezeList& freezes, std::string_view delegation, Entry::Hear hear) {
  if (delegation.empty()) return hear;
  const auto chain = std::make_shared<std::list<Entry>>();
  for (std::string& agent : issuers_of(delegation))
    chain->emplace_back(freezes, key_of(std::move(agent)), [hear](const policy::Freeze* freeze) {
      if (freeze != nullptr) hear(freeze);
    });
  return [hear = std::move(hear), chain](const policy::Freeze* freeze) { hear(freeze); };
}

bool is_chain_frozen(const policy::FreezeBook& book, std::string_view delegation, WallTime now) {
  if (delegation.empty()) return false;
  for (std::string& agent : issuers_of(delegation))
    if (key_of(std::move(agent)).find(book, now) != nullptr) return true;
  return false;
}

}  // namespace aispm::gateway
