// Runs a TypeScript file, or a tool of node_modules (--bin), with the Node of package-lock.json, after installing what is
// missing. Plain JavaScript without packages, for any Node >= 20: nothing else may be relied on before the installation.
//
//   node src/launch.mjs <file> [arguments]      node src/launch.mjs --bin <tool> [arguments]
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LaunchError, modules } from './launch/install-lock.mjs';
import {
  installPackages,
  lockFile,
  npmNode,
  onStopSignals,
  pathWithoutProject,
  readPackages,
  runnableNode,
} from './launch/install-packages.mjs';

const OLDEST_NODE = 20;

try {
  await launch(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

async function launch(args) {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new LaunchError(
      `Tributary needs Node ${OLDEST_NODE} or newer, and this is ${process.version}: install a newer one.`,
    );
  }
  if (args[0] === undefined || (args[0] === '--bin' && args[1] === undefined)) {
    throw new LaunchError(
      'Usage: node src/launch.mjs <file> [arguments], or node src/launch.mjs --bin <tool> [arguments]',
    );
  }
  const lock = readPackages(lockFile);
  if (lock === null) throw new LaunchError(`Cannot read ${lockFile}: restore it from git.`);
  await installPackages(lock);
  const node = chooseNode(lock);
  handOver(node, args[0] === '--bin' ? [toolPath(args[1]), ...args.slice(2)] : args);
}

function chooseNode(lock) {
  const node = runnableNode(lock);
  if (node !== null) return node;
  throw new LaunchError(
    `Node ${lock['node_modules/node'].version} of the npm package "node" does not run here (${npmNode}): ` +
      `remove node_modules and start again, or start with a Node of that version or newer.`,
  );
}

function toolPath(tool) {
  const link = join(modules, '.bin', tool);
  if (existsSync(link)) return realpathSync(link);
  throw new LaunchError(`No tool "${tool}" in node_modules/.bin: check its name and package.json.`);
}

function handOver(node, args) {
  // Worker threads come and go with the models. glibc gives each thread an arena, of which it returns little: by ten swaps of
  // models a minute RSS grows by 49 MiB a minute, with two arenas by none, at the same number of predictions.
  const env = {
    MALLOC_ARENA_MAX: '2',
    ...process.env,
    PATH: [join(modules, '.bin'), pathWithoutProject()].join(delimiter),
  };
  // The same process goes on as the other program: no signal, exit code or parent to pass on.
  if (process.execve && process.platform !== 'win32') process.execve(node, [node, ...args], env);
  const child = spawn(node, args, { stdio: 'inherit', env });
  const unlisten = onStopSignals((signal) => {
    // Ctrl-C has reached the child already, as a member of the terminal's foreground group.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
  child.once('error', (error) => {
    process.stderr.write(`Cannot run ${node} (${error.code})\n`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => {
    unlisten();
    if (signal) process.kill(process.pid, signal);
    else process.exit(code);
  });
}
