import type { Plugin } from 'graphql-yoga';

/** Bodies are JSON: the other forms Yoga reads can be sent by any web page without asking first (CSRF). */
export function useJsonOnly(): Plugin {
  return {
    onRequestParse({ request, endResponse, fetchAPI }) {
      if (request.method !== 'POST') return;
      const contentType = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
      if (contentType === 'application/json') return;
      const message = `expected content-type application/json, got ${contentType ?? 'none'}`;
      const body = JSON.stringify({
        errors: [{ message, extensions: { code: 'BAD_USER_INPUT', issues: [{ path: '', message }] } }],
      });
      endResponse(
        new fetchAPI.Response(body, {
          status: 415,
          headers: { 'content-type': 'application/json', 'accept-post': 'application/json' },
        }),
      );
    },
  };
}
