/** A request or response that is not as the protocol wants it. The message may be shown to whoever sent it. */
export class ProtocolError extends Error {
  /** HTTP status of the answer to such a request. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(message: string, status = 400, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'ProtocolError';
    this.status = status;
    this.headers = headers;
  }
}

/** A value of a document in a message: short, whatever it is. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length <= 40 ? value : `${value.slice(0, 37)}...`);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 40);
}
