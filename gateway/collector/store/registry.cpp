// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/registry.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/approval_links.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::uint32_t kDefaultEnrolmentSeconds = 3600;
constexpr std::uint32_t kMinEnrolmentSeconds = 60;
constexpr std::uint32_t kMaxEnrolmentSeconds = 604800;

bool is_agent_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/' || c == '@';
  });
}

bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxNameBytes &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c != 0x7f; });
}

}  // namespace

void set_time(std::int64_t nanoseconds, google::protobuf::Timestamp* time) {
  time->set_seconds(nanoseconds / 1'000'000'000);
  time->set_nanos(static_cast<std::int32_t>(nanoseconds % 1'000'000'000));
}

Result<Registry::Caller> Registry::caller_of(std::string_view token) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT role, note, approves FROM api_tokens WHERE sha256=?"));
  const std::string hash = sha256_hex(token);
  AISPM_TRY(const bool is_row, find->bind(hash).step());
  if (!is_row) return fail(Errc::kUnauthenticated, "the token is not valid");
  const auto role = parse_role(find->text(0));
  const std::string note = find->text(1);
  const std::string approves = find->text(2);
  find->reset();
  if (!role) return fail(Errc::kInternal, "store: a token has an unknown role");
  return Caller{*role, (note.empty() ? "token" : note) + " (" + hash.substr(0, 8) + ")", note,
                split_roles(approves)};
}

Result<Secret> Registry::create_token(Role role, std::string_view note, WallTime now,
                                      const std::vector<std::string>& approves) {
  AISPM_TRY(const std::string roles, join_roles(approves));
  Secret token("aispm-token-" + make_token(kSecretBytes));
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO api_tokens (sha256, role, note, created, approves) VALUES "
                      "(?,?,?,?,?)",
                      sha256_hex(token.expose()), name_of(role), note, now.nanoseconds, roles));
  return token;
}

Result<bool> Registry::has_tokens() {
  AISPM_TRY(Statement* const find, database_.cached("SELECT 1 FROM api_tokens LIMIT 1"));
  AISPM_TRY(const bool is_row, find->step());
  find->reset();
  return is_row;
}

Result<pb::CreatedEnrolmentToken> Registry::create_enrolment_token(std::uint32_t valid_seconds,
                                                                   std::string_view ca_fingerprint,
                                                                   WallTime now) {
  const std::uint32_t seconds = valid_seconds == 0 ? kDefaultEnrolmentSeconds : valid_seconds;
  if (seconds < kMinEnrolmentSeconds || seconds > kMaxEnrolmentSeconds)
    return fail(Errc::kInvalid, "valid_seconds: allowed is 60..604800, or 0 for 3600");
  const std::string random = make_token(kSecretBytes);
  const std::int64_t expires = now.nanoseconds + std::int64_t{seconds} * 1'000'000'000;
  // Tokens long dead are of no use to anybody.
  AISPM_CHECK(run_sql(database_, "DELETE FROM enrolment_tokens WHERE expires<?",
                      now.nanoseconds - std::int64_t{kMaxEnrolmentSeconds} * 1'000'000'000));
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO enrolment_tokens (sha256, created, expires) VALUES (?,?,?)",
                      sha256_hex(random), now.nanoseconds, expires));
  pb::CreatedEnrolmentToken created;
  created.set_token(random + "." + std::string(ca_fingerprint));
  set_time(expires, created.mutable_expires());
  return created;
}

Result<std::string> Registry::host_for(const pb::EnrolRequest& request, WallTime now) {
  const std::string identity = request.machine_id().empty() ? "name:" + request.hostname()
                                                            : "machine:" + request.machine_id();
  AISPM_TRY(Statement* const find, database_.cached("SELECT host_id FROM hosts WHERE identity=?"));
  AISPM_TRY(const bool is_row, find->bind(identity).step());
  if (is_row) {
    std::string host_id = find->text(0);
    find->reset();
    return host_id;
  }
  std::string host_id = make_uuid();
  AISPM_CHECK(run_sql(database_,
                      "INSERT INTO hosts (host_id, identity, hostname, first_seen, last_seen) "
                      "VALUES (?1,?2,?3,?4,?4)",
                      host_id, identity, request.hostname(), now.nanoseconds));
  return host_id;
}

Result<Registry::Enrolled> Registry::enrol(
    const pb::EnrolRequest& request, WallTime now,
    const std::function<Result<std::string>(const std::string&)>& sign) {
  if (request.token().size() > limits::kMaxEnrolmentTokenBytes)
    return fail(Errc::kUnauthenticated, "the enrolment token is not valid");
  if (!is_host_name(request.hostname()))
    return fail(Errc::kInvalid, "hostname: must be 1..256 printable characters");
  if (request.machine_id().size() > limits::kMaxNameBytes)
    return fail(Errc::kInvalid, "machine_id: too long");
  if (request.component() != "sensord" && request.component() != "gateway")
    return fail(Errc::kInvalid, "component: allowed is sensord or gateway");
  const std::string random = request.token().substr(0, request.token().find('.'));
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(run_sql(database_,
                      "UPDATE enrolment_tokens SET used=?1, used_by=?2 WHERE sha256=?3 AND used IS "
                      "NULL AND expires>?1",
                      now.nanoseconds, request.component() + "@" + request.hostname(),
                      sha256_hex(random)));
  if (database_.changes() != 1)
    return fail(Errc::kUnauthenticated,
                "the enrolment token is unknown, used or expired: make a new one");
  Enrolled enrolled;
  AISPM_TRY(enrolled.host_id, host_for(request, now));
  AISPM_TRY(enrolled.certificate_pem, sign(enrolled.host_id));
  AISPM_CHECK(transaction.commit());
  return enrolled;
}

Result<pb::CreatedAgentKey> Registry::create_agent_key(const pb::CreateAgentKeyRequest& request,
                                                       WallTime now) {
  if (!is_agent_name(request.agent_id()))
    return fail(Errc::kInvalid, "agent_id: allowed are 1..128 characters of A-Z a-z 0-9 . _ - / @");
  if (request.note().size() > limits::kMaxNameBytes)
    return fail(Errc::kInvalid, "note: longer than 256 bytes");
  pb::CreatedAgentKey created;
  created.set_key("aispm-" + make_token(kSecretBytes));
  pb::AgentKey& info = *created.mutable_info();
  info.set_key_id(make_uuid());
  info.set_agent_id(request.agent_id());
  info.set_note(request.note());
  set_time(now.nanoseconds, info.mutable_created());
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(run_sql(
      database_,
      "INSERT INTO agent_keys (key_id, sha256, agent_id, note, created) VALUES (?,?,?,?,?)",
      info.key_id(), sha256_hex(created.key()), info.agent_id(), info.note(), now.nanoseconds));
  AISPM_CHECK(raise_counter(database_, "agent_key_version"));
  AISPM_CHECK(transaction.commit());
  return created;
}

Result<pb::AgentKey> Registry::revoke_agent_key(std::string_view key_id, WallTime now) {
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_CHECK(run_sql(database_, "UPDATE agent_keys SET revoked=IFNULL(revoked, ?) WHERE key_id=?",
                      now.nanoseconds, key_id));
  if (database_.changes() == 0) return fail(Errc::kNotFound, "no agent key with that id");
  AISPM_CHECK(raise_counter(database_, "agent_key_version"));
  AISPM_TRY(
      Statement* const find,
      database_.cached("SELECT agent_id, note, created, revoked FROM agent_keys WHERE key_id=?"));
  AISPM_TRY(const bool is_row, find->bind(key_id).step());
  if (!is_row) return fail(Errc::kInternal, "store: the key vanished");
  pb::AgentKey key;
  key.set_key_id(std::string(key_id));
  key.set_agent_id(find->text(0));
  key.set_note(find->text(1));
  set_time(find->integer(2), key.mutable_created());
  set_time(find->integer(3), key.mutable_revoked());
  find->reset();
  AISPM_CHECK(transaction.commit());
  return key;
}

Result<pb::AgentKeySnapshot> Registry::agent_keys(std::string_view tenant) {
  pb::AgentKeySnapshot snapshot;
  AISPM_TRY(const std::uint64_t version, read_counter(database_, "agent_key_version"));
  snapshot.set_version(version);
  AISPM_TRY(
      Statement* const find,
      database_.cached("SELECT key_id, sha256, agent_id FROM agent_keys WHERE revoked IS NULL"));
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return snapshot;
    auto* const key = snapshot.add_keys();
    key->set_key_id(find->text(0));
    key->set_key_sha256(find->text(1));
    key->set_agent_id(find->text(2));
    key->set_tenant(std::string(tenant));
  }
}

}  // namespace aispm::collector::store
