// SPDX-License-Identifier: Apache-2.0
// From claims to assets: which things exist, what is said of them, and what of that is news.
#include <algorithm>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sensor/classify/findings.hpp"
#include "sensor/classify/inventory.hpp"

namespace aispm::sensor {
namespace {

bool differs(const model::Asset& a, const model::Asset& b) {
  return a.name != b.name || a.provider != b.provider || a.version != b.version ||
         a.confidence != b.confidence || a.evidence != b.evidence || a.attributes != b.attributes;
}

// File names and configurations of strangers are in an asset; the collector refuses one with a name
// of more than 256 bytes or with more than 64 KiB in all, so either could hide it.
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxDetailBytes = 1024;  // of one evidence's value, one attribute
constexpr std::size_t kMaxExplanationBytes = 8192;

void fit(std::string& text, std::size_t limit_bytes) {
  constexpr std::string_view kMore = "…";
  text = to_utf8(text);
  if (text.size() <= limit_bytes) return;
  cut_utf8(text, limit_bytes - kMore.size());
  text += kMore;
}

void fit(model::Asset& asset) {
  for (std::string* name : {&asset.name, &asset.provider, &asset.version})
    fit(*name, kMaxNameBytes);
  fit(asset.explanation, kMaxExplanationBytes);
  for (auto& evidence : asset.evidence) fit(evidence.value, kMaxDetailBytes);
  for (auto& [key, value] : asset.attributes) fit(value, kMaxDetailBytes);
}

}  // namespace

void Inventory::set_claims(std::vector<Claim>& old_claims, std::vector<Claim> claims,
                           const std::function<void(Entry&, bool)>& link) {
  if (old_claims == claims) return;
  for (const Claim& claim : old_claims) {
    const AssetId id{claim.kind, claim.key};
    changed_.insert(id);
    if (const auto found = assets_.find(id); found != assets_.end()) link(found->second, false);
  }
  std::erase_if(claims, [this](const Claim& claim) {
    const bool is_too_many =
        assets_.size() >= kMaxAssets && !assets_.contains({claim.kind, claim.key});
    refused_ += is_too_many ? 1 : 0;
    return is_too_many;
  });
  for (const Claim& claim : claims) {
    const AssetId id{claim.kind, claim.key};
    changed_.insert(id);
    link(assets_[id], true);
  }
  old_claims = std::move(claims);
}

std::string Inventory::asset_id(const AssetId& id) const {
  constexpr std::size_t kIdDigits = 32;
  return sha256_hex(host_ + "\n" + std::string(name_of(id.first)) + "\n" + id.second)
      .substr(0, kIdDigits);
}

model::Asset Inventory::build(const AssetId& id, const Entry& entry) const {
  model::Asset asset;
  asset.asset_id = asset_id(id);
  asset.kind = name_of(id.first);
  std::vector<EvidenceItem> evidence;
  double best = -1;
  const auto add = [&](const std::vector<Claim>& claims) {
    for (const Claim& claim : claims) {
      if (claim.kind != id.first || claim.key != id.second) continue;
      // The best founded claim names it; attributes of all are kept, the first one's value winning.
      if (const double value = weigh(claim.evidence).value; value > best) {
        best = value;
        asset.name = claim.name;
        asset.provider = claim.provider;
        if (!claim.version.empty()) asset.version = claim.version;
      }
      asset.attributes.insert(claim.attributes.begin(), claim.attributes.end());
      for (const EvidenceItem& one : claim.evidence)
        if (std::find(evidence.begin(), evidence.end(), one) == evidence.end())
          evidence.push_back(one);
    }
  };
  for (const Who& one : entry.processes)
    if (const auto found = processes_.find(one); found != processes_.end())
      add(found->second.claims);
  for (const std::string& path : entry.files)
    if (const auto found = files_.find(path); found != files_.end()) add(found->second);
  if (!asset.attributes.contains("running") && id.first != AssetKind::kModelFile)
    asset.attributes["running"] = "no";
  std::stable_sort(evidence.begin(), evidence.end(),
                   [](const auto& a, const auto& b) { return a.item.weight > b.item.weight; });
  if (evidence.size() > kMaxEvidence) evidence.resize(kMaxEvidence);
  const Confidence confidence = weigh(evidence);
  asset.confidence = confidence.value;
  asset.explanation = confidence.explanation;
  for (EvidenceItem& one : evidence) asset.evidence.push_back(std::move(one.item));
  fit(asset);
  return asset;
}

std::vector<AssetChange> Inventory::take_gone() {
  std::vector<AssetChange> gone;
  for (const AssetId& id : changed_) {
    const auto found = assets_.find(id);
    if (found == assets_.end() || !found->second.processes.empty() || !found->second.files.empty())
      continue;
    if (auto& reported = found->second.reported) {
      AssetChange change;
      change.asset = std::move(*reported);
      change.asset.gone = true;
      gone.push_back(std::move(change));
    }
    assets_.erase(found);
  }
  return gone;
}

// Nothing when it is known already, or too little speaks for it: once said, it stays until it is
// gone.
std::optional<AssetChange> Inventory::take_change(const AssetId& id, Entry& entry, bool is_resync) {
  model::Asset asset = build(id, entry);
  if (!entry.reported && asset.confidence < kEnoughConfidence) return std::nullopt;
  if (!is_resync && entry.reported && !differs(*entry.reported, asset)) return std::nullopt;
  AssetChange change;
  for (const Who& one : entry.processes)
    if (const auto found = processes_.find(one); found != processes_.end() && !change.process)
      change.process = found->second.facts.process;
  change.detections = find_asset_detections(asset, entry.reported ? &*entry.reported : nullptr);
  entry.reported = asset;
  change.asset = std::move(asset);
  return change;
}

std::vector<AssetChange> Inventory::take_changes() {
  std::vector<AssetChange> changes = take_gone();
  for (const AssetId& id : std::exchange(changed_, {}))
    if (const auto found = assets_.find(id); found != assets_.end())
      if (auto change = take_change(id, found->second, false))
        changes.push_back(std::move(*change));
  return changes;
}

std::vector<AssetChange> Inventory::resync(const std::string& resync_id) {
  std::vector<AssetChange> all = take_gone();
  changed_.clear();
  const std::size_t gone = all.size();
  for (auto& [id, entry] : assets_)
    if (auto change = take_change(id, entry, true)) all.push_back(std::move(*change));
  for (std::size_t i = gone; i < all.size(); ++i) {
    all[i].asset.resync_id = resync_id;
    all[i].asset.resync_size = static_cast<std::uint32_t>(all.size() - gone);
  }
  return all;
}

}  // namespace aispm::sensor
