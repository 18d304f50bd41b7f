import postgres, { type Sql } from 'postgres';

/**
 * postgres.js as it comes, but for its pool: that (3.4.9) keeps every place ever taken in a queue of connections until the
 * queue is empty, and looks through all of them whenever a connection changes queues. With more requests under way than
 * connections no queue is ever empty, and a server becomes slower from second to second (one feature: 70 to 140 µs in
 * 15 s). Clients of one connection each, taken in turns as by its pool, do not.
 * @param size connections
 * @returns a client for tagged statements only
 */
export function createPlainClients(url: string, size: number): Sql {
  const clients = Array.from({ length: size }, () => postgres(url, { max: 1 }));
  let last = 0;
  const run: (...args: Parameters<Sql>) => unknown = (...args) => {
    last = (last + 1) % size;
    return clients[last]!(...args);
  };
  return run as Sql;
}
