/** The two kinds of edges that can be told to forget answers. */

/** An edge, or what speaks to one. */
export interface EdgePurger {
  /** For logs and metrics: host and port, without path and secrets. */
  readonly name: string;
  /** Resolves when no answer with one of the tags is kept any more. @throws when that is not known, also by the signal */
  purge(edgeTags: readonly string[], signal: AbortSignal): Promise<void>;
}

const varnishScheme = 'varnish+';

/**
 * The edge behind a URL of CDN_PURGE_URLS: Varnish for `varnish+http://host:port`, otherwise a webhook.
 * @param token sent to it as a bearer token; undefined: none
 */
export function openEdge(url: string, token: string | undefined): EdgePurger {
  return url.startsWith(varnishScheme)
    ? createVarnishPurger(url.slice(varnishScheme.length), token)
    : createWebhookPurger(url, token);
}

/** Varnish with deploy/cdn/varnish.vcl: the request takes effect before it is answered. */
export function createVarnishPurger(url: string, token: string | undefined): EdgePurger {
  return {
    name: new URL(url).host,
    purge: (edgeTags, signal) =>
      send(url, { method: 'PURGE', headers: { ...bearer(token), 'xkey-purge': edgeTags.join(' ') }, signal }),
  };
}

/** Whatever answers 2xx to a POST of `{"tags": [...]}` once they are purged, such as a function that calls a CDN's API. */
export function createWebhookPurger(url: string, token: string | undefined): EdgePurger {
  return {
    name: new URL(url).host,
    purge: (edgeTags, signal) =>
      send(url, {
        method: 'POST',
        headers: { ...bearer(token), 'content-type': 'application/json' },
        body: JSON.stringify({ tags: edgeTags }),
        signal,
      }),
  };
}

async function send(url: string, init: RequestInit): Promise<void> {
  // A redirect would be followed by a GET.
  const response = await fetch(url, { ...init, redirect: 'manual' });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the purge was answered with ${response.status}`);
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
