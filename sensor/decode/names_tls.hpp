// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/codec/tls_hello.hpp"

// ClientHellos are read by one parser in sensor, sandbox and gateway.
namespace aispm::sensor {

using codec::clean_name;
using codec::HelloFacts;
using codec::HelloParse;
using codec::kMaxHelloBytes;
using codec::parse_client_hello;
using codec::parse_hello_records;

}  // namespace aispm::sensor
