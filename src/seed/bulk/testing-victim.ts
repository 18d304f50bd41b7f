/** A process for tests to kill: seeds 1,013 features into the database of its argument and prints each step it begins. */
import { createPool, type PoolOptions } from '../../db/pool.ts';
import { scanModelRepository } from '../../inference/repository.ts';
import { createWorkerEngine } from '../../inference/worker-engine.ts';
import { parseScale, type Scale } from './scale.ts';
import { seedScale } from './seed-scale.ts';

const connection = JSON.parse(process.argv[2] ?? '') as PoolOptions['connection'];
const begin = (step: string) => process.stdout.write(`${step}\n`);
await seedScale({
  database: createPool({ connection, size: 1 }),
  inference: await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 }),
  now: new Date(),
  scale: parseScale('1013', '12') as Scale,
  progress: { begin, advance: () => {}, end: () => {}, note: () => {} },
});
