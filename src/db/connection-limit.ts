import postgres from 'postgres';
import type { ConnectionTarget } from './database.ts';

/** How many connections the server grants in all to users without privileges. */
export async function readConnectionLimit(connection: ConnectionTarget): Promise<number> {
  const options = { max: 1, fetch_types: false, onnotice: () => {} };
  const client =
    typeof connection === 'string' ? postgres(connection, options) : postgres({ ...connection, ...options });
  try {
    const [row] = await client<{ limit: number }[]>`
      select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as limit`;
    return row!.limit;
  } finally {
    await client.end({ timeout: 5 });
  }
}
