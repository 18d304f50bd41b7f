/** The worker thread: loads a session for each version, then runs one batch after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { type VersionFailure, versionKey } from './engine.ts';
import { firstLine } from './execution-providers.ts';
import { closeSession, type ModelSession, openSession, ProviderLost, runSession } from './session.ts';
import {
  buffersOf,
  type MessageFromWorker,
  type MessageToWorker,
  type RunMessage,
  type WorkerSetup,
} from './worker-messages.ts';

const port = parentPort!;
const models = new Map<string, ModelSession>();

async function load(setup: WorkerSetup): Promise<void> {
  const failures: VersionFailure[] = [];
  for (const files of setup.files) {
    const { name, version, task } = files.manifest;
    try {
      models.set(versionKey(files.manifest), await openSession(files, setup));
    } catch (error) {
      failures.push({ name, version, task, error: `${name}/${version}/${firstLine(error)}` });
    }
  }
  const loaded = new Map([...models].map(([key, model]) => [key, model.executionProvider]));
  const skippedProviders = [...new Set([...models.values()].flatMap((model) => model.skippedProviders))];
  post({ type: 'ready', loaded, failures, skippedProviders });
}

async function run(message: RunMessage): Promise<void> {
  try {
    const model = models.get(message.key);
    if (model === undefined) throw new Error(`${message.key} is not loaded in this worker`);
    const startedAt = performance.now();
    const outputs = await runSession(model, message.inputs);
    const computeMs = performance.now() - startedAt;
    post({ type: 'done', outputs, computeMs }, buffersOf(outputs));
  } catch (error) {
    // Ends this thread, which is replaced, and its batch run again.
    if (error instanceof ProviderLost) throw error;
    post({ type: 'failed', error: firstLine(error) });
  }
}

function post(message: MessageFromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

async function close(): Promise<void> {
  for (const model of models.values()) await closeSession(model);
  port.close();
}

// One after the other: the sessions must not be released while one is loaded or a batch runs.
let last = load(workerData as WorkerSetup);
port.on('message', (message: MessageToWorker) => {
  last = last.then(() => (message.type === 'run' ? run(message) : close()));
});
