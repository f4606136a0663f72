// One request of JSON and what became of it; nothing here throws.
import { meta } from "../requests.js";

const PATIENCE_MS = 20_000;

/**
 * @returns {Promise<{status: number, body: object, retryAfter: number}>} status 0 where no answer came, and
 * `retryAfter` in seconds, 0 where the server does not say
 */
export async function exchange(method, url, body, { keepalive = false } = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": meta("csrf-token") };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(url, {
      method,
      headers,
      keepalive,
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE_MS),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
    return {
      status: response.status,
      body: isJson ? await response.json() : {},
      retryAfter: Number(response.headers.get("Retry-After")) || 0,
    };
  } catch {
    return { status: 0, body: {}, retryAfter: 0 };
  }
}

/** Why something could not be done now, though it may be later; "" where waiting does not help. */
export function laterWhy(status) {
  if (status === 0) return "offline";
  if (status === 401) return "signed_out";
  if (status === 429 || status >= 500) return "busy";
  return "";
}

/** The addresses that the page gives by name, with {id} for an annotation. */
export class Addresses {
  constructor(urls) {
    this.urls = urls;
  }

  of(name, id = "") {
    return this.urls[name].replace("{id}", encodeURIComponent(id));
  }
}

/**
 * Whose session this browser has now; a new sign-in has a new token, which is taken over.
 * @returns {Promise<"same"|"somebody_else"|"signed_out"|"offline"|"busy">}
 */
export async function whoIsHere(addresses, user) {
  const { status, body } = await exchange("GET", addresses.of("who"));
  const later = laterWhy(status);
  if (later) return later;
  // Who is no member here, or may not label, is somebody else.
  if (status !== 200 || body.user !== user) return "somebody_else";
  document.querySelector('meta[name="csrf-token"]').content = body.csrf;
  return "same";
}
