import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';

/** What limits and logs call a client whose connection has no address any more. */
export const unknownAddress = 'unknown';

/**
 * Whom a request counts for: the peer of its socket or, behind proxies, the entry that the outermost trusted proxy wrote
 * into X-Forwarded-For. Entries further left are the client's own words. Falls back to the socket where the header has
 * fewer entries than there are proxies, or something that is no address.
 * @param trustedProxies how many proxies in front write the header
 * @returns an IPv4 address, or the /64 of an IPv6 one: that is what one household or server gets
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | null,
  trustedProxies: number,
): string {
  const forwarded = trustedProxies > 0 && forwardedFor !== null ? entryFromRight(forwardedFor, trustedProxies) : null;
  return networkOf(forwarded ?? '') ?? networkOf(socketAddress ?? '') ?? unknownAddress;
}

/** Of clients that no proxy speaks for: a connection has one for its life. */
const addresses = new WeakMap<Socket, string>();

/** clientAddress of a request of node:http. */
export function addressOf({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  if (trustedProxies > 0) {
    return clientAddress(socket.remoteAddress, String(headers['x-forwarded-for'] ?? ''), trustedProxies);
  }
  let address = addresses.get(socket);
  if (address === undefined) {
    address = clientAddress(socket.remoteAddress, null, 0);
    addresses.set(socket, address);
  }
  return address;
}

/** The n-th entry from the right, 1 is the last; null when there are fewer. The rest of the header is not read. */
function entryFromRight(header: string, n: number): string | null {
  let end = header.length;
  for (let skipped = 1; skipped < n; skipped++) {
    end = header.lastIndexOf(',', end - 1);
    if (end <= 0) return null;
  }
  return header.slice(header.lastIndexOf(',', end - 1) + 1, end).trim();
}

/** 15 characters of IPv4, or 45 of IPv6 with brackets, zone and port. */
const maxAddressLength = 100;

/** null: not an address. */
function networkOf(text: string): string | null {
  if (text.length > maxAddressLength) return null;
  const address = withoutPort(text);
  const family = isIP(address);
  if (family === 4) return address;
  return family === 6 ? networkOfIpv6(address) : null;
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text);
  if (bracketed) return bracketed[1]!;
  const colon = text.indexOf(':');
  const isIpv4WithPort = colon > 0 && colon === text.lastIndexOf(':') && /^\d{1,5}$/.test(text.slice(colon + 1));
  return isIpv4WithPort ? text.slice(0, colon) : text;
}

/** The /64, such as `2001:db8:0:1::/64`; an IPv4 address that is written as IPv6 becomes one again. */
function networkOfIpv6(address: string): string {
  const groups = groupsOf(address.split('%', 1)[0]!);
  const isIpv4Mapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isIpv4Mapped) return ipv4Of(groups[6]!, groups[7]!);
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = address.split('::', 2);
  const left = parseGroups(head);
  if (tail === undefined) return left;
  const right = parseGroups(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16);
    const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number];
    return [a * 256 + b, c * 256 + d];
  });
}

function ipv4Of(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
