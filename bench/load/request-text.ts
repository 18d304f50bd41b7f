import type { MixRequest } from '../cached-mix/mix.ts';

/** A request as it is sent; what it holds is ASCII. */
export function requestText({ method, path, body, token }: Omit<MixRequest, 'kind'>): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\naccept: application/json\r\n`;
  if (method === 'GET') return `${head}\r\n`;
  return `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
