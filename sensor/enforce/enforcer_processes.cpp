// SPDX-License-Identifier: Apache-2.0
// The table of who belongs to rules, which the kernel writes as well: children inherit, and who
// ends is forgotten.
#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "sensor/enforce/encode.hpp"
#include "sensor/enforce/enforcer.hpp"
#include "sensor/enforce/host.hpp"

namespace aispm::sensor {
namespace {

constexpr const char* kTable = "processes";
constexpr int kMostSweeps = 64;  // until no freed bit is left

model::ProcessId id_of(const aispm_process_key& key) { return {key.tgid, {key.start_boottime_ns}}; }

}  // namespace

Result<std::map<std::string, std::string>> Enforcer::read_processes() const {
  return read_map(map(kTable), kTable, sizeof(aispm_process_key), sizeof(aispm_subject));
}

std::optional<aispm_origin> Enforcer::origin_of(const model::ProcessId& id) const {
  aispm_origin origin{};
  const std::string key = key_of(id);
  if (!is_loaded() || ::bpf_map_lookup_elem(map("origins"), key.data(), &origin) != 0)
    return std::nullopt;
  return origin;
}

std::optional<model::ProcessId> Enforcer::parent_of(const model::ProcessId& id) const {
  const auto origin = origin_of(id);
  if (!origin || origin->parent.tgid == 0) return std::nullopt;
  return id_of(origin->parent);
}

Result<> Enforcer::add_process(const model::ProcessId& id, const Subject& subject) {
  const auto written = write_process(id, subject);
  return written ? Result<>() : fail(written.error());
}

// False: nobody can have slipped away from these rules because of it.
Result<bool> Enforcer::write_process(const model::ProcessId& id, const Subject& subject) {
  if (!is_loaded()) return false;
  const std::string key = key_of(id);
  aispm_subject known{};
  Subject merged = subject;
  if (::bpf_map_lookup_elem(map(kTable), key.data(), &known) == 0) {
    merged.rules |= RuleMask{known.rules};
    if (merged.rules == RuleMask{known.rules} &&
        merged.is_protected == ((known.flags & AISPM_SUBJECT_PROTECTED) != 0))
      return false;
  } else if (auto origin = origin_of(id); origin && origin->has_ended != 0) {
    // Nobody would delete it again. What it started inherited what it had.
    RuleMask had{origin->ended_with};
    merged.rules |= had;
    if (merged.rules == had) return false;
    origin->ended_with = merged.rules.raw;  // counts once
    if (::bpf_map_update_elem(map("origins"), key.data(), &*origin, BPF_ANY) != 0)
      return fail_errno("write table origins");
    return true;
  }
  const std::string value = subject_bytes(merged);
  if (::bpf_map_update_elem(map(kTable), key.data(), value.data(), BPF_ANY) != 0) {
    if (errno == E2BIG || errno == ENOSPC || errno == ENOMEM)
      return fail(Errc::kExhausted,
                  "the kernel's table of processes that orders are about is full: not all of them "
                  "are held",
                  errno);
    return fail_errno("write table processes");
  }
  return true;
}

Result<std::size_t> Enforcer::add_processes(const EnforceTables& tables) {
  std::size_t count = 0;
  bool had_no_room = false;
  for (const auto& [id, subject] : tables.processes) {
    auto written = write_process(id, subject);
    if (!written && written.error().code == Errc::kExhausted && !had_no_room) {
      had_no_room = true;
      AISPM_CHECK(remove_ended());
      written = write_process(id, subject);
    }
    if (!written) return fail(written.error());
    if (*written) ++count;
  }
  return count;
}

Result<> Enforcer::forget(const model::ProcessId& id) {
  if (!is_loaded()) return {};
  const std::string key = key_of(id);
  if (::bpf_map_delete_elem(map(kTable), key.data()) != 0 && errno != ENOENT)
    return fail_errno("clear table processes");
  return {};
}

Result<std::size_t> Enforcer::remove_ended() {
  if (!is_loaded() || !sees_all_processes()) return std::size_t{0};
  // Keys first: who starts after they were read is not among them.
  AISPM_TRY(const auto content, read_processes());
  std::set<model::ProcessId> missing;
  for (const auto& [key, subject] : content)
    missing.insert(id_of(value_of<aispm_process_key>(key)));
  // Twice: while a thread other than the first starts a program, it takes the process over, and a
  // list may miss it.
  for (int i = 0; i < 2 && !missing.empty(); ++i) {
    AISPM_TRY(const auto running, list_processes());
    for (const ListedProcess& one : running) missing.erase(one.id);
  }
  for (const model::ProcessId& id : missing) AISPM_CHECK(forget(id));
  return missing.size();
}

// Freed bits leave every process, also those that the kernel added by itself, and those that it
// adds meanwhile: children of whom the walk has not come to.
Result<> Enforcer::clear_freed(const EnforceTables& tables) {
  for (int i = 0; i < kMostSweeps; ++i) {
    AISPM_TRY(const std::size_t changed, sweep_freed(tables));
    if (changed == 0) return {};
  }
  return fail(Errc::kExhausted, "processes start faster than a rule that ended can be taken away");
}

Result<std::size_t> Enforcer::sweep_freed(const EnforceTables& tables) {
  RuleMask alive;
  for (std::size_t i = 0; i < tables.slots.size(); ++i)
    if (!tables.slots[i].order_id.empty()) alive.set(i);
  AISPM_TRY(const auto content, read_processes());
  std::size_t changed = 0;
  for (const auto& [key, bytes] : content) {
    auto subject = value_of<aispm_subject>(bytes);
    RuleMask kept{subject.rules};
    kept &= alive;
    if (kept == RuleMask{subject.rules}) continue;
    ++changed;
    subject.rules = kept.raw;
    const bool is_empty = !kept.any() && subject.flags == 0;
    const int error = is_empty
                          ? ::bpf_map_delete_elem(map(kTable), key.data())
                          : ::bpf_map_update_elem(map(kTable), key.data(), &subject, BPF_EXIST);
    if (error != 0 && errno != ENOENT) return fail_errno("clear table processes");
  }
  return changed;
}

}  // namespace aispm::sensor
