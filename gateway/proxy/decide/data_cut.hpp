// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/scan_request.hpp"

namespace aispm::gateway {

// Which classes of data a text holds, whatever the gateway's own rules do about them.
struct DataClasses {
  bool has_secret = false;
  bool has_pii = false;
  bool has_pci = false;                     // of cards
  bool has_other_pii = false;               // personal data that is no mail address in clear text
  std::vector<std::string> addresses;       // of mail, in clear text, as they stand there
  std::vector<std::string> labels() const;  // "SECRET", "PII", "PCI"
};
Result<DataClasses> classes_of(const ScanContext& context, std::string_view text,
                               detect::Surface surface);

// Appends the text with all secrets and personal data cut out, in JSON also those behind escapes;
// how many. kDenied: something cannot be cut out in place.
Result<std::size_t> cut_data(const ScanContext& context, std::string_view text,
                             detect::Surface surface, std::string& out);

}  // namespace aispm::gateway
