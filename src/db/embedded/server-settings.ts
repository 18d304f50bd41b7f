import type { PostgresBinaries } from './binaries.ts';
import { DATABASE_PORT, type SocketFolder } from './socket-folder.ts';

export type ServerSettings = Readonly<Record<string, string | number>>;

// A development machine: room for a million rows, few sessions, plans that assume an SSD.
const DEVELOPMENT: ServerSettings = {
  shared_buffers: '256MB',
  max_connections: 100,
  random_page_cost: 1.1,
  work_mem: '16MB',
  maintenance_work_mem: '256MB',
  max_wal_size: '4GB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
};

const THROW_AWAY: ServerSettings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum_naptime: '1h',
};

/** The command-line arguments of the server; `settings` wins over the defaults. */
export function serverArguments(options: {
  readonly cluster: string;
  readonly socket: SocketFolder;
  readonly binaries: PostgresBinaries;
  readonly ephemeral: boolean;
  readonly settings: ServerSettings;
}): string[] {
  const preload: ServerSettings = options.binaries.hasModule('pg_stat_statements')
    ? { shared_preload_libraries: 'pg_stat_statements' }
    : {};
  const merged = {
    ...DEVELOPMENT,
    ...preload,
    ...(options.ephemeral ? THROW_AWAY : {}),
    ...options.settings,
    listen_addresses: '',
    port: DATABASE_PORT,
    unix_socket_directories: options.socket.setting,
    // Logs come to the guardian, which bounds them.
    logging_collector: 'off',
    log_destination: 'stderr',
  };
  return ['-D', options.cluster, ...Object.entries(merged).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}
