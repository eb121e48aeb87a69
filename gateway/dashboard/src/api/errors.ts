// SPDX-License-Identifier: Apache-2.0

// What the caller can do about a failed call.
//   refused      the token is missing, wrong or revoked: log in again
//   forbidden    the token's role is too low
//   missing      there is no such thing
//   invalid      the request was wrong: the message says how
//   unreachable  no answer came: try again
//   failed       the collector answered with an error of its own
//   malformed    the answer does not fit the API: dashboard and collector differ in version
export type ApiErrorKind = "refused" | "forbidden" | "missing" | "invalid" | "unreachable" | "failed" | "malformed";

export class ApiError extends Error {
  constructor(
    readonly kind: ApiErrorKind,
    message: string,
    readonly status = 0,
  ) {
    super(message);
    this.name = "ApiError";
  }

  // Whether the same call may succeed without anybody changing anything.
  get isTransient(): boolean {
    return this.kind === "unreachable" || (this.kind === "failed" && this.status >= 500);
  }
}

const MAX_MESSAGE_CHARS = 300;

function kindOfStatus(status: number): ApiErrorKind {
  if (status === 401) return "refused";
  if (status === 403) return "forbidden";
  if (status === 404) return "missing";
  if (status >= 400 && status < 500) return "invalid";
  return "failed";
}

// Takes the collector's own words out of its JSON error body, whichever of the usual places they stand in.
function messageOf(body: string): string | null {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== "object" || parsed === null) return null;
    const { message, error } = parsed as { message?: unknown; error?: unknown };
    if (typeof message === "string") return message;
    if (typeof error === "string") return error;
    if (typeof error === "object" && error !== null && "message" in error && typeof error.message === "string") {
      return error.message;
    }
  } catch {
    // Not JSON: the status line has to do.
  }
  return null;
}

export function errorFromReply(status: number, body: string): ApiError {
  const message = messageOf(body)?.slice(0, MAX_MESSAGE_CHARS) || `The collector answered with HTTP ${status}.`;
  return new ApiError(kindOfStatus(status), message, status);
}

export function unreachable(): ApiError {
  return new ApiError("unreachable", "The collector did not answer. It may be stopped or restarting.");
}
