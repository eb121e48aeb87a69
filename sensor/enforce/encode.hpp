// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "sensor/enforce/kernel_map.hpp"
#include "sensor/model/enforce_tables.hpp"

// Tables in the kernel's layout. Only the file tables look at the disk.
namespace aispm::sensor {

std::string key_of(const model::ProcessId& id);
std::string subject_bytes(const Subject& subject);
std::string name_key(const std::string& suffix);
std::string address_key(const Prefix& prefix);
std::string endpoint_key(const ProtectedEndpoint& endpoint);
std::string program_key(const std::string& name);

// Device and inode as the kernel has them; nothing when the file is not there.
std::optional<aispm_file_key> file_key(const std::string& path);

KernelMap::Content encode_executables(const EnforceTables& tables);
KernelMap::Content encode_folders(const EnforceTables& tables);
// Folders stand for the executable files in and below them, at most kMaxApproved in all;
// kTooLarge beyond.
constexpr std::size_t kMaxApproved = 60'000;
Result<KernelMap::Content> encode_approved(const EnforceTables& tables);

}  // namespace aispm::sensor
