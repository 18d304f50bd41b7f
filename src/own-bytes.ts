/**
 * A copy in memory of its own, for bytes that are kept. What Buffer.from, Buffer.concat and zlib's functions answer is part
 * of a block of 64 KiB (Node 26), and keeps all of it: a cache of 64 MiB took 400.
 */
export function ownBytes(source: string | Uint8Array): Buffer<ArrayBuffer> {
  if (typeof source !== 'string') {
    const copy = Buffer.allocUnsafeSlow(source.length);
    copy.set(source);
    return copy;
  }
  const copy = Buffer.allocUnsafeSlow(Buffer.byteLength(source));
  copy.write(source);
  return copy;
}
