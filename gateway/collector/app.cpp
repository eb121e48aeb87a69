// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/app.hpp"

#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>
#include <signal.h>
#include <sys/file.h>

#include <boost/json.hpp>
#include <chrono>

#include "gateway/collector/api/grpc_operator.hpp"
#include "gateway/collector/api/http_front.hpp"
#include "gateway/collector/api/openapi.hpp"
#include "gateway/collector/api/operator.hpp"
#include "gateway/collector/audit.hpp"
#include "gateway/collector/authority.hpp"
#include "gateway/collector/embedded.hpp"
#include "gateway/collector/ingest/accept.hpp"
#include "gateway/collector/ingest/run_watch.hpp"
#include "gateway/collector/limits.hpp"
#include "gateway/collector/notifier.hpp"
#include "gateway/collector/seeds.hpp"
#include "gateway/collector/store/notice_box.hpp"
#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/hash_key.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::collector {
namespace {

constexpr std::chrono::milliseconds kDrain{500};  // open streams never end by themselves
constexpr int kKeepAliveMilliseconds = 30'000;
constexpr int kMinPingMilliseconds = 5'000;

std::string store_path(const Config& config) { return config.state_folder + "/store.db"; }

Result<store::Database> open_store(const Config& config) {
  AISPM_CHECK(make_directories(config.state_folder, 0700));
  AISPM_TRY(store::Database database, store::Database::open(store_path(config)));
  AISPM_CHECK(database.migrate());
  return database;
}

// One collector for one state folder: two writers would each believe their own picture of it.
Result<UniqueFd> lock_state(const Config& config) {
  const std::string path = config.state_folder + "/lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno("open " + path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::kUnavailable, "another aispm-collector uses " + config.state_folder);
  return file;
}

std::shared_ptr<grpc::ServerCredentials> make_credentials(const Authority& authority) {
  // A certificate is asked for and, if given, must be ours. Calls that need one check that it was
  // given; enrolment and operators come without.
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = authority.ca_pem();
  // The chain includes the CA itself: who enrols has only its fingerprint, and checks what is shown
  // against it.
  options.pem_key_cert_pairs.push_back(
      {std::string(authority.server_key().expose()), authority.server_pem() + authority.ca_pem()});
  return grpc::SslServerCredentials(options);
}

struct GrpcServer {
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> server;
  int port = 0;

  ~GrpcServer() {
    if (server) server->Shutdown(std::chrono::system_clock::now() + kDrain);
  }
};

Result<std::unique_ptr<GrpcServer>> start_grpc(
    const Config& config, const Authority& authority,
    std::vector<std::unique_ptr<grpc::Service>> services) {
  auto grpc_server = std::make_unique<GrpcServer>();
  grpc_server->services = std::move(services);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(config.grpc_address, make_credentials(authority), &grpc_server->port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMaxMessageBytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port must be an error
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingMilliseconds);
  for (const auto& service : grpc_server->services) builder.RegisterService(service.get());
  grpc_server->server = builder.BuildAndStart();
  if (!grpc_server->server || grpc_server->port == 0)
    return fail(Errc::kUnavailable,
                "cannot listen on " + config.grpc_address + " for gRPC: is the port taken?");
  return grpc_server;
}

Result<std::unique_ptr<net::HttpServer>> start_http(const Config& config, api::HttpFront& front) {
  net::HttpServerOptions options;
  options.address = config.http_address;
  options.port = config.http_port;
  options.max_body_bytes = limits::kMaxPushBytes;
  options.body_limit = api::body_limit;
  return net::HttpServer::start(
      options, [&front](const net::HttpRequest& request, std::shared_ptr<net::HttpReply> reply) {
        front.handle(request, std::move(reply));
      });
}

// Tells people that they are asked, without what they are asked about: the arguments stay here.
std::string notice_of(const aispm::v1::Approval& approval, const std::string& link) {
  boost::json::object notice;
  notice["event"] = "approval_required";
  notice["approval_id"] = approval.id();
  notice["kind"] = approval.kind() == aispm::v1::APPROVAL_KIND_HUMAN ? "human" : "approval";
  notice["tool"] = approval.tool();
  notice["agent_id"] = approval.agent_id();
  notice["requester"] = approval.requester();
  notice["reason"] = approval.reason();
  notice["rule_id"] = approval.rule_id();
  notice["approver_role"] = approval.approver_role();
  notice["risk"] = approval.risk();
  notice["expires"] = approval.expires().seconds();
  if (!link.empty()) notice["link"] = link + "/approvals/" + approval.id();
  return boost::json::serialize(notice);
}

// What is wrong with telling one of them; empty: the last one was taken.
std::string trouble_of(const std::string& name, const Notifier& notifier) {
  const Notifier::Counts counts = notifier.counts();
  if (counts.problem.empty()) return {};
  return name + ": " + counts.problem + " (sent " + std::to_string(counts.sent) + ", waiting " +
         std::to_string(counts.waiting) + ", given up " + std::to_string(counts.given_up) + ")";
}

using Notifiers = std::vector<std::unique_ptr<Notifier>>;

// One for each receiver, so that nobody waits for another. The list must outlive `approvals`.
Result<> start_notifiers(const Config& config, store::Database& database, Approvals& approvals,
                         Notifiers& notifiers) {
  std::vector<std::string> names;
  for (const NotifyConfig& one : config.receivers) names.push_back(one.name);
  AISPM_CHECK(store::NoticeBox::forget_others(database, names));
  for (const NotifyConfig& one : config.receivers) {
    AISPM_TRY(auto notifier,
              Notifier::start(one, store_path(config),
                              [link = one.link](const aispm::v1::Approval& approval) {
                                return notice_of(approval, link);
                              }));
    notifiers.push_back(std::move(notifier));
  }
  if (notifiers.empty()) return {};
  approvals.on_asked = [&notifiers] {
    for (const auto& notifier : notifiers) notifier->wake();
  };
  approvals.problem = [&notifiers, names = std::move(names)] {
    std::string all;
    for (std::size_t i = 0; i < notifiers.size(); ++i)
      if (const std::string one = trouble_of(names[i], *notifiers[i]); !one.empty())
        all += (all.empty() ? "" : "; ") + one;
    return all;
  };
  return {};
}

void wait_for_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int caught = 0;
  sigwait(&signals, &caught);
  log::info("collector.stopping", {{"signal", caught}});
}

}  // namespace

Result<> run_collector(const Config& config, const std::string& version) {
  AISPM_CHECK(make_directories(config.state_folder, 0700));
  AISPM_TRY(const UniqueFd lock, lock_state(config));
  AISPM_TRY(store::Database database, open_store(config));
  AISPM_CHECK(seed_policies(database, wall_now()));
  AISPM_TRY(const Authority authority,
            Authority::open(config.state_folder, config.names, wall_now()));
  AISPM_TRY(api::Assets assets, api::Assets::load(config.dashboard_folder));
  AISPM_TRY(std::string openapi, api::make_openapi(embedded_descriptors().at(0).content, version));

  // In the order of dependence; destruction in reverse: no request comes in before its workers end.
  Feed feed;
  Links links;
  KeyChanges key_changes;
  OrderChanges order_changes;
  Control control;
  control.policy_keys = config.policy_keys;
  for (const std::string& pem : config.policy_keys) {
    AISPM_TRY(std::string id, ed25519::key_id(pem));
    control.policy_key_ids.push_back(std::move(id));
  }
  control.policies_must_be_signed = config.policies_must_be_signed;
  control.registry_key = config.registry_key;
  control.tenant = config.tenant;
  Approvals approvals;
  AISPM_TRY(approvals.link_key, load_hash_key(config.state_folder));
  Notifiers notifiers;
  AISPM_CHECK(start_notifiers(config, database, approvals, notifiers));
  AISPM_TRY(auto event_writer, store::EventWriter::open(std::move(database)));
  const auto writer = Writer::start(std::move(event_writer), feed, config.retention, wall_now);
  AISPM_TRY(const auto workers,
            Workers::start(store_path(config), config.tenant, limits::kWorkers));
  // Two: one tells hosts of a freeze while the other stores it.
  AISPM_TRY(const auto urgent, Workers::start(store_path(config), config.tenant, 2));
  AISPM_TRY(const auto run_watch, RunWatch::open(feed, *urgent, order_changes, wall_now));
  const auto audit = Audit::start(*writer, *workers, links, config.tenant, version);
  control.audit = audit->waker();
  AISPM_TRY(const auto redteam_runs, redteam::Runs::open(config.redteam, config.state_folder));
  approvals.wake_audit = control.audit;
  AISPM_TRY(const auto handlers,
            api::Operator::make({*writer, feed, links, key_changes, order_changes, approvals,
                                 wall_now, authority.ca_fingerprint(), version, config.stale_days,
                                 control, redteam_runs.get()}));
  api::HttpFront front(*handlers, *workers, *urgent, approvals, std::move(assets),
                       std::move(openapi));

  const IngestSurroundings ingest{*writer,       *workers,  links,     key_changes,
                                  order_changes, approvals, authority, wall_now,
                                  config.tenant, control,   *urgent};
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(make_ingest_service(ingest));
  services.push_back(make_enrolment_service(ingest));
  services.push_back(api::make_operator_service(*handlers, *workers, *urgent));
  AISPM_TRY(const auto grpc_server, start_grpc(config, authority, std::move(services)));
  AISPM_TRY(const auto http_server, start_http(config, front));
  log::info("collector.ready", {{"version", version},
                                {"grpc_port", grpc_server->port},
                                {"http_port", http_server->port()},
                                {"state_folder", config.state_folder}});
  wait_for_signal();
  return {};
}

Result<std::string> bootstrap(const Config& config) {
  AISPM_TRY(store::Database database, open_store(config));
  AISPM_TRY(const Authority authority,
            Authority::open(config.state_folder, config.names, wall_now()));
  store::Registry registry(database);
  boost::json::object made;
  AISPM_TRY(const bool has_tokens, registry.has_tokens());
  if (!has_tokens) {
    AISPM_TRY(const Secret token, registry.create_token(Role::kAdmin, "bootstrap", wall_now()));
    made["admin_token"] = std::string(token.expose());
  }
  AISPM_TRY(const auto enrolment,
            registry.create_enrolment_token(0, authority.ca_fingerprint(), wall_now()));
  made["enrolment_token"] = enrolment.token();
  made["ca_file"] = authority.ca_file();
  return boost::json::serialize(made);
}

Result<std::string> create_token(const Config& config, Role role, const std::string& note,
                                 const std::vector<std::string>& approves) {
  AISPM_TRY(store::Database database, open_store(config));
  store::Registry registry(database);
  AISPM_TRY(const Secret token, registry.create_token(role, note, wall_now(), approves));
  return std::string(token.expose());
}

}  // namespace aispm::collector
