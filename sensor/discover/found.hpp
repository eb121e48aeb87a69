// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <variant>

#include "sensor/classify/facts.hpp"
#include "sensor/classify/signatures.hpp"

// What discovery hands to the pipeline.
namespace aispm::sensor {

struct FileGone {
  std::string path;
};
struct AnsweredProbe {
  model::Process process;
  HttpAnswer answer;
};
// An internal target that could be reached though nobody said it should (SEN-017).
struct ReachedTarget {
  std::string address;
  std::uint16_t port = 0;
};
// A whole scan of the host is done.
struct ScanDone {
  std::uint64_t processes = 0;
  std::uint64_t files = 0;
};
struct NewSignatures {
  Signatures signatures;
};

using Found = std::variant<ProcessScan, AnsweredProbe, FoundFile, FileGone, ReachedTarget, ScanDone,
                           NewSignatures>;

}  // namespace aispm::sensor
