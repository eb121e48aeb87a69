// SPDX-License-Identifier: Apache-2.0
// The operator's token lives in this tab's sessionStorage and nowhere else.

const STORAGE_KEY = "aispm.token";
const MAX_TOKEN_CHARS = 512;
const FRAGMENT = "#token=";

export type SignOutReason = "signed-out" | "refused";

export interface TokenState {
  readonly token: string | null;
  // Why there is no token; null before the first login.
  readonly reason: SignOutReason | null;
}

type Listener = () => void;

// A header value must be visible ASCII, or fetch itself would throw.
export function cleanToken(text: string): string | null {
  const token = text.trim();
  return token.length > 0 && token.length <= MAX_TOKEN_CHARS && /^[\x21-\x7e]+$/.test(token) ? token : null;
}

// The token that a printed link carries ("#token=..."), or null for any other fragment.
export function tokenFromFragment(fragment: string): string | null {
  if (!fragment.startsWith(FRAGMENT)) return null;
  try {
    return cleanToken(decodeURIComponent(fragment.slice(FRAGMENT.length)));
  } catch {
    return null;
  }
}

export class TokenStore {
  #state: TokenState;
  readonly #listeners = new Set<Listener>();

  constructor(private readonly storage: Storage) {
    this.#state = { token: cleanToken(storage.getItem(STORAGE_KEY) ?? ""), reason: null };
  }

  // Takes the token out of the address at once, so that it stays neither visible nor in the history.
  acceptFragment(location: Location, history: History): void {
    if (!location.hash.startsWith(FRAGMENT)) return;
    const token = tokenFromFragment(location.hash);
    history.replaceState(null, "", `${location.pathname}${location.search}#/`);
    if (token) this.signIn(token);
  }

  signIn(token: string): void {
    this.storage.setItem(STORAGE_KEY, token);
    this.#set({ token, reason: null });
  }

  signOut(reason: SignOutReason): void {
    this.storage.removeItem(STORAGE_KEY);
    this.#set({ token: null, reason });
  }

  readonly snapshot = (): TokenState => this.#state;

  readonly subscribe = (listener: Listener): Listener => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #set(state: TokenState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
