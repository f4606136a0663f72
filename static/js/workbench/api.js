// Requests of the workbench: JSON in, JSON out, and one kind of error.
import { meta } from "../requests.js";

/** An answer that is not 2xx, or none at all (status 0). `body` is the problem as the server told it. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.detail ?? "The server did not answer. Your text is kept here; try again.");
    this.status = status;
    this.body = body ?? {};
  }
}

export class Api {
  /** @param {Record<string, string>} urls addresses by name, as the page gives them */
  constructor(urls) {
    this.urls = urls;
  }

  /** The address called `name`; "{id}" in it stands for `parts.id`. */
  url(name, parts = {}, query = {}) {
    const path = this.urls[name].replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(parts[key]));
    const asked = new URLSearchParams(query).toString();
    return asked ? `${path}?${asked}` : path;
  }

  get(name, { parts, query, signal } = {}) {
    return this.#send("GET", this.url(name, parts, query), undefined, signal);
  }

  post(name, body, { parts, signal, keepalive } = {}) {
    return this.#send("POST", this.url(name, parts), body, signal, keepalive);
  }

  put(name, body, { parts, signal, keepalive } = {}) {
    return this.#send("PUT", this.url(name, parts), body, signal, keepalive);
  }

  delete(name, { parts, body } = {}) {
    return this.#send("DELETE", this.url(name, parts), body);
  }

  async #send(method, url, body, signal, keepalive = false) {
    const headers = { Accept: "application/json", "X-CSRFToken": meta("csrf-token") };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(url, {
        method,
        headers,
        signal,
        keepalive,
        credentials: "same-origin",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, null);
    }
    const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
    const answer = isJson ? await response.json() : null;
    if (!response.ok)
      throw new ApiError(response.status, answer ?? { detail: `The server answered ${response.status}.` });
    return answer;
  }
}
