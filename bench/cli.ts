import { Option, program } from 'commander';
import { StartupError } from '../src/errors.ts';
import { benchCachedMix } from './cached-mix/cli.ts';
import { benchCdn } from './cdn.ts';
import { benchConsistency } from './consistency.ts';
import { benchDeepPages } from './deep-pages.ts';
import { benchFaults } from './faults/cli.ts';
import { benchHitPath } from './hit-path.ts';
import { benchInference } from './inference/cli.ts';
import { benchEndurance } from './load/endurance.ts';
import { benchGrowth } from './load/growth.ts';
import { benchLoad } from './load/load.ts';
import { benchSpike } from './load/spike.ts';
import { benchStress } from './load/stress.ts';
import { seconds, wholeNumber, wholeNumbers } from './option-values.ts';
import { benchPeers } from './peers/bench.ts';
import { benchProcesses } from './processes.ts';
import { benchProtection } from './protection.ts';
import { benchCompare } from './regression/compare.ts';
import { benchCounts } from './regression/counts.ts';
import { benchRowLevelSecurity } from './row-level-security.ts';
import { benchFourQueries } from './scenarios/four-queries.ts';
import { benchSearch } from './search.ts';
import { benchSemanticCache } from './semantic-cache.ts';
import { benchStatements } from './statements.ts';
import { benchSuite } from './suite/cli.ts';

// What has been started or made by then is undone at the exit.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

program
  .name('npm run bench --')
  .enablePositionalOptions()
  .description('Figures of this server, each as a ratio measured in one run; without a command all of the suite.')
  .option('--only <names...>', 'scenarios, by the beginnings of their names')
  .option('--connections <list>', 'separated by commas', wholeNumbers, [1, 32, 256])
  .option('--seconds <n>', 'of a round', seconds, 1)
  .option('--rounds <n>', 'in which ours and the limits take turns', wholeNumber(), 5)
  .option('--scale <n>', 'features, at least 300; other tables in proportion', wholeNumber(300), 20_000)
  .option('--out <folder>', 'where the result is written', 'bench-results')
  .option(
    '--compare <version>',
    'a branch, tag or commit, or the .json file of a kept result: what is worse than there',
  )
  .option('--starts <n>', 'of both servers, to compare with a version', wholeNumber(), 8)
  .action(({ compare, ...options }) => (compare === undefined ? benchSuite(options) : benchCompare(compare, options)));
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
  .command('counts')
  .description('what operations take, counted and so the same on every machine, against bench/counts.json')
  .option('--update', 'the figures are what is expected from now on', false)
  .action(benchCounts);
program
  .command('deep-pages')
  .description('page 1 against page 5,000 by cursor, on a database of at least 500,000 features')
  .action(benchDeepPages);
program
  .command('endurance')
  .description('both mixes with writes for an hour: RSS, heap, event-loop delay and handles over time; a leak fails')
  .option('--minutes <n>', 'how long', Number, 60)
  .option('--cached-rate <n>', 'requests a second', Number, 2_000)
  .option('--uncached-rate <n>', 'requests a second', Number, 200)
  .option('--plant-leak', 'keep 1 kB of each request in the server, which has to fail', false)
  .option('--out <folder>', 'where the results go', 'bench-results')
  .action(benchEndurance);
program
  .command('faults [names...]')
  .description('breaks each part of a running server under load; all faults when none is named')
  .action(benchFaults);
program
  .command('four-queries')
  .description('CPU and requests a second of the four queries, beside the shortest ways to the same answers')
  .option('--rounds <n>', 'in which ours and the limits take turns', wholeNumber(), 7)
  .option('--requests <n>', 'of a round', wholeNumber(), 1_500)
  .option('--connections <list>', 'separated by commas', wholeNumbers, [1, 32])
  .option('--only <names...>', 'beginnings of their names, such as features')
  .option('--scale <n>', 'features, at least 300; other tables in proportion', wholeNumber(300), 20_000)
  .option('--profile <folder>', 'where our server leaves a CPU profile')
  .action(benchFourQueries);
program
  .command('peers')
  .description('the four queries beside PostGraphile and Mercurius on the same data, which are installed first')
  .option('--rounds <n>', 'in turns', wholeNumber(), 3)
  .option('--requests <n>', 'of a round', wholeNumber(), 2_000)
  .option('--connections <n>', 'at a time', wholeNumber(), 32)
  .option('--scale <n>', 'features, at least 300; other tables in proportion', wholeNumber(300), 20_000)
  .action(benchPeers);
program
  .command('growth')
  .description('CPU of a request by the rows it returns, and by the rows that are stored')
  .option(
    '--scales <list>',
    'features stored, by rising number, separated by commas',
    wholeNumbers,
    [10_000, 100_000, 1_000_000],
  )
  .option('--rounds <n>', 'in turns', Number, 7)
  .option('--requests <n>', 'of a round, for each query', Number, 400)
  .option('--out <folder>', 'where the results go', 'bench-results')
  .action(benchGrowth);
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
  .command('load')
  .description(
    'the cached and the uncached mix at the rates of the targets: latency by class, errors, wrong answers, CPU',
  )
  .addOption(new Option('--mix <which>', 'of the two').choices(['cached', 'uncached', 'both']).default('both'))
  .option('--cached-rate <n>', 'requests a second', Number, 10_000)
  .option('--uncached-rate <n>', 'requests a second', Number, 1_000)
  .option('--seconds <n>', 'of each measurement', Number, 60)
  .option('--warm-up-seconds <n>', 'of a growing load before it', Number, 60)
  .option('--out <folder>', 'where the results go', 'bench-results')
  .action(benchLoad);
program
  .command('processes')
  .description('one web process against several on this machine: the cached page and the four queries')
  .option('--processes <n>', 'of the second side', Number, 2)
  .option('--scale <n>', 'features', Number, 20_000)
  .option('--seconds <n>', 'of each measurement', Number, 4)
  .option('--rounds <n>', 'in turns', Number, 5)
  .option('--connections <n>', 'of the load', Number, 32)
  .action(benchProcesses);
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
  .command('spike')
  .description(
    'from a tenth of the breaking rate to five times it and back: what becomes of requests, and how long until normal',
  )
  .addOption(new Option('--mix <which>', 'of the two').choices(['cached', 'uncached']).default('uncached'))
  .option('--breaking-rate <n>', 'requests a second; by default it is looked for first', Number)
  .option('--from <n>', 'requests a second where that search begins', Number, 100)
  .option('--seconds <n>', 'of the spike', Number, 5)
  .option('--out <folder>', 'where the results go', 'bench-results')
  .action(benchSpike);
program
  .command('stress')
  .description(
    'up to the breaking point, beyond, and back: where p95 leaves its budget, what is shed, and the recovery',
  )
  .addOption(new Option('--mix <which>', 'of the two').choices(['cached', 'uncached']).default('uncached'))
  .option('--from <n>', 'requests a second of the first step', Number, 100)
  .option('--most <n>', 'requests a second', Number, 50_000)
  .option('--step-seconds <n>', 'of each step', Number, 10)
  .option('--recovery-seconds <n>', 'at half of the breaking rate', Number, 30)
  .option('--out <folder>', 'where the results go', 'bench-results')
  .action(benchStress);
program
  .command('statements')
  .description(
    'CPU of a statement with its rows, through the pool, against the same statement through plain postgres.js',
  )
  .option('--url <url>', 'a database that is seeded, instead of one of its own')
  .option('--rounds <n>', 'turns of each side', Number, 25)
  .option('--statements <n>', 'of a turn', Number, 200)
  .action(benchStatements);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
