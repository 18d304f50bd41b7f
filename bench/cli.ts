import { Option, program } from 'commander';
import { benchCachedMix } from './cached-mix/cli.ts';
import { benchCdn } from './cdn.ts';
import { benchConsistency } from './consistency.ts';
import { benchDeepPages } from './deep-pages.ts';
import { benchFaults } from './faults/cli.ts';
import { benchHitPath } from './hit-path.ts';
import { benchInference } from './inference/cli.ts';
import { benchProtection } from './protection.ts';
import { benchRowLevelSecurity } from './row-level-security.ts';
import { benchSearch } from './search.ts';
import { benchSemanticCache } from './semantic-cache.ts';
import { benchStatements } from './statements.ts';

program.name('npm run bench --').description('Figures of this server, each as a ratio measured in one run.');
program
  .command('cached-mix')
  .description(
    'requests at a constant rate over trusted documents and viewers, with writes: latency, hits, CPU, memory',
  )
  .option('--rate <n>', 'requests a second', Number, 10_000)
  .option('--seconds <n>', 'of the measurement', Number, 60)
  .option('--warm-up-seconds <n>', 'of a growing load before it', Number, 60)
  .addOption(
    new Option('--redis <which>', 'the server with Redis, without, or one after the other')
      .choices(['on', 'off', 'both'])
      .default('both'),
  )
  .option('--zipf <n>', 'how much more often the popular documents are asked for: the exponent', Number, 1.2)
  .option('--profile <folder>', 'where the server leaves a CPU profile')
  .action(benchCachedMix);
program
  .command('cdn')
  .description(
    'a real Varnish in front: what reaches the server, how soon writes are seen, and the edge frozen and dead',
  )
  .action(benchCdn);
program
  .command('consistency')
  .description(
    'two processes with Redis, written and read at random under faults: no read older than an acknowledged write',
  )
  .option('--minutes <n>', 'how long', Number, 2)
  .action(benchConsistency);
program
  .command('deep-pages')
  .description('page 1 against page 5,000 by cursor, on a database of at least 500,000 features')
  .action(benchDeepPages);
program
  .command('faults [names...]')
  .description('breaks each part of a running server under load; all faults when none is named')
  .action(benchFaults);
program
  .command('hit-path')
  .description('answers from the cache against a bare server that sends the same bytes')
  .option('--seconds <n>', 'of each measurement', Number, 4)
  .action(benchHitPath);
program
  .command('inference [parts...]')
  .description(
    'the inference engine idle, saturated, overloaded, below a page, on each execution provider, with swaps and dying workers',
  )
  .option('--heavy', 'with a model of 22.6 million weights too', false)
  .option('--seconds <n>', 'of each measurement', Number, 2)
  .option('--minutes <n>', 'of the soak', Number, 1)
  .action(benchInference);
program
  .command('protection')
  .description('CPU of a request with access, limits and quotas against none of them, on four queries')
  .action(benchProtection);
program
  .command('row-level-security')
  .description('what policies of Postgres would cost as a second wall between organizations')
  .action(benchRowLevelSecurity);
program
  .command('search')
  .description(
    'documents found by words, by meaning and by both, of the questions of Banking77; time for 100,000 passages',
  )
  .requiredOption('--data <folder>', 'the folder that holds banking77/train.csv and test.csv')
  .option('--questions <n>', 'of the 3,080 test questions', Number, 3_080)
  .action(benchSearch);
program
  .command('semantic-cache')
  .description(
    'the test questions of Banking77 asked one after the other: how many are answered as earlier ones, and how well',
  )
  .requiredOption('--data <folder>', 'the folder that holds banking77/train.csv and test.csv')
  .option('--entries <n>', 'of the cache', Number, 1_000)
  .option('--seed <n>', 'of their order', Number, 1)
  .action(benchSemanticCache);
program
  .command('statements')
  .description(
    'CPU of a statement with its rows, through the pool, against the same statement through plain postgres.js',
  )
  .option('--url <url>', 'a database that is seeded, instead of one of its own')
  .option('--rounds <n>', 'turns of each side', Number, 25)
  .option('--statements <n>', 'of a turn', Number, 200)
  .action(benchStatements);
await program.parseAsync();
