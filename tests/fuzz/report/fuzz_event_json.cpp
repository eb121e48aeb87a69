// SPDX-License-Identifier: Apache-2.0
// JSON of an event from outside: what is taken can be written again, and reads back as the same.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdlib>

#include "sdk/core/report/convert.hpp"

namespace {

// The order of map entries in JSON is left open, so texts are not compared.
std::string canonical(const aispm::model::Event& event) {
  aispm::v1::Event message;
  aispm::report::to_proto(event, message);
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace aispm::report;
  const auto event = from_json({reinterpret_cast<const char*>(data), size});
  if (!event) return 0;
  const auto json = to_json(*event);
  if (!json) std::abort();
  const auto again = from_json(*json);
  if (!again || canonical(*again) != canonical(*event)) std::abort();
  return 0;
}
