/** The versions that an inference server has for this process: those of local manifests, and those it brings a manifest for. */
import { type LoadedVersion, type VersionFailure, versionKey } from '../engine.ts';
import { type Manifest, parseManifest } from '../manifest.ts';
import type { ScannedManifests } from '../repository.ts';
import { type InferenceClient, modelPath, RemoteError } from './client.ts';
import {
  binaryExtension,
  findDisagreement,
  type IndexEntry,
  type ModelMetadata,
  ourName,
  textParameter,
} from './metadata.ts';

/** A version there, and how it is asked. */
export interface RemoteVersion {
  readonly loaded: LoadedVersion;
  /** Of the model, such as "/v2/models/sentiment/versions/1". */
  readonly path: string;
}

interface Wanted {
  readonly name: string;
  readonly version: string;
  /** null: the server has to bring it. */
  readonly manifest: Manifest | null;
  readonly entry: IndexEntry | undefined;
}

const byVersion = new Intl.Collator('en', { numeric: true }).compare;

export class Catalogue {
  readonly #client: InferenceClient;
  readonly #local: ScannedManifests;
  #versions: ReadonlyMap<string, RemoteVersion> = new Map();
  #failures: readonly VersionFailure[];
  #isBinary = false;

  constructor(client: InferenceClient, local: ScannedManifests) {
    this.#client = client;
    this.#local = local;
    const unseen = local.versions.map(({ manifest: { name, version, task } }) => ({
      name,
      version,
      task,
      error: notSeen,
    }));
    this.#failures = [...local.failures, ...unseen];
  }

  /** Whether tensors may travel in binary. */
  get isBinary(): boolean {
    return this.#isBinary;
  }

  /** Whether there is a local manifest of this key, served or not. */
  isLocal(key: string): boolean {
    return this.#local.versions.some(({ manifest }) => versionKey(manifest) === key);
  }

  get(key: string): RemoteVersion | undefined {
    return this.#versions.get(key);
  }

  /** Ordered by name and version. A version that did not change stays the same object. */
  versions(): readonly LoadedVersion[] {
    return [...this.#versions.values()].map(({ loaded }) => loaded);
  }

  failures(): readonly VersionFailure[] {
    return this.#failures;
  }

  /** Asks the server for everything anew. Rejects with a RemoteError, and then changes nothing. */
  async refresh(signal: AbortSignal): Promise<void> {
    const [server, index] = await Promise.all([this.#client.server(signal), this.#client.index(signal)]);
    const wanted = this.#local.versions.map(({ manifest }) => {
      const { name, version } = manifest;
      return { name, version, manifest, entry: index?.find((entry) => isSame(entry, manifest)) };
    });
    // Only ours brings manifests, so others need not be asked for theirs.
    const others = server.name === ourName ? offersOf(index ?? [], wanted) : [];
    const found = await Promise.all([...wanted, ...others].map((version) => this.#inspect(version, signal)));
    const versions = found.filter((result) => 'loaded' in result);
    const failures = found.filter((result) => 'error' in result);
    const isServed = ({ name, version }: VersionFailure) =>
      versions.some(({ loaded }) => isSame(loaded, { name, version }));
    versions.sort(({ loaded: a }, { loaded: b }) => byVersion(a.name, b.name) || byVersion(a.version, b.version));
    this.#versions = new Map(versions.map((version) => [versionKey(version.loaded), this.#keepEqual(version)]));
    this.#failures = [...this.#local.failures, ...failures].filter((failure) => !isServed(failure));
    this.#isBinary = server.extensions.includes(binaryExtension);
  }

  async #inspect(wanted: Wanted, signal: AbortSignal): Promise<RemoteVersion | VersionFailure> {
    const { name, version, entry } = wanted;
    const task = wanted.manifest?.task ?? null;
    const failure = (error: string): VersionFailure => ({ name, version, task, error: `${name}/${version}: ${error}` });
    if (entry !== undefined && typeof entry.state === 'string' && entry.state !== 'READY') {
      const reason = (entry.reason ?? '').split('\n', 1)[0]!.slice(0, 300);
      return reason === '' ? failure('not ready on the inference server') : { name, version, task, error: reason };
    }
    try {
      const asked = await this.#ask(wanted, signal);
      if (asked === null) return failure('the inference server does not have it');
      if (entry === undefined && !(await this.#client.isReady(asked.path, signal))) {
        return failure('not ready on the inference server');
      }
      return { loaded: load(wanted, asked.metadata), path: asked.path };
    } catch (error) {
      // What is said of one model takes no other with it.
      const isAnswer = !(error instanceof RemoteError) || error.status > 0;
      if (!isAnswer || signal.aborted) throw error;
      return failure((error as Error).message.split('\n', 1)[0]!.slice(0, 300));
    }
  }

  // KServe's Python servers know no versions: such a model stands for the only version that this process has of it.
  async #ask({ name, version, manifest }: Wanted, signal: AbortSignal) {
    const path = modelPath(name, version);
    const metadata = await this.#client.model(path, signal);
    if (metadata !== null) return { path, metadata };
    const isOnly = this.#local.versions.filter((local) => local.manifest.name === name).length === 1;
    if (manifest === null || !isOnly) return null;
    const unversioned = await this.#client.model(modelPath(name), signal);
    const names = unversioned?.versions ?? [];
    if (unversioned === null || (names.length > 0 && !names.includes(version))) return null;
    return { path: modelPath(name), metadata: unversioned };
  }

  #keepEqual(version: RemoteVersion): RemoteVersion {
    const known = this.#versions.get(versionKey(version.loaded));
    return known !== undefined && JSON.stringify(known) === JSON.stringify(version) ? known : version;
  }
}

const notSeen = 'the inference server has not answered yet';

function offersOf(index: readonly IndexEntry[], wanted: readonly Wanted[]): Wanted[] {
  return index.flatMap((entry) => {
    const { name, version } = entry;
    const isKnown = version === undefined || version === null || wanted.some((known) => isSame(entry, known));
    return isKnown ? [] : [{ name, version, manifest: null, entry }];
  });
}

// Throws an Error of one line when the server's model is not the one that this process expects.
function load({ name, version, manifest }: Wanted, metadata: ModelMetadata): LoadedVersion {
  const theirs = readTheirManifest(metadata, manifest !== null);
  const used = manifest ?? theirs;
  if (used === null) throw new Error('the inference server brings no manifest of it');
  if (!isSame(used, { name, version })) throw new Error(`the inference server calls it ${versionKey(used)}`);
  if (theirs !== null && theirs.sha256 !== used.sha256) {
    throw new Error(`expected the model of sha256 ${used.sha256}, the inference server has ${theirs.sha256}`);
  }
  const disagreement = findDisagreement(used, metadata);
  if (disagreement !== null) throw new Error(`on the inference server: ${disagreement}`);
  const { task, precision } = used;
  const executionProvider = (textParameter(metadata, 'execution_provider') ?? 'remote').slice(0, 40);
  return { name, version, task, precision, manifest: used, executionProvider };
}

// One that this program cannot read may be of a newer one, and is not needed beside a manifest of our own.
function readTheirManifest(metadata: ModelMetadata, isOptional: boolean): Manifest | null {
  const text = textParameter(metadata, 'tributary_manifest');
  if (text === undefined) return null;
  try {
    return parseManifest(text, 'the manifest of the inference server');
  } catch (error) {
    if (isOptional) return null;
    throw error;
  }
}

function isSame(
  a: { name: string; version?: string | null | undefined },
  b: { name: string; version: string },
): boolean {
  return a.name === b.name && a.version === b.version;
}
