// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "gateway/proxy/rule_book.hpp"
#include "sdk/core/model/event.hpp"

// What the operator of this host may ask of the gateway by its own socket, whatever carries it:
//
//   GET    /aispm/v1/admin/rules            tenants that have rules of their own
//   GET    /aispm/v1/admin/rules/{tenant}   their pack
//   PUT    /aispm/v1/admin/rules/{tenant}   a pack (YAML): checked and compiled, its examples run,
//                                           kept on disk, then in force
//   DELETE /aispm/v1/admin/rules/{tenant}
namespace aispm::gateway {

struct AdminRequest {
  std::string_view method;
  std::string_view target;
  std::string_view body;
  std::string who;  // as the kernel says: "root (uid 0)"
};

struct AdminReply {
  int status = 200;
  std::string body;                           // JSON, unless `type` says something else
  std::optional<model::OperatorAction> done;  // something changed: to be recorded
  std::string_view type = "application/json";
  std::string allow = {};  // of 405: the methods that the path takes
};

AdminReply refuse_admin(int status, std::string_view message);
// 405; `allowed`: "GET, PUT".
AdminReply refuse_method(std::string allowed);
// The status that fits to the error's code.
AdminReply refuse_admin(const Error& error);

// On any error nothing has changed; the message names tenant, line and rule. One thread.
AdminReply serve_admin(const AdminRequest& request, RuleShelf& shelf);

}  // namespace aispm::gateway
