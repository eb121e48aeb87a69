// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/admin_request.hpp"

#include <optional>

#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/tenant_config.hpp"

namespace aispm::gateway {

using codec::http1::BodyKind;
using codec::http1::Head;

Result<bool> AdminRequestReader::add(std::string_view bytes) {
  if (has_head_) {
    request_.body.append(bytes);
  } else {
    head_.append(bytes);
    AISPM_TRY(has_head_, read_head());
    if (!has_head_) return false;
  }
  if (request_.body.size() < body_bytes_) return false;
  request_.body.resize(body_bytes_);
  return true;
}

Result<bool> AdminRequestReader::read_head() {
  AISPM_TRY(const std::optional<Head> head, parser_.parse(head_));
  if (!head) {
    if (head_.size() > kMaxHeadBytes) return fail(Errc::kTooLarge, "the head is too long");
    return false;
  }
  if (const std::string_view name = find_doubled_identity(*head); !name.empty())
    return fail(Errc::kInvalid, std::string(name) + " is given twice");
  request_.method = head->method;
  request_.target = head->target;
  request_.token = presented_key(*head);
  if (head->body == BodyKind::kNone) return true;
  if (head->body != BodyKind::kLength) return fail(Errc::kInvalid, "send a Content-Length");
  if (head->content_length > TenantConfig::kMaxRulesBytes)
    return fail(Errc::kTooLarge, "a tenant's rules may have 256 KiB");
  body_bytes_ = static_cast<std::size_t>(head->content_length);
  request_.body = head_.substr(head->size_bytes);
  std::string().swap(head_);
  return true;
}

}  // namespace aispm::gateway
