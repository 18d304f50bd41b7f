/** `npm run token -- --user EMAIL`: a token for a server in development, on stdout and nothing else there. */
import { Command } from 'commander';
import { type Config, readConfig } from '../config.ts';
import { type Scope, scopes, type Viewer } from '../context.ts';
import { createPool } from '../db/pool.ts';
import { joinDatabaseServer } from '../db/server.ts';
import { listMembershipsByEmail, type Membership } from '../domains/accounts/queries.ts';
import { StartupError } from '../errors.ts';
import { explainFailure } from '../explain-failure.ts';
import { demoUserEmail } from './demo-viewer.ts';
import { signDevelopmentToken } from './development-key.ts';

interface Flags {
  user: string;
  organization?: string;
  scope: string;
  hours: string;
}

const maxHours = 8_760;

async function main(flags: Flags): Promise<void> {
  const config = readConfig();
  refuseOutsideDevelopment(config);
  const hours = parseHours(flags.hours);
  const granted = parseScopes(flags.scope);
  const { id, organizationId } = chooseMembership(await findMemberships(config, flags.user), flags);
  const viewer: Viewer = { userId: id, organizationId, scopes: granted };
  process.stdout.write(`${await signDevelopmentToken(config.dataDir, viewer, hours)}\n`);
}

function refuseOutsideDevelopment({ environment, auth }: Config): void {
  if (environment === 'production') {
    throw new StartupError('NODE_ENV is "production": no server in production takes a development token');
  }
  if (auth.mode === 'tokens') {
    throw new StartupError('AUTH_JWKS_URL is set: the server takes the tokens of that issuer, no development tokens');
  }
  if (auth.mode === 'off') {
    throw new StartupError('AUTH is "off": every request acts as the demo user, whatever token it has');
  }
}

function parseHours(text: string): number {
  const hours = Number(text);
  if (Number.isInteger(hours) && hours >= 1 && hours <= maxHours) return hours;
  throw new StartupError(`--hours is ${JSON.stringify(text)}: expected a whole number, 1 to ${maxHours}`);
}

function parseScopes(text: string): Scope[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  const unknown = names.find((name) => !scopes.includes(name as Scope));
  if (unknown === undefined) return scopes.filter((scope) => names.includes(scope));
  throw new StartupError(`--scope has ${JSON.stringify(unknown)}: expected some of ${scopes.join(', ')}`);
}

async function findMemberships(config: Config, email: string): Promise<Membership[]> {
  const server = await joinDatabaseServer({ ...config, purpose: 'npm run token', onLoss: exitWith });
  try {
    const database = createPool({ connection: server.connection, size: 1 });
    try {
      return await listMembershipsByEmail(database, email);
    } finally {
      await database.close();
    }
  } finally {
    await server.stop();
  }
}

/** The active one, of the organization asked for where there are several. */
function chooseMembership(memberships: readonly Membership[], { user, organization }: Flags): Membership {
  if (memberships.length === 0) {
    throw new StartupError(
      `No user has the email ${JSON.stringify(user)}: take one of the database's users. With the demo data, which npm start fills in, there is ${demoUserEmail}`,
    );
  }
  const known = memberships.map(({ organizationId, organizationName }) => `${organizationId} (${organizationName})`);
  const [first, ...others] = memberships.filter(
    ({ organizationId }) => organization === undefined || organizationId === organization.toLowerCase(),
  );
  if (!first) {
    throw new StartupError(
      `--organization is ${JSON.stringify(organization)}: expected one that has ${user}: ${known.join(', ')}`,
    );
  }
  if (others.length > 0) {
    throw new StartupError(`${user} is in several organizations: add --organization with one of ${known.join(', ')}`);
  }
  if (!first.isActive) throw new StartupError(`${user} is not active in ${first.organizationName}: take another user`);
  return first;
}

function exitWith(error: Error): void {
  console.error(error.message);
  process.exit(1);
}

const command = new Command('npm run token --')
  .description('Prints a token for a server in development; send it as Authorization: Bearer TOKEN.')
  .requiredOption('--user <email>', 'the email of the user whom the token is for')
  .option('--organization <id>', 'the UUID of the organization, where the user is in several')
  .option('--scope <scopes>', `what the token is good for, some of ${scopes.join(', ')}`, scopes.join(' '))
  .option('--hours <count>', `how long it is good, 1 to ${maxHours}`, '12');

try {
  await main(command.parse().opts<Flags>());
} catch (error) {
  console.error(explainFailure(error));
  process.exitCode = 1;
}
