// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/net/io.hpp"
#include "gateway/proxy/voter.hpp"

namespace aispm::gateway {

class Worker;

// Asks the guard model about one text, within its deadline. Errors say in words why there is no
// answer; each kind is counted. On the worker's thread; `worker` and `voter` outlive it.
net::Task<GuardAnswer> ask_guard(Worker& worker, Voter& voter, std::string text);

}  // namespace aispm::gateway
