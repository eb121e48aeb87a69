// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "aispm/v1/api.pb.h"
#include "gateway/collector/api/transcode.hpp"

using namespace aispm::collector::api;

// Input: "VERB path?query\nbody".
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto routes = [] {
    google::protobuf::SetLogHandler(nullptr);
    return read_routes(*aispm::v1::Overview::descriptor()->file()->FindServiceByName("Operator"))
        .value();
  }();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto line = input.substr(0, input.find('\n'));
  const auto body =
      line.size() == input.size() ? std::string_view() : input.substr(line.size() + 1);
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  const auto target = line.substr(space + 1);
  const auto question = target.find('?');
  const auto found = match(routes, line.substr(0, space), target.substr(0, question));
  if (!found) return 0;
  const auto request = read_request(
      *found, question == std::string_view::npos ? "" : target.substr(question + 1), body);
  if (!request) {
    (void)to_rest(request.error());
    return 0;
  }
  // What was read can be sent on and printed.
  if (!(*request)->IsInitialized() || !to_json(**request)) std::abort();
  return 0;
}
