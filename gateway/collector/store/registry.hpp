// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aispm/v1/api.pb.h"
#include "aispm/v1/ingest.pb.h"
#include "gateway/collector/role.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/secret.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Who may do what: API tokens, enrolment tokens and agent keys. Of each secret only the SHA-256 is
// stored; it has 256 random bits, so that an unsalted hash cannot be searched. Owned by one thread;
// other connections may write at the same time.
class Registry {
 public:
  explicit Registry(Database& database) : database_(database) {}

  // Whose a token is: its role, and its note with the start of its hash, for records of who did
  // what.
  struct Caller {
    Role role = Role::kViewer;
    std::string name;
    std::string note;                   // for whom the token was made
    std::vector<std::string> approves;  // roles in which it may answer approvals
  };
  // kUnauthenticated for anything but a token made here.
  Result<Caller> caller_of(std::string_view token);
  // `approves`: roles in which the holder may answer approvals ("finance_manager").
  Result<Secret> create_token(Role role, std::string_view note, WallTime now,
                              const std::vector<std::string>& approves = {});
  Result<bool> has_tokens();

  // `ca_fingerprint` becomes part of the token, so that a daemon can check whom it gives the token
  // to.
  Result<pb::CreatedEnrolmentToken> create_enrolment_token(std::uint32_t valid_seconds,
                                                           std::string_view ca_fingerprint,
                                                           WallTime now);
  struct Enrolled {
    std::string host_id;
    std::string certificate_pem;
  };
  // Uses up the token and gives the host its id (the same for all programs of one host), provided
  // that `sign` succeeds. kUnauthenticated: unknown, used or expired token.
  Result<Enrolled> enrol(
      const pb::EnrolRequest& request, WallTime now,
      const std::function<Result<std::string>(const std::string& host_id)>& sign);

  Result<pb::CreatedAgentKey> create_agent_key(const pb::CreateAgentKeyRequest& request,
                                               WallTime now);
  // Revoking twice keeps the first time.
  Result<pb::AgentKey> revoke_agent_key(std::string_view key_id, WallTime now);
  // All keys that are valid, with a version that grows with every change.
  Result<pb::AgentKeySnapshot> agent_keys(std::string_view tenant);

 private:
  Result<std::string> host_for(const pb::EnrolRequest& request, WallTime now);

  Database& database_;
};

void set_time(std::int64_t nanoseconds, google::protobuf::Timestamp* time);

}  // namespace aispm::collector::store
