import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Plugin } from 'graphql-yoga';

const constantHeaders = [
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['x-frame-options', 'DENY'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-resource-policy', 'same-origin'],
] as const;
/** Where an answer says nothing else. */
export const defaultCacheControl = ['cache-control', 'no-store'] as const;

const plain: readonly string[] = constantHeaders.flat();
const strict: readonly string[] = [...plain, 'strict-transport-security', 'max-age=31536000; includeSubDomains'];

/** The same for what is written to a socket by hand. */
export const securityHeaderLines = [...constantHeaders, defaultCacheControl]
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/**
 * Headers for every answer, names and values in turn, beside the default of Cache-Control; what writes an answer may
 * replace one. HSTS only where a trusted proxy says that it spoke HTTPS.
 */
export function createSecurityHeaders(trustedProxies: number): (request: IncomingMessage) => readonly string[] {
  if (trustedProxies === 0) return () => plain;
  return (request) => (isHttps(request.headers['x-forwarded-proto'], trustedProxies) ? strict : plain);
}

/** Proxies that append leave what the client wrote on the left: only the last ones, one for each proxy, count. */
function isHttps(forwarded: string | string[] | undefined, trustedProxies: number): boolean {
  const protocols = String(forwarded ?? '').split(',');
  return protocols.at(-Math.min(trustedProxies, protocols.length))?.trim().toLowerCase() === 'https';
}

/** The page of GraphiQL runs the scripts that are in it, each by its hash, and talks to its own origin only. */
export function usePagePolicy(): Plugin {
  return {
    async onResponse({ response, fetchAPI, setResponse }) {
      if (!response.headers.get('content-type')?.startsWith('text/html')) return;
      const html = await response.text();
      response.headers.set('content-security-policy', pagePolicy(html));
      setResponse(new fetchAPI.Response(html, { status: response.status, headers: response.headers }));
    },
  };
}

function pagePolicy(html: string): string {
  const scripts = [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)].map(([, text]) => text!);
  const hashes = scripts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
  return [
    "default-src 'none'",
    `script-src ${hashes.join(' ')}`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    'font-src data:',
    'worker-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
